"""The stream cache: folded states by stream, least recently used first out, bounded in number and in bytes.

A state may be a hundred bytes or hundreds of kilobytes, as its caller likes, so a bound of their number alone bounds no
memory. Sizes are estimates: what was appended is added to a state's size, and a state is measured when its estimate has
grown large, and again whenever it doubles, so that many small changes neither cost much nor count for much.
"""

import sys
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from events.decider import CachedStream

STREAMS_MAX = 4096
BYTES_MAX = 16 * 1024 * 1024
ENTRY_BYTES = 1024  # what the smallest state takes
MEASURED_FROM = 32 * 1024  # bytes by estimate


class StreamCache:
    """Folded states: at most `streams_max`, and `bytes_max` bytes by estimate; the newest is kept in any case."""

    def __init__(self, *, streams_max: int = STREAMS_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._streams_max = streams_max
        self._bytes_max = bytes_max
        self._streams: OrderedDict[str, tuple[CachedStream[Any], int, int]] = (
            OrderedDict()
        )  # estimate, when to measure next
        self.bytes = 0
        self.generation = 0  # what was read in an earlier one may have been erased since

    def get(self, stream: str) -> CachedStream[Any] | None:
        """The cached state of a stream, if any."""
        entry = self._streams.get(stream)
        return None if entry is None else entry[0]

    def put(self, stream: str, cached: CachedStream[Any], grown: int) -> None:
        """Keep the state of a stream, to which events of `grown` bytes led from the one that was kept, if any was."""
        entry = self._streams.pop(stream, None)
        if entry is None:
            before, size, measure_at = 0, ENTRY_BYTES + grown, MEASURED_FROM
        else:
            _, before, measure_at = entry
            size = before + grown
        if size > measure_at:
            size = ENTRY_BYTES + measured(cached.state)
            measure_at = max(MEASURED_FROM, 2 * size)
        self._streams[stream] = (cached, size, measure_at)  # at the end
        self.bytes += size - before
        while len(self._streams) > 1 and (self.bytes > self._bytes_max or len(self._streams) > self._streams_max):
            _, (_, least, _) = self._streams.popitem(last=False)
            self.bytes -= least

    def forget(self, stream: str) -> None:
        """Keep nothing of a stream."""
        entry = self._streams.pop(stream, None)
        if entry is not None:
            self.bytes -= entry[1]

    def erase(self, stream: str | None = None) -> None:
        """Keep nothing of a stream that was erased, or of any when some may have been."""
        self.generation += 1
        if stream is not None:
            self.forget(stream)
        else:
            self._streams.clear()
            self.bytes = 0

    def __len__(self) -> int:
        """How many streams are kept."""
        return len(self._streams)


def measured(state: Any) -> int:
    """The memory of a state with everything it refers to, in bytes; shared parts count once."""
    seen: set[int] = set()
    left, size = [state], 0
    while left:
        value = left.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        size += sys.getsizeof(value)
        if is_dataclass(value):
            left.extend(getattr(value, each.name) for each in fields(value))
        elif isinstance(value, Mapping):
            left.extend(value.keys())
            left.extend(value.values())
        elif isinstance(value, tuple | list | set | frozenset):
            left.extend(value)
    return size
