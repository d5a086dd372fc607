"""Matrix games, signalling games, soccer."""
