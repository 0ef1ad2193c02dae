"""Background jobs: the scheduler, its handlers, and the maintenance of partitions."""
