"""What a developer's machine runs in place of servers of its own; refused in production."""
