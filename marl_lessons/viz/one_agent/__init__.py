"""Figures of part I, one agent."""
