"""Commands for people who write lessons; students never need them.

Run ``python -m tools --help`` in a checkout of the repository. The commands execute the
notebooks so that a second run leaves no difference, keep cells that quote the package equal to it, point
badges and links at the repository's one address, and start a new lesson. ``recordings`` makes the runs that are too
slow for a lesson, ``benchmarks`` measures speed. The package imports nothing of this.
"""
