"""The history of one object for audits (time travel): its events with what each changed, its state at a moment, and
the difference between two moments; for every kind of stream.

A page needs the state before its first event, and a state is a fold of all events before it. They are read in slices
and folded without snapshots; only the state stays in memory. The states at every 512th version are kept for a minute,
within a bound of bytes: so each page of a long stream after the first folds at most 512 events and its own. A fold lets
other requests run after every few events.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from events.codec import Codec, unsealed
from events.decider import Decider
from events.errors import BrokenHistory, Missing, Refusal
from events.history import SLICE, History, StreamHead
from events.keys import MasterKeys
from events.personal import SubjectKey
from events.record import Origin, Record
from events.scope import Scope
from events.transact import other_mode_hint
from projections.changes import Changed

MARK_EVENTS = 512  # from one kept state of a stream to the next
MARKS_KEPT_S = 60.0
MARKS_BYTES_MAX = 32 * 1024 * 1024  # of the payloads that the kept states are of
YIELD_EVENTS = 25  # a fold of so many takes about a millisecond
HIDDEN = "(not shown)"
SECRETS = frozenset({"secret"})  # fields of events that no audit shows: who knows them can sign

NUMBER = re.compile(r"[0-9]{1,18}")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.,]{2,20}([Zz]|[+ -][0-9:]{2,8})")

OfEvent = Callable[[Any, Any, Any, Origin, str, int], list[Changed]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of stream as audits name and show it."""

    name: str  # the collection in paths: customers
    noun: str  # as messages name one: customer
    prefix: str  # of ids, by which a command finds the kind; empty where ids have none
    decider: Decider[Any, Any, Any]
    render: Callable[[Any, Scope], dict[str, Any]]
    changed: OfEvent
    difference: Callable[[Any, Any, Scope], list[Changed]]
    key: Callable[[Scope, str], str] = lambda scope, id: id  # of the stream
    visible: Callable[[Any, Scope], bool] | None = None  # of what belongs to no account: who else may see it

    def stream(self, scope: Scope, id: str) -> str:
        """The stream of an object."""
        return self.decider.stream(self.key(scope, id))


class Moment(NamedTuple):
    """A point of a stream: its version, or the position or time by which it was stored."""

    version: int | None = None
    position: int | None = None
    time: datetime | None = None

    @classmethod
    def parse(cls, text: str) -> "Moment":
        """The moment that text names: `12`, `position:812`, `2026-11-01T12:00Z` or `2026-11-01`. Raises ValueError."""
        word, _, number = text.rpartition(":")
        if NUMBER.fullmatch(text):
            return cls(version=int(text))
        if word == "position" and NUMBER.fullmatch(number):
            return cls(position=int(number))
        return cls(time=time_of(text))


def time_of(text: str) -> datetime:
    """The time that text names: ISO 8601 with an offset or `Z`, or a day, which begins at midnight UTC.

    A space before an offset is what a form makes of `+`. Raises ValueError.
    """
    if DAY.fullmatch(text):
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    if TIME.fullmatch(text):
        at = datetime.fromisoformat(re.sub(" (?=[0-9:]+$)", "+", text))
        if at.tzinfo is not None:
            with suppress(OverflowError):
                return at.astimezone(UTC)
    raise ValueError(f"'{text[:40]}' is not a time such as 2026-11-01T12:00Z")


class StreamEvent(NamedTuple):
    """An event of a stream with what it changed; `data` is what was stored, unsealed where its key is there."""

    record: Record
    data: dict[str, Any]
    sealed: bool
    changes: list[Changed]


class State(NamedTuple):
    """A state at the last event that led to it."""

    record: Record
    state: Any
    sealed: bool  # whether the key of the stream was destroyed


class Bounds(NamedTuple):
    """The versions of a page, first and last, newest first; and whether there are more beyond it."""

    first: int
    last: int
    has_more: bool


@dataclass(slots=True)
class _Marks:
    """Kept states of one stream by version."""

    states: dict[int, Any] = field(default_factory=dict)
    bytes: int = 0  # of all events up to the newest
    drop: asyncio.TimerHandle | None = None


