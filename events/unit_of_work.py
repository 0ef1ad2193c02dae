"""A unit of work: the changes of one request to its streams, committed atomically.

Each stream is loaded once, and its commands are decided on its state after the unit's earlier commands. The commit
checks the expected version of every stream that was loaded, whether the unit changed it or not (optimistic
concurrency). If another writer changed one of them meanwhile, the unit is retried from the start.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from events import chain
from events.codec import Codec
from events.decider import CachedStream, Change, Command, Decider, Event, RowsOf, State
from events.keys import MasterKeys
from events.personal import SubjectKey
from events.record import Append, Draft, Origin, Receipt, Snapshot, Subject
from events.snapshots import Snapshots
from events.stream_loader import StreamLoader, absent, belongs


@dataclass(slots=True)
class Participant:
    """One stream of a unit: its state as loaded, and its state after the unit's commands."""

    decider: Decider[Any, Any, Any]
    stream: str
    found: CachedStream[Any]
    state: Any
    fresh: bool  # loaded from the log or newly created; False if it came from the cache
    begun: bool = False  # newly created: no other writer can know its id
    other_mode: bool = False  # the account has the object in the other mode
    events: list[tuple[Any, Any]] = field(default_factory=list)  # each with the state after it
    rows: Any = None  # read model rows of the events, once they were made
    reached: CachedStream[Any] | None = None  # to be cached after the commit; set once its events are drafted
    grown: int = 0  # bytes of the drafted events


@dataclass(frozen=True, slots=True)
class Drafting:
    """The dependencies that turn events into an append."""

    codec: Codec
    master_keys: MasterKeys
    rows_of: RowsOf
    snapshots: Snapshots


