"""Killing any part of the system in the middle of load: nothing that was acknowledged is lost."""
