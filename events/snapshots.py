"""Snapshots: a state is loaded from its latest snapshot and a bounded tail of events, instead of the whole stream.

At intervals, an append stores the state that it leads to in the same transaction. A snapshot is derived data: it is
encrypted with the key of its stream (bound to stream, version and the digest of the folding code), used only by the
code version that made it, and where it is missing or unreadable the whole stream is folded. Rebuilds and audits do not
use snapshots. Decision record: events/decisions/2026-11-27-snapshots-of-states.md.
"""

from collections.abc import Iterable
from typing import Any

import orjson
import structlog

from events import chain, folding_code
from events.codec import Codec
from events.decider import SNAPSHOT_EVENTS, CachedStream, Decider, State
from events.errors import BrokenHistory
from events.keys import MasterKeys
from events.log import Log
from events.personal import SubjectKey
from events.record import Draft, Loaded, Record, Snapshot
from events.scope import Scope
from events.state_codec import StateCodec

EVENT_BYTES = 1024  # bytes of events between snapshots, per byte of snapshot: the cost per event stays constant
STATE_BYTES_MAX = 4 * 1024 * 1024  # larger states get no snapshot, since other appends wait while it is written

WARNED_MAX = 1024  # streams for which a warning was logged

log = structlog.get_logger("events")


def fold(
    decider: Decider[State, Any, Any],
    codec: Codec,
    master_keys: MasterKeys,
    stream: str,
    loaded: Loaded,
    start: CachedStream[State] | None = None,
) -> CachedStream[State] | None:
    """Fold the records of a stream, from the beginning or from `start`; None if there are none.

    Raises BrokenHistory if a record cannot be decoded, or the first does not follow `start`.
    """
    if not loaded.records:
        return start
    first = loaded.records[0]
    if start is not None:
        key, state = start.key, start.state
        link = chain.link(
            start.hash,
            stream=stream,
            version=start.version + 1,
            type=first.type,
            schema_version=first.schema_version,
            payload=first.payload,
            origin=first.origin,
        )
        if link != first.hash:
            raise BrokenHistory(f"{stream} version {first.version}: does not follow its snapshot")
    else:
        key = master_keys.unwrap(loaded.wrapped_key, stream) if loaded.wrapped_key else None
        state = decider.initial
    for record in loaded.records:
        state = decider.evolve(state, codec.decode(record, key=key))
    last = loaded.records[-1]
    due = start.snapshot_due if start is not None else SNAPSHOT_EVENTS
    return CachedStream(state, last.version, last.hash, key, last.origin.scope, due)


def context(stream: str, version: int, code: bytes) -> str:
    """The AAD context of a snapshot that a master key encrypts, since its stream has no key."""
    return f"{stream}\n{version}\n{_field(code)}"


def _field(code: bytes) -> str:
    return f"snapshot {code.hex()}"


def payload_bytes(stored: Iterable[Draft | Record]) -> int:
    """Total size of the payloads of events."""
    return sum(len(each.payload) for each in stored)


class Snapshots:
    """Loads states, and makes the snapshots that are due."""

    def __init__(self, log: Log, codec: Codec, master_keys: MasterKeys) -> None:
        self._log = log
        self._codec = codec
        self._master_keys = master_keys
        self._codecs: dict[type[Any], StateCodec[Any]] = {}
        self._warned: dict[str, None] = {}  # streams, oldest first

    async def load(self, decider: Decider[State, Any, Any], stream: str) -> tuple[CachedStream[State] | None, int]:
        """The state of a stream, None if it does not exist; and the number of bytes read for it.

        Raises BrokenHistory, LogUnavailable.
        """
        code = folding_code.digest(decider.evolve.__module__)
        if code is not None:
            loaded = await self._log.load_state(stream, code)
            if loaded.snapshot is None:
                return self._fold(decider, stream, loaded), payload_bytes(loaded.records)
            try:
                start = self._open(decider, stream, loaded.snapshot, loaded.wrapped_key)
                size = len(loaded.snapshot.body) + payload_bytes(loaded.records)
                return self._fold(decider, stream, loaded, start), size
            except (BrokenHistory, ValueError) as error:
                self._warn(stream, loaded.snapshot.version, str(error))
        loaded = await self._log.load(stream)
        return self._fold(decider, stream, loaded), payload_bytes(loaded.records)

    def make(
        self, decider: Decider[State, Any, Any], stream: str, cached: CachedStream[State]
    ) -> tuple[Snapshot | None, CachedStream[State]]:
        """The snapshot to store with the next events, if one can be made; and the cached state with the version at
        which the next snapshot is due.
        """
        code = folding_code.digest(decider.evolve.__module__)
        due = cached.version + SNAPSHOT_EVENTS
        if code is None:
            return None, cached._replace(snapshot_due=due)
        try:
            body = self._codec_of(decider).encode(cached.state)
        except ValueError as error:
            log.error("snapshot.not_stored", stream=stream, version=cached.version, reason=str(error))
            return None, cached._replace(snapshot_due=due)
        due = cached.version + max(SNAPSHOT_EVENTS, len(body) // EVENT_BYTES)
        if len(body) > STATE_BYTES_MAX:
            return None, cached._replace(snapshot_due=due)
        head = orjson.dumps([cached.hash.hex(), *cached.scope])
        sealed = self._seal(head + b"\n" + body, stream, cached.version, code, cached.key)
        return Snapshot(code, cached.version, sealed), cached._replace(snapshot_due=due)

    def _warn(self, stream: str, version: int, reason: str) -> None:
        """Log once per stream that a snapshot was ignored: every load finds it until an append replaces it."""
        if stream not in self._warned:
            log.warning("snapshot.ignored", stream=stream, version=version, reason=reason)
            self._warned[stream] = None
            if len(self._warned) > WARNED_MAX:
                del self._warned[next(iter(self._warned))]

    def _open(
        self, decider: Decider[State, Any, Any], stream: str, snapshot: Snapshot, wrapped: bytes | None
    ) -> CachedStream[State]:
        key = self._master_keys.unwrap(wrapped, stream) if wrapped else None
        head, _, body = self._unseal(snapshot, stream, key).partition(b"\n")
        link, *scope = orjson.loads(head)
        state: State = self._codec_of(decider).decode(body)
        due = snapshot.version + max(SNAPSHOT_EVENTS, len(body) // EVENT_BYTES)
        return CachedStream(state, snapshot.version, bytes.fromhex(link), key, Scope(*scope), due)

    def _fold(
        self, decider: Decider[State, Any, Any], stream: str, loaded: Loaded, start: CachedStream[State] | None = None
    ) -> CachedStream[State] | None:
        return fold(decider, self._codec, self._master_keys, stream, loaded, start)

    def _codec_of(self, decider: Decider[State, Any, Any]) -> StateCodec[State]:
        cls = type(decider.initial)
        found = self._codecs.get(cls)
        if found is None:
            found = self._codecs[cls] = StateCodec(cls)
        return found

    def _seal(self, plain: bytes, stream: str, version: int, code: bytes, key: SubjectKey | None) -> bytes:
        """Encrypt with the key of the stream, or with the master key if the stream has none."""
        if key is None:
            return self._master_keys.seal(plain, context(stream, version, code))
        return key.seal(plain, stream=stream, version=version, field=_field(code))

    def _unseal(self, snapshot: Snapshot, stream: str, key: SubjectKey | None) -> bytes:
        if key is None:
            return self._master_keys.unseal(snapshot.body, context(stream, snapshot.version, snapshot.code))
        return key.unseal(snapshot.body, stream=stream, version=snapshot.version, field=_field(snapshot.code))
