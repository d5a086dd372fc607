"""What an agent's world is while the others learn."""
