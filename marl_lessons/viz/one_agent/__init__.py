"""Figures of part I, one agent. Lessons 00 to 02."""
