"""Particle worlds, step by step as mpe2 computes them. Lesson 09."""
