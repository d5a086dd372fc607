"""The road crossing, from one car to many."""
