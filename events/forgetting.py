"""Cache invalidation after an erasure: every process drops the streams whose keys were destroyed, by LISTEN/NOTIFY.

Correctness does not rest on it, for an append checks the version of a stream, which an erasure raises: it is about
memory. A notification may be lost with its connection, so the whole cache is dropped whenever that was made again.
"""

from collections.abc import Callable

from events.follow import Wakeup
from events.stream_cache import StreamCache

CHANNEL = "rollbook_forget"


class CacheInvalidation(Wakeup):
    """Drops streams from the caches of this process when they are erased, whichever process erases them."""

    def __init__(self, dsn: str, cache: StreamCache) -> None:
        super().__init__(dsn, CHANNEL)
        self._drops: list[Callable[[str | None], None]] = [cache.erase]

    def add(self, drop: Callable[[str | None], None]) -> None:
        """Also call this for each stream that is erased; with None when any may have been."""
        self._drops.append(drop)

    def notified(self, payload: str) -> None:
        """Drop a stream; with an empty payload all of them."""
        for drop in self._drops:
            drop(payload or None)
