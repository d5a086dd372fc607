"""Figures of part V, seeing everyone."""
