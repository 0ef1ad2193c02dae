"""The public feed of events: notices read, rendered in an API version, in full or thin."""
