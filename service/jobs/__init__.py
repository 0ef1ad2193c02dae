"""What the service does when it is due, by itself: the scheduler, its handlers, and the partitions of tables."""
