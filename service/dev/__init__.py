"""Development mode: embedded PostgreSQL, webhook inbox and Host check; refused in production."""
