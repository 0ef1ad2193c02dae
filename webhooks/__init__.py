"""The second floor: telling the outside world, at least once."""
