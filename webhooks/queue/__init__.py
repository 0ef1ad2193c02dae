"""The delivery queue in Postgres: fan-out, lanes, the retry schedule, recovery and lag."""
