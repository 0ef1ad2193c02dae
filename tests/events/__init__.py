"""The log and the decisions."""
