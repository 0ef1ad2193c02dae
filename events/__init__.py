"""The ground floor: what happened to customers, and the log that keeps it."""
