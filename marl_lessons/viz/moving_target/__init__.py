"""Figures of part III, the moving target. Lessons 05 and 06."""
