"""Figures of part VI, talking. Lesson 10."""
