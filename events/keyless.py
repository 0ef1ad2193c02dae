"""The keyless loader: streams as they are once their keys are destroyed, whatever their keys can still open.

An erasure is decided, and its read model rows are made, on these states: what it writes cannot hold personal data.
Streams of other kinds, which an erasure changes beside those of the person, are loaded with their keys.
"""

from collections.abc import Sequence
from typing import Any

from events.codec import Codec
from events.decider import CachedStream, Decider, State
from events.errors import BrokenHistory
from events.keys import MasterKeys
from events.log import Log
from events.record import Loaded, Origin, Record
from events.snapshots import Snapshots, fold
from events.stream_loader import StreamLoader, absent


class KeylessLoader(StreamLoader):
    """Loads each stream once, and keeps the records of those that are erasable."""

    def __init__(self, log: Log, codec: Codec, master_keys: MasterKeys) -> None:
        super().__init__(Snapshots(log, codec, master_keys))
        self._log = log
        self._codec = codec
        self._master_keys = master_keys
        self.records: dict[str, Sequence[Record]] = {}

    def cached(self, stream: str) -> CachedStream[Any] | None:
        """Nothing: what other processes did since counts."""
        return None

    async def load(self, decider: Decider[State, Any, Any], stream: str, origin: Origin) -> CachedStream[State]:
        """The stream without what is personal. Raises BrokenHistory."""
        if not decider.erasable:
            return await super().load(decider, stream, origin)
        records = (await self._log.load(stream)).records
        folded = fold(decider, self._codec, self._master_keys, stream, Loaded(records, None))
        if folded is None:
            return absent(decider, origin)
        if folded.version != len(records):
            raise BrokenHistory(f"{stream} has {len(records)} events and ends at version {folded.version}")
        self.records[stream] = records
        return folded