class StreamHistory:
    """Reads and folds histories."""

    def __init__(self, history: History, codec: Codec, master_keys: MasterKeys) -> None:
        self._history = history
        self._codec = codec
        self._master_keys = master_keys
        self._marks: dict[str, _Marks] = {}
        self._generation = 0  # what was read in an earlier one may have been erased since

    def erase(self, stream: str | None = None) -> None:
        """Keep no state of a stream that was erased, or of any when some may have been."""
        self._generation += 1
        for each in tuple(self._marks) if stream is None else (stream,):
            self._forget(each)

    async def head(self, kind: Kind, scope: Scope, id: str) -> StreamHead:
        """The stream of an object of an account and mode. Raises Missing, with a hint where the other mode has it."""
        for whose, hint in ((scope, ""), (scope.other_mode, other_mode_hint(scope.livemode))):
            stream = kind.stream(whose, id)
            head = await self._history.head(stream)
            if head is None:
                continue
            if kind.visible is not None:
                if kind.visible(await self._state(kind, stream, head, head.version), scope):
                    return head
            elif head.scope == scope:
                return head
            elif head.scope == scope.other_mode:
                raise Missing(kind.noun, id, hint=hint or other_mode_hint(scope.livemode))
        raise Missing(kind.noun, id)

    async def bounds(
        self, stream: str, head: StreamHead, limit: int, starting_after: str | None, ending_before: str | None
    ) -> Bounds:
        """The versions of a page, by cursors that are positions of events of the stream. Raises Refusal."""
        if starting_after is not None:
            last = await self._cursor(stream, starting_after, "starting_after") - 1
            return Bounds(max(1, last - limit + 1), last, last > limit)
        if ending_before is not None:
            first = await self._cursor(stream, ending_before, "ending_before") + 1
            return Bounds(first, min(head.version, first + limit - 1), head.version >= first + limit)
        return Bounds(max(1, head.version - limit + 1), head.version, head.version > limit)

    async def version(self, stream: str, head: StreamHead, moment: Moment, param: str) -> int:
        """The version at a moment; 0 before the first event. Raises Refusal for a version that is not there."""
        if moment.version is not None:
            if not 1 <= moment.version <= head.version:
                raise Refusal(f"Version {moment.version} does not exist: the last one is {head.version}.", param=param)
            return moment.version
        if moment.position is not None:
            return await self._history.version_at_position(stream, moment.position)
        assert moment.time is not None, "a moment is a version, a position or a time"
        return await self._history.version_at_time(stream, moment.time)

    async def events(
        self, kind: Kind, stream: str, head: StreamHead, first: int, last: int
    ) -> AsyncIterator[StreamEvent]:
        """The events from version `first` to `last`, oldest first. Raises BrokenHistory."""
        key = self._key(stream, head)
        before = await self._state(kind, stream, head, first - 1)
        async for record, event, after in self._fold(kind, stream, key, before, first - 1, last):
            data, sealed = unsealed(record, key=key)
            changed = kind.changed(event, before, after, record.origin, stream, record.version)
            yield StreamEvent(record, _shown(data), sealed, changed)
            before = after

    async def state(self, kind: Kind, stream: str, head: StreamHead, version: int) -> State:
        """The state at a version above 0. Raises BrokenHistory."""
        key = self._key(stream, head)
        before = await self._state(kind, stream, head, version - 1)
        async for record, _, after in self._fold(kind, stream, key, before, version - 1, version):
            return State(record, after, head.wrapped is None)
        raise BrokenHistory(f"{stream} has no version {version}")

    def _key(self, stream: str, head: StreamHead) -> SubjectKey | None:
        return None if head.wrapped is None else self._master_keys.unwrap(head.wrapped, stream)

    async def _cursor(self, stream: str, given: str, param: str) -> int:
        version = 0
        if given.isascii() and given.isdigit() and len(given) <= 18:
            version = await self._history.version_of_event(stream, int(given))
        if version == 0:
            raise Refusal(f"No such event: '{given}'", code="resource_missing", param=param)
        return version

    async def _state(self, kind: Kind, stream: str, head: StreamHead, version: int) -> Any:
        """The state at a version, which may be 0, from the nearest kept state."""
        if head.wrapped is None:
            self._forget(stream)  # what was kept may show what was erased since
        marks = self._marks.get(stream)
        start, begun = 0, kind.decider.initial
        if marks is not None:
            start = max((mark for mark in marks.states if mark <= version), default=0)
            begun = marks.states.get(start, begun)
        reached = begun
        async for _, _, after in self._fold(kind, stream, self._key(stream, head), begun, start, version, keep=True):
            reached = after
        return reached

    async def _fold(
        self,
        kind: Kind,
        stream: str,
        key: SubjectKey | None,
        state: Any,
        after: int,
        last: int,
        *,
        keep: bool = False,
    ) -> AsyncIterator[tuple[Record, Any, Any]]:
        """Each record above `after` with its event and the state it led to."""
        version, generation = after, self._generation
        async for records in self._history.slices(stream, after, last):
            for record in records:
                version += 1
                if record.version != version:
                    raise BrokenHistory(f"{stream} has no version {version}")
                event = self._codec.decode(record, key=key)
                state = kind.decider.evolve(state, event)
                yield record, event, state
                if version % YIELD_EVENTS == 0:
                    await asyncio.sleep(0)
                if keep and version % MARK_EVENTS == 0 and key is not None and generation == self._generation:
                    self._keep(
                        stream, version, state, sum(len(each.payload) for each in records) * MARK_EVENTS // SLICE
                    )
        if version != last:
            raise BrokenHistory(f"{stream} has no version {version + 1}")

    def _keep(self, stream: str, version: int, state: Any, bytes: int) -> None:
        marks = self._marks.pop(stream, None) or _Marks()
        if version not in marks.states:
            marks.states[version] = state
            marks.bytes += bytes
        if marks.drop is not None:
            marks.drop.cancel()
        marks.drop = asyncio.get_running_loop().call_later(MARKS_KEPT_S, self._forget, stream)
        self._marks[stream] = marks  # the newest, at the end
        while sum(each.bytes for each in self._marks.values()) > MARKS_BYTES_MAX:
            self._forget(next(iter(self._marks)))

    def _forget(self, stream: str) -> None:
        marks = self._marks.pop(stream, None)
        if marks is not None and marks.drop is not None:
            marks.drop.cancel()


def _shown(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data of an event without secrets."""
    return {name: HIDDEN if name in SECRETS and value else value for name, value in data.items()}