class UnitOfWork:
    """The streams that one request reads and changes."""

    __slots__ = ("_drafting", "_loader", "_participants", "origin")

    def __init__(self, loader: StreamLoader, drafting: Drafting, origin: Origin) -> None:
        self.origin = origin
        self._loader = loader
        self._drafting = drafting
        self._participants: dict[str, Participant] = {}

    @property
    def participants(self) -> Iterable[Participant]:
        """Every stream that was loaded or begun, in that order."""
        return self._participants.values()

    async def load(self, decider: Decider[State, Any, Any], id: str) -> State:
        """The state of an object; the initial state if this account and mode have no such object."""
        stream = decider.stream(id)
        participant = self._participants.get(stream)
        if participant is None:
            participant = await self._find(decider, stream)
        state: State = participant.state
        return state

    def begin(self, decider: Decider[State, Any, Any], id: str) -> State:
        """Begin an object with a new id; gives the initial state."""
        stream, initial = decider.stream(id), decider.initial
        found = absent(decider, self.origin)
        self._participants[stream] = Participant(decider, stream, found, initial, fresh=True, begun=True)
        return initial

    def state(self, decider: Decider[State, Any, Any], id: str) -> State:
        """The state of an object that was loaded or begun, after the unit's commands so far."""
        state: State = self._participants[decider.stream(id)].state
        return state

    def version(self, decider: Decider[Any, Any, Any], id: str) -> int:
        """The version of the stream of an object as loaded; 0 for one that was begun."""
        return self._participants[decider.stream(id)].found.version

    def in_other_mode(self, decider: Decider[Any, Any, Any], id: str) -> bool:
        """Whether the account has the object that was loaded in the other mode instead of this one."""
        return self._participants[decider.stream(id)].other_mode

    def do(self, decider: Decider[State, Command, Event], id: str, command: Command) -> State:
        """Decide a command on an object that was loaded or begun; gives the state after it. Raises Refusal."""
        participant = self._participants[decider.stream(id)]
        state: State = participant.state
        decided = decider.decide(state, command)
        if decided:
            for event in decided:
                state = decider.evolve(state, event)
                participant.events.append((event, state))
            participant.state = state
            participant.rows = None
        return state

    def changed(self) -> bool:
        """Whether any command has produced an event."""
        return any(participant.events for participant in self._participants.values())

    def rows_of(self, decider: Decider[Any, Any, Any], id: str) -> Any:
        """The read model rows of the changes to one object; None without changes."""
        return self._rows(self._participants[decider.stream(id)])

    def rows(self) -> Sequence[Any]:
        """The read model rows of all changes, object by object."""
        return [self._rows(participant) for participant in self._participants.values() if participant.events]

    def append(self, receipt: Receipt | None) -> Append | None:
        """The unit as one append; None when there is nothing to store and no version to check."""
        if len(self._participants) == 1:
            [single] = self._participants.values()
            if single.events:
                append = self._append(single, receipt)
                return append if receipt is None else append._replace(subject=self._subject())
        changing: list[Append] = []
        unchanged: list[Append] = []  # no events: only their version is checked
        all_fresh = True
        for participant in self._participants.values():
            if participant.events:
                changing.append(self._append(participant))
            elif participant.found.version:
                unchanged.append(Append(participant.stream, participant.found.version, self.origin))
            if not participant.fresh:
                all_fresh = False
        if not changing and all_fresh:
            if receipt is None:
                return None
            return Append(f"answer-{receipt.request_id}", 0, self.origin, receipt=receipt, subject=self._subject())
        leader, *others = changing + unchanged
        if receipt is not None:
            return leader._replace(receipt=receipt, with_=tuple(others), subject=self._subject())
        return leader._replace(with_=tuple(others)) if others else leader

    def _subject(self) -> Subject | None:
        """Whom the answer to the request is about: the first erasable stream."""
        for participant in self._participants.values():
            if participant.decider.erasable:
                key = (participant.reached or participant.found).key
                if key is not None:
                    return Subject(participant.stream, key)
        return None

    async def _find(self, decider: Decider[Any, Any, Any], stream: str) -> Participant:
        origin = self.origin
        found = self._loader.cached(stream)
        fresh = found is None
        if found is None:
            found = await self._loader.load(decider, stream, origin)
        other_mode = False
        if not belongs(found, origin):
            other_mode = found.scope.account == origin.account
            found = absent(decider, origin)
        participant = Participant(decider, stream, found, found.state, fresh, other_mode=other_mode)
        return self._participants.setdefault(stream, participant)  # a task of this unit may have loaded it meanwhile

    def _append(self, participant: Participant, receipt: Receipt | None = None) -> Append:
        """The append of one stream: events with personal fields encrypted and hashes chained, and their rows."""
        origin, found, stream = self.origin, participant.found, participant.stream
        version, link, key, wrapped = found.version, found.hash, found.key, None
        if version == 0:
            key, wrapped = self._drafting.master_keys.mint(stream)
        drafts: list[Draft] = []
        for event, _ in participant.events:
            version += 1
            draft = self._draft(event, stream, version, link, key)
            link = draft.hash
            participant.grown += len(draft.payload)
            drafts.append(draft)
        reached = CachedStream(participant.state, version, link, key, found.scope, found.snapshot_due)
        snapshot: Snapshot | None = None
        if version >= found.snapshot_due:
            snapshot, reached = self._drafting.snapshots.make(participant.decider, stream, reached)
        participant.reached = reached
        return Append(
            stream, found.version, origin, tuple(drafts), wrapped, receipt, self._rows(participant), snapshot=snapshot
        )

    def _draft(self, event: Any, stream: str, version: int, previous: bytes, key: SubjectKey | None) -> Draft:
        codec = self._drafting.codec
        event_type = codec.type_of(event)
        payload = codec.encode(event, key=key, stream=stream, version=version)
        link = chain.link(
            previous,
            stream=stream,
            version=version,
            type=event_type.name,
            schema_version=event_type.schema_version,
            payload=payload,
            origin=self.origin,
        )
        return Draft(event_type.name, event_type.schema_version, version, payload, link)

    def _rows(self, participant: Participant) -> Any:
        if participant.rows is None and participant.events:
            participant.rows = self._drafting.rows_of(
                Change(
                    kind=participant.decider.kind,
                    stream=participant.stream,
                    before=participant.found.state,
                    after=participant.state,
                    version=participant.found.version + len(participant.events),
                    steps=participant.events,
                    origin=self.origin,
                )
            )
        return participant.rows
