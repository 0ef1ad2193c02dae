"""Projections: read models, each rebuilt from the log at any time (the first floor)."""
