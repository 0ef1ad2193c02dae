"""A moment to stand still at."""

from datetime import UTC, datetime

NOON = datetime(2026, 6, 1, 12, 0, 0, 123_456, tzinfo=UTC)
