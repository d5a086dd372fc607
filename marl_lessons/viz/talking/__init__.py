"""Figures of part VI, talking."""
