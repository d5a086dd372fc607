"""Learners whose values stand in tables, all seeds side by side. Lessons 00, 02, 04, 05, 06 and 10."""
