"""Load shedding: rate limits, concurrency limits and timeouts, by key, account and process."""
