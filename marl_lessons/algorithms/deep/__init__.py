"""Learners with networks; these modules need PyTorch. Lessons 06, 09 and 10.

MADDPG's loop stands in ``maddpg``, its gradients and settings in ``maddpg_update``, what lesson 09 exchanges in
``maddpg_variants``.
"""
