"""The road crossing, from one car to many. Lessons 00, 01, 02, 04, 05, 06 and 10."""
