"""What messages tell, whether anybody listens, and what talking is worth at most. Lesson 10."""
