"""The stream loader: states by stream, from the cache of this process or folded from the log."""

from typing import Any

from events import chain
from events.decider import CachedStream, Decider, State
from events.record import Origin
from events.snapshots import Snapshots
from events.stream_cache import StreamCache


class StreamLoader:
    """Loads streams, and caches what it loaded and what commits left."""

    def __init__(self, snapshots: Snapshots, cache: StreamCache | None = None) -> None:
        self._snapshots = snapshots
        self._cache = StreamCache() if cache is None else cache

    def cached(self, stream: str) -> CachedStream[Any] | None:
        """The stream as this process saw it last, whichever account and mode it is of."""
        return self._cache.get(stream)

    async def load(self, decider: Decider[State, Any, Any], stream: str, origin: Origin) -> CachedStream[State]:
        """The stream as the log has it now, whichever account and mode it is of. Raises BrokenHistory."""
        folded, size = await self._snapshots.load(decider, stream)
        if folded is None:
            return absent(decider, origin)
        self._cache.put(stream, folded, size)
        return folded

    def put(self, stream: str, reached: CachedStream[Any], grown: int) -> None:
        """Cache what a commit left of a stream, to which it added `grown` bytes of events."""
        self._cache.put(stream, reached, grown)

    def forget(self, stream: str) -> None:
        """Cache nothing of a stream: the next command loads it."""
        self._cache.forget(stream)


def absent(decider: Decider[State, Any, Any], origin: Origin) -> CachedStream[State]:
    """A stream without events, for this account and mode to begin."""
    return CachedStream(decider.initial, 0, chain.START, None, origin.scope)


def belongs(stream: CachedStream[Any], origin: Origin) -> bool:
    """Whether a stream is of this account and mode; another account's object is no object."""
    return stream.scope == (origin.account, origin.livemode)
