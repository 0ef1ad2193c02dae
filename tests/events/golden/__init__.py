"""Every version of every event type that was ever stored: the bytes as they were written, and what they mean today.

A file is never changed: it stands for what lies in logs. `python -m tests.events.golden` writes those that are missing,
from tests/events/samples/, when a type is new or its schema version was raised; the new file is then committed.
"""
