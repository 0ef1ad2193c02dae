"""The stream loader: gives the state of a stream, from this process's cache or by folding its events."""

from typing import Any

from events import chain
from events.decider import CachedStream, Decider, State
from events.record import Origin
from events.snapshots import Snapshots
from events.stream_cache import StreamCache


class StreamLoader:
    """Loads streams, and caches their state as loaded and after commits."""

    def __init__(self, snapshots: Snapshots, cache: StreamCache | None = None) -> None:
        self._snapshots = snapshots
        self._cache = StreamCache() if cache is None else cache

    def cached(self, stream: str) -> CachedStream[Any] | None:
        """The stream as cached, of whatever account and mode; None if it is not cached."""
        return self._cache.get(stream)

    async def load(self, decider: Decider[State, Any, Any], stream: str, origin: Origin) -> CachedStream[State]:
        """The stream loaded from the log, of whatever account and mode. Raises BrokenHistory."""
        generation = self._cache.generation
        folded, size = await self._snapshots.load(decider, stream)
        if folded is None:
            return absent(decider, origin)
        self.put(stream, folded, size, generation)
        return folded

    @property
    def generation(self) -> int:
        """Of the cache: to be read before what is put."""
        return self._cache.generation

    def put(self, stream: str, reached: CachedStream[Any], grown: int, generation: int) -> None:
        """Cache a stream after a commit, which added `grown` bytes of events to it, unless it may have been erased."""
        if generation == self._cache.generation:
            self._cache.put(stream, reached, grown)
        else:
            self._cache.forget(stream)

    def forget(self, stream: str) -> None:
        """Remove a stream from the cache: the next command loads it from the log."""
        self._cache.forget(stream)


def absent(decider: Decider[State, Any, Any], origin: Origin) -> CachedStream[State]:
    """An empty stream that belongs to this account and mode."""
    return CachedStream(decider.initial, 0, chain.START, None, origin.scope)


def belongs(stream: CachedStream[Any], origin: Origin) -> bool:
    """Whether a stream belongs to this account and mode (tenant isolation)."""
    return stream.scope == (origin.account, origin.livemode)
