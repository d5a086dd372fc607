"""Matrix games, signalling games, soccer. Lessons 03, 04, 05, 06 and 10."""
