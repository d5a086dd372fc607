"""Figures of part II, games."""
