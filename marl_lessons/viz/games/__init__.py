"""Figures of part II, games. Lessons 03 and 04."""
