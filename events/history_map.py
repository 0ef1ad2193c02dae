"""A persistent mapping for states: setting a key gives a new mapping in constant time and leaves the old one as it was.

A fold that copied a dictionary per event would take a time that grows with the square of the history. Here all mappings
that came of one another share a dictionary of the values that each key had, with the tick of each; a mapping shows what
was there at its own tick. Only one that is no longer the newest, as after a decision that was not stored, is copied
before it changes. Not for use by several threads.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

V = TypeVar("V")
_REMOVED: Any = object()
_new = object.__new__
STALE_MIN = 64  # superseded values that are kept in any case, before they are dropped


class _Shared:
    """What the mappings of one line share: of each key its newest value, the tick of that, and the entry before."""

    __slots__ = ("latest", "values")

    def __init__(self, values: dict[str, tuple[int, Any, Any]]) -> None:
        self.values = values
        self.latest = 0


class HistoryMap(Mapping[str, V]):
    """An immutable mapping; see `set` and `without`. Keys are in the order in which they were added."""

    __slots__ = ("_live", "_shared", "_tick")

    def __init__(self) -> None:
        self._shared = _Shared({})
        self._tick = 0
        self._live = 0

    def set(self, key: str, value: V) -> "HistoryMap[V]":
        """This mapping with `key` set to `value`."""
        shared, tick = self._shared, self._tick
        if shared.latest == tick and key not in shared.values:  # as a rule, and so without further calls
            shared.latest = tick = tick + 1
            shared.values[key] = (tick, value, None)
            longer: HistoryMap[V] = _new(HistoryMap)
            longer._shared = shared
            longer._tick = tick
            longer._live = self._live + 1
            return longer
        shared = self._newest()
        before = shared.values.get(key)
        if before is not None and before[1] is _REMOVED:
            shared = self._copy()  # where it is added at the end
            before = None
        return self._next(shared, key, value, self._live + (before is None))

    def without(self, key: str) -> "HistoryMap[V]":
        """This mapping without `key`, which it has."""
        return self._next(self._newest(), key, _REMOVED, self._live - 1)

    def _newest(self) -> _Shared:
        """What it shares, where it is the newest of its line and little is superseded; else a line of its own."""
        shared = self._shared
        if shared.latest != self._tick or self._tick > 2 * self._live + STALE_MIN:
            return self._copy()
        return shared

    def _copy(self) -> _Shared:
        return _Shared({key: (0, value, None) for key, value in self.items()})

    @staticmethod
    def _next(shared: _Shared, key: str, value: Any, live: int) -> "HistoryMap[V]":
        tick = shared.latest = shared.latest + 1
        shared.values[key] = (tick, value, shared.values.get(key))
        changed: HistoryMap[V] = _new(HistoryMap)
        changed._shared = shared
        changed._tick = tick
        changed._live = live
        return changed

    def __getitem__(self, key: str) -> V:
        entry: Any = self._shared.values[key]
        while entry is not None:
            tick, value, entry = entry
            if tick <= self._tick:
                if value is _REMOVED:
                    break
                found: V = value
                return found
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return (key for key in self._shared.values if key in self)

    def __len__(self) -> int:
        return self._live

    def __repr__(self) -> str:
        return f"HistoryMap({dict(self)!r})"
