"""Figures of part V, seeing everyone. Lesson 09."""
