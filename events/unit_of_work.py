"""A unit of work: what one request does to several streams, stored in one commit or not at all.

Each stream is looked at once and its commands are decided on the state the unit has reached. Whatever was looked at is
held to be unchanged when the unit is stored, whether the unit changed it or not: a unit that read what another writer
changes meanwhile is done again from the start.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from events.decider import Change, Decider, Held, Reply, State
from events.personal import SubjectKey
from events.record import Append, Draft, Origin, Receipt, Snapshot


@dataclass(slots=True)
class Part:
    """One stream of a unit: as it was found, and as the unit's commands leave it."""

    decider: Decider[Any]
    stream: str
    held: Held[Any]
    before: Any
    state: Any
    reached: Held[Any]  # once its events are encoded
    fresh: bool  # looked up in the log, not merely remembered
    events: list[tuple[Any, Any]] = field(default_factory=list)  # each with the state it left
    rows: Any = None
    drafts: tuple[Draft, ...] = ()
    key: SubjectKey | None = None
    wrapped_key: bytes | None = None
    snapshot: Snapshot | None = None


class Keeper(Protocol):
    """Who finds streams for a unit, and makes its events into what is stored."""

    async def find(self, decider: Decider[Any], id: str, origin: Origin) -> Part:
        """The part of a stream as it stands, or as it will begin."""
        ...

    def begin(self, decider: Decider[Any], id: str, origin: Origin) -> Part:
        """The part of a stream that does not exist yet."""
        ...

    def rows_of(self, change: Change[Any]) -> Any:
        """The read models' rows of a change."""
        ...

    def draft(self, part: Part, origin: Origin) -> None:
        """Encode the events of a part."""
        ...


class UnitOfWork:
    """The streams one request works on."""

    def __init__(self, keeper: Keeper, origin: Origin) -> None:
        self.origin = origin
        self._keeper = keeper
        self._parts: dict[str, Part] = {}

    @property
    def parts(self) -> Sequence[Part]:
        """Every stream that was looked at, in the order in which that happened."""
        return list(self._parts.values())

    async def load(self, decider: Decider[State], id: str) -> State:
        """The state of an object; the initial one when this account and mode have no such object."""
        stream = decider.stream(id)
        part = self._parts.get(stream)
        if part is None:
            part = self._parts[stream] = await self._keeper.find(decider, id, self.origin)
        state: State = part.state
        return state

    def begin(self, decider: Decider[State], id: str) -> State:
        """Begin an object whose id is fresh; gives the initial state."""
        self._parts[decider.stream(id)] = self._keeper.begin(decider, id, self.origin)
        return decider.initial

    def state(self, decider: Decider[State], id: str) -> State:
        """The state of an object that was loaded or begun, as the unit's commands have left it."""
        state: State = self._parts[decider.stream(id)].state
        return state

    def do(self, decider: Decider[State], id: str, command: object) -> State:
        """Carry out a command on an object that was loaded or begun; gives the state after. Raises Refusal."""
        part = self._parts[decider.stream(id)]
        for event in decider.decide(part.state, command):
            part.state = decider.evolve(part.state, event)
            part.events.append((event, part.state))
            part.rows = None
        state: State = part.state
        return state

    def rows_of(self, decider: Decider[Any], id: str) -> Any:
        """The rows that the changes to one object bring; None when there are none."""
        return self._rows(self._parts[decider.stream(id)])

    def rows(self) -> Sequence[Any]:
        """The rows that all changes bring, object by object."""
        return [self._rows(part) for part in self._parts.values() if part.events]

    def append(self, receipt: Receipt | None) -> Append | None:
        """Everything as one append; None when there is nothing to store and nothing to make sure of."""
        appends: list[Append] = []
        for part in self._parts.values():
            rows = self._rows(part)
            self._keeper.draft(part, self.origin)
            if part.drafts or part.held.version:
                appends.append(
                    Append(
                        stream=part.stream,
                        expected=part.held.version,
                        origin=self.origin,
                        drafts=part.drafts,
                        wrapped_key=part.wrapped_key if part.drafts else None,
                        rows=rows,
                        snapshot=part.snapshot,
                    )
                )
        appends.sort(key=lambda append: not append.drafts)
        changed = any(part.drafts for part in self._parts.values())
        if not changed and all(part.fresh for part in self._parts.values()):
            if receipt is None:
                return None
            return Append(stream=f"answer-{receipt.request_id}", expected=0, origin=self.origin, receipt=receipt)
        leader, *beside = appends  # those that only must be as they were come last
        return leader._replace(receipt=receipt, beside=tuple(beside))

    def _rows(self, part: Part) -> Any:
        if part.events and part.rows is None:
            part.rows = self._keeper.rows_of(
                Change(
                    kind=part.decider.kind,
                    stream=part.stream,
                    before=part.before,
                    after=part.state,
                    version=part.held.version + len(part.events),
                    steps=part.events,
                    origin=self.origin,
                )
            )
        return part.rows


Act = Callable[[UnitOfWork], Awaitable[Callable[[], Awaitable[Reply]]]]
