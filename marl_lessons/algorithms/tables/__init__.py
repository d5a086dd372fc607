"""Learners whose values stand in tables, all seeds side by side."""
