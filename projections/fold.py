"""The fold of a stream (replay): all its events in, the rows of the inline read models out.

It is the fold of the append, without the append: each change goes through the projection of its kind, and its rows
through the rules of `projections.commit`. So what is folded is what was written, for any kind of stream.

The log has no mark of where a change ends. Events of one change follow each other in the log and have the same origin.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

from events import folding_code
from events.codec import Codec
from events.decider import Change, Decider
from events.errors import BrokenHistory
from events.keys import MasterKeys
from events.personal import SubjectKey
from events.record import Origin, Record
from projections.facets import EventContext, Project
from projections.rows import FOLLOW, CustomerRow, DueRow, ResourceRow, Rows

CustomerTuple = tuple[Any, ...]  # a CustomerRow and the position of its first event
ResourceTuple = tuple[Any, ...]  # a ResourceRow without its event, and the position that orders it


class Kind(NamedTuple):
    """One kind of stream: its decider, and its projection.

    `events` are projections of single events, for a kind whose rows do not depend on where a change ends; then
    `row` makes the one row that the last state leaves. Folding them so makes no notices, which cost the most.
    """

    decider: Decider[Any, Any, Any]
    rows: Callable[[Change[Any]], Rows]
    events: Mapping[type, Project] | None = None
    row: Callable[[Change[Any]], CustomerRow] | None = None
    resources: tuple[str, ...] = ()  # kinds of the objects that the stream writes, where they are not its own kind


class Folded(NamedTuple):
    """The rows of one stream, as its last event leaves them."""

    stream: str
    events: int
    customers: Sequence[CustomerTuple]
    resources: Sequence[ResourceTuple]
    due: Sequence[DueRow]


@dataclass(frozen=True, slots=True)
class Folds:
    """Folds streams of every kind that a process knows."""

    codec: Codec
    master_keys: MasterKeys
    kinds: Mapping[str, Kind]

    def begin(self, stream: str, wrapped: bytes | None) -> "StreamFold":
        """Begin a stream, whose key may be destroyed. Raises BrokenHistory for a kind that nobody knows."""
        kind = self.kinds.get(kind_of(stream))
        if kind is None:
            raise BrokenHistory(f"{stream}: unknown kind of stream")
        key = self.master_keys.unwrap(wrapped, stream) if wrapped else None
        return StreamFold(self.codec, kind, stream, key)

    def fold(self, stream: str, records: Iterable[Record], wrapped: bytes | None) -> Folded:
        """The rows of a stream out of all its records. Raises BrokenHistory."""
        folding = self.begin(stream, wrapped)
        for record in records:
            folding.add(record)
        return folding.finish()

    @property
    def code(self) -> bytes:
        """A digest of the code that folds and renders: rows of another digest may be others."""
        modules = {
            module for kind in self.kinds.values() for module in (kind.decider.evolve.__module__, kind.rows.__module__)
        }
        total = sha256()
        for module in sorted(modules):
            total.update(folding_code.digest(module) or b"")
        return total.digest()


@dataclass(slots=True)
class StreamFold:
    """The fold of one stream, event by event."""

    codec: Codec
    kind: Kind
    stream: str
    key: SubjectKey | None
    version: int = 0
    first: int = 0  # position of its first event
    state: Any = None
    last: Record | None = None
    group: list[tuple[Record, Any, Any]] = field(default_factory=list)  # of the present change, with event and state
    before: Any = None  # the state before the present change
    customers: dict[str, CustomerTuple] = field(default_factory=dict)
    resources: dict[tuple[str, str], ResourceTuple] = field(default_factory=dict)
    due: dict[tuple[str, str], DueRow] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Fold the next event. Raises BrokenHistory for one that is not the next, or does not decode."""
        if record.version != self.version + 1:
            raise BrokenHistory(f"{self.stream}: version {record.version} follows {self.version}")
        decider = self.kind.decider
        event = self.codec.decode(record, key=self.key)
        before = decider.initial if self.last is None else self.state
        after = decider.evolve(before, event)
        if self.kind.events is not None:
            project = self.kind.events.get(type(event))
            if project is not None:
                context = EventContext(event, before, after, record.origin, self.stream, record.version, 0)
                effects = project(context)
                self._put(effects.resources, [record.position])
                self._schedule(effects.due)
        else:
            if self.last is None or not _together(self.last, record):
                self._change()
                self.before = before
            self.group.append((record, event, after))
        if self.last is None:
            self.first = record.position
        self.state, self.last, self.version = after, record, record.version

    def finish(self) -> Folded:
        """The rows after the last event that was added."""
        self._change()
        if self.kind.row is not None and self.last is not None:
            row = self.kind.row(
                Change(
                    kind=self.kind.decider.kind,
                    stream=self.stream,
                    before=self.kind.decider.initial,
                    after=self.state,
                    version=self.version,
                    steps=(),
                    origin=self.last.origin,
                )
            )
            self.customers[row.id] = (*row, self.first)
        return Folded(
            self.stream,
            self.version,
            list(self.customers.values()),
            list(self.resources.values()),
            list(self.due.values()),
        )

    def _change(self) -> None:
        if not self.group:
            return
        group, self.group = self.group, []
        last, _, after = group[-1]
        rows = self.kind.rows(
            Change(
                kind=self.kind.decider.kind,
                stream=self.stream,
                before=self.before,
                after=after,
                version=last.version,
                steps=[(event, state) for _, event, state in group],
                origin=last.origin,
            )
        )
        for row in rows.customers:
            self.customers[row.id] = (*row, self.first)
        self._put(rows.resources, [record.position for record, _, _ in group])
        self._schedule(rows.due)

    def _put(self, rows: Sequence[ResourceRow], positions: Sequence[int]) -> None:
        """An object keeps its position, unless it was deleted and is created again."""
        for row in rows:
            earlier = self.resources.get((row.kind, row.id))
            if earlier is None or (earlier[DELETED] and not row.deleted):
                position = positions[row.event]
            else:
                position = earlier[-1]
            self.resources[row.kind, row.id] = (*row[:-1], position)

    def _schedule(self, rows: Sequence[DueRow]) -> None:
        for row in rows:
            if row.task == FOLLOW:
                for key, earlier in self.due.items():
                    if earlier.test_clock is None:
                        self.due[key] = earlier._replace(test_clock=row.test_clock)
            elif row.due_at is None:
                self.due.pop((row.task, row.subject), None)
            else:
                self.due[row.task, row.subject] = row


DELETED = ResourceRow._fields.index("deleted")


def kind_of(stream: str) -> str:
    """The kind of a stream."""
    return stream.partition("-")[0]


def _together(one: Record, next: Record) -> bool:
    """Whether two events of a stream are of one change."""
    return next.position == one.position + 1 and _said(next.origin) == _said(one.origin)


def _said(origin: Origin) -> tuple[object, ...]:
    return origin[:-1]  # the log does not store the last, traceparent
