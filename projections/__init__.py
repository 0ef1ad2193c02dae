"""The first floor: read models, each rebuilt from the log at any time."""
