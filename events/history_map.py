"""A persistent (immutable) mapping for states: setting a key returns a new mapping in constant time.

A fold that copied a dictionary at each event would take quadratic time. Here the mappings derived from one another
share an append-only journal of assignments. Changing the newest mapping appends to the journal, and each mapping reads
only the part that existed when it was made. A mapping is copied only if it is no longer the newest, as after a decision
that was not stored, or if most of its journal is superseded: once per as many changes as it has keys. Not thread-safe.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar

V = TypeVar("V")
_REMOVED: Any = object()
_new = object.__new__
STALE_MIN = 64  # superseded values that are kept before compaction is considered


class _Journal:
    """Journal shared by the mappings of one history: every assigned value, the index of the newest value of each key,
    and the index of the value that each one superseded. A key that was removed and added again is at the end of the
    keys.
    """

    __slots__ = ("before", "newest", "values")

    def __init__(self, newest: dict[str, int], values: list[Any]) -> None:
        self.newest = newest
        self.values = values
        self.before: dict[int, int] = {}


_NOTHING = _Journal({}, [_REMOVED])  # longer than any empty mapping reads: nothing is appended to it


class HistoryMap(Mapping[str, V]):
    """An immutable mapping; see `set` and `without`. Keys are in insertion order."""

    __slots__ = ("_journal", "_live", "_seen")

    def __init__(self) -> None:
        self._journal = _NOTHING
        self._seen = 0
        self._live = 0

    @staticmethod
    def of(keys: Iterable[str], values: Iterable[V]) -> "HistoryMap[V]":
        """A mapping of keys to the values at the same index. Raises ValueError for duplicate keys."""
        journal = _Journal({key: at for at, key in enumerate(keys)}, list(values))
        if len(journal.newest) != len(journal.values):
            raise ValueError("each key has one value")
        return _made(journal, len(journal.values))

    def set(self, key: str, value: V) -> "HistoryMap[V]":
        """A mapping with `key` set to `value`."""
        journal, seen = self._journal, self._seen
        if len(journal.values) == seen and key not in journal.newest:  # the common case, inlined for speed
            journal.newest[key] = seen
            journal.values.append(value)
            longer: HistoryMap[V] = _new(HistoryMap)
            longer._journal = journal
            longer._seen = seen + 1
            longer._live = self._live + 1
            return longer
        journal = self._newest()
        before = journal.newest.get(key)
        if before is None:
            return _written(journal, key, value, None, self._live + 1)
        if journal.values[before] is _REMOVED:
            del journal.newest[key]  # added at the end
            return _written(journal, key, value, before, self._live + 1)
        return _written(journal, key, value, before, self._live)

    def without(self, key: str) -> "HistoryMap[V]":
        """A mapping without `key`, which must exist."""
        journal = self._newest()
        return _written(journal, key, _REMOVED, journal.newest[key], self._live - 1)

    def entries(self) -> tuple[list[str], list[V]]:
        """Pairs of key and value."""
        journal = self._journal
        values = journal.values
        if not journal.before:  # nothing was ever superseded: keys are in the order of their values
            return list(islice(journal.newest, self._seen)), values[: self._seen]
        if len(values) != self._seen:
            keys = list(self)
            return keys, [self[key] for key in keys]
        if len(values) == self._live:
            return list(journal.newest), list(values)
        found = [(key, values[at]) for key, at in journal.newest.items() if values[at] is not _REMOVED]
        return [key for key, _ in found], [value for _, value in found]

    def _newest(self) -> _Journal:
        """The journal, if this is its newest mapping and few values are superseded; otherwise a compacted copy."""
        journal = self._journal
        if len(journal.values) != self._seen or self._seen > 2 * self._live + STALE_MIN:
            return self._copy()
        return journal

    def _copy(self) -> _Journal:
        keys, values = self.entries()
        return _Journal({key: at for at, key in enumerate(keys)}, values)

    def _at(self, key: str) -> int | None:
        """Index in the journal of the value of a key, or of its removal."""
        journal = self._journal
        at = journal.newest.get(key)
        while at is not None and at >= self._seen:
            at = journal.before.get(at)
        return at

    def _added_at(self, key: str) -> int:
        """Index in the journal at which an existing key was added."""
        journal, at = self._journal, self._at(key)
        assert at is not None
        while (before := journal.before.get(at)) is not None and journal.values[before] is not _REMOVED:
            at = before
        return at

    def __getitem__(self, key: str) -> V:
        at = self._at(key)
        value: V = _REMOVED if at is None else self._journal.values[at]
        if value is _REMOVED:
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator[str]:
        journal = self._journal
        if not journal.before:
            return iter(list(islice(journal.newest, self._seen)))
        if len(journal.values) == self._seen:
            return iter([key for key, at in journal.newest.items() if journal.values[at] is not _REMOVED])
        return iter(sorted((key for key in journal.newest if key in self), key=self._added_at))

    def __len__(self) -> int:
        return self._live

    def __repr__(self) -> str:
        return f"HistoryMap({dict(self)!r})"


def _written(journal: _Journal, key: str, value: Any, before: int | None, live: int) -> HistoryMap[Any]:
    """The mapping after an assignment that supersedes the value at `before`."""
    at = len(journal.values)
    if before is not None:
        journal.before[at] = before
    journal.newest[key] = at
    journal.values.append(value)
    return _made(journal, live)


def _made(journal: _Journal, live: int) -> HistoryMap[Any]:
    made: HistoryMap[Any] = _new(HistoryMap)
    made._journal = journal
    made._seen = len(journal.values)
    made._live = live
    return made
