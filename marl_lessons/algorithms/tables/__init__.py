"""Learners whose values stand in tables, all seeds side by side. Lessons 00, 02, 04, 05, 06 and 10.

The equations that all of them share, such as the update of Q-learning, stand in ``rules``; the loop over steps, ``experience``,
in ``history``.
"""
