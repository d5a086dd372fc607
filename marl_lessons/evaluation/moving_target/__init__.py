"""What an agent's world is while the others learn. Lessons 05 and 09."""
