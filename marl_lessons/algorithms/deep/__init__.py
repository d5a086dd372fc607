"""Learners with networks; these modules need PyTorch."""
