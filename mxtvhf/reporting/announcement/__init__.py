"""What is said to the world: the Burst Advocate's decision, the texts made of it, their release."""
