"""What is known of the particle worlds beside the learners. Lesson 09."""
