"""Figures of part III, the moving target."""
