"""What a newcomer does, from one end of the system to the other."""
