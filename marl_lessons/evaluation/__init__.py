"""Measuring: statistics over seeds and distances to the exact answer."""
