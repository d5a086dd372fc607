"""Learners with networks; these modules need PyTorch. Lessons 06, 09 and 10."""
