"""What messages tell, and whether anybody acts on them."""
