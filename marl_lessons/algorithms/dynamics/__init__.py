"""Learning in games that are known: fictitious play, regret matching, replicator dynamics, gradient ascent. Lessons 03 and 05."""
