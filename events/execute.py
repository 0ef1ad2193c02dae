"""Carrying out a command: load, decide, append; and again when another writer was first.

What was folded is remembered, so the usual command is one round trip: decide on the state in memory and let the log
say whether it was the latest. Nothing final is said from memory alone: a refusal, or a finding that there is nothing
to change, is decided again on what the log holds.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from events import chain
from events.codec import Codec
from events.decider import Change, Decider, Held, KeyUse, Reply, RowsOf, State
from events.errors import AlreadyAnswered, LockTimeout, LogUnavailable, Missing, Refusal, StaleStream
from events.keys import MasterKeys
from events.log import Log
from events.personal import SubjectKey
from events.record import Append, Draft, Origin, Receipt
from events.snapshots import Snapshots, payload_bytes
from events.stream_cache import StreamCache
from events.unit_of_work import Act, Part, UnitOfWork

TRIES_MAX = 32
PAUSE_S_MAX = 0.01  # before a further try, by chance: so that two processes do not keep step, one always first
LOCK_TIMEOUT_S = 10.0


class Executor:
    """Carries out commands on any kind of stream."""

    def __init__(
        self,
        log: Log,
        codec: Codec,
        master_keys: MasterKeys,
        rows_of: RowsOf,
        *,
        remembered: StreamCache | None = None,
    ) -> None:
        self._log = log
        self._codec = codec
        self._master_keys = master_keys
        self._rows_of = rows_of
        self._snapshots = Snapshots(log, codec, master_keys)
        self._remembered = StreamCache() if remembered is None else remembered
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    async def create(
        self,
        decider: Decider[State],
        id: str,
        command: object,
        origin: Origin,
        *,
        reply: Callable[[State, Any], Reply],
        key_use: KeyUse | None = None,
    ) -> Reply:
        """Carry out a command on an object that does not exist yet, whose id is fresh.

        `reply` is handed the state reached and the rows made of it (None when nothing changed).
        Raises Refusal; AlreadyAnswered when the key has an answer; ConstraintBroken; StaleStream when the id was not
        fresh; LogUnavailable.
        """
        stream = decider.stream(id)
        secret, wrapped = self._master_keys.mint(stream)
        held = Held(decider.initial, 0, chain.START, secret, origin.account, origin.livemode)
        return await self._carry_out(decider, stream, held, command, origin, reply, key_use, wrapped)

    async def update(
        self,
        decider: Decider[State],
        id: str,
        command: object,
        origin: Origin,
        *,
        reply: Callable[[State, Any], Reply],
        key_use: KeyUse | None = None,
    ) -> Reply:
        """Carry out a command on an object that may exist. Raises as `create` does, and LockTimeout."""
        stream = decider.stream(id)
        async with self._alone(stream):
            for _ in range(TRIES_MAX):
                held = self._remembered.get(stream)
                fresh = held is None
                if held is None:
                    held = await self._latest(decider, stream, origin)
                try:
                    return await self._carry_out(decider, stream, held, command, origin, reply, key_use, None, fresh)
                except _DecideAgain:
                    self._remembered.forget(stream)
                except StaleStream:
                    self._remembered.forget(stream)
                    await asyncio.sleep(random.uniform(0, PAUSE_S_MAX))
                except Missing as missing:
                    raise await self._with_hint(missing, stream, origin) from None
                except (LogUnavailable, AlreadyAnswered):
                    self._remembered.forget(stream)
                    raise
            raise LockTimeout

    async def transact(
        self, act: Act, origin: Origin, *, alone: Iterable[str] = (), key_use: KeyUse | None = None
    ) -> Reply:
        """Carry out all that `act` does to its unit of work, in one commit.

        `act` may be called again, with a new unit, so all it does it does to the unit. What it gives is called to make
        the answer, before anything is stored. `alone` names the streams that this process's commands take one at a
        time; they are taken in one order by everybody. Raises as `update` does.
        """
        async with AsyncExitStack() as locks:
            for stream in sorted(set(alone)):
                await locks.enter_async_context(self._alone(stream))
            for _ in range(TRIES_MAX):
                unit = UnitOfWork(_Keeper(self), origin)
                try:
                    reply = await act(unit)
                    answer = await reply()
                    append = unit.append(key_use.receipt(origin.request_id or "", answer) if key_use else None)
                    if append is not None:
                        await self._log.append(append)
                except Refusal as refusal:
                    if all(part.fresh for part in unit.parts):
                        if isinstance(refusal, Missing):
                            raise await self._with_hint(refusal, f"{refusal.kind}-{refusal.id}", origin) from None
                        raise
                    self._forget_parts(unit)
                except StaleStream:
                    self._forget_parts(unit)
                    await asyncio.sleep(random.uniform(0, PAUSE_S_MAX))
                except (LogUnavailable, AlreadyAnswered):
                    self._forget_parts(unit)
                    raise
                else:
                    for part in unit.parts:
                        if part.drafts:
                            self._remembered.put(part.stream, part.reached, payload_bytes(part.drafts))
                    return answer
            raise LockTimeout

    def _forget_parts(self, unit: UnitOfWork) -> None:
        for part in unit.parts:
            self._remembered.forget(part.stream)

    async def state(self, decider: Decider[State], id: str, origin: Origin) -> State:
        """The state of an object as the log has it; the initial one when this account and mode have no such object."""
        return (await self._latest(decider, decider.stream(id), origin)).state

    async def keep_refusal(self, origin: Origin, receipt: Receipt) -> None:
        """Keep the answer of a request that was refused once it had begun to act. Raises AlreadyAnswered."""
        await self._log.append(
            Append(stream=f"refusal-{receipt.request_id}", expected=0, origin=origin, receipt=receipt)
        )

    def forget(self, stream: str) -> None:
        """Forget what was folded of a stream."""
        self._remembered.forget(stream)

    async def _carry_out(
        self,
        decider: Decider[State],
        stream: str,
        held: Held[State],
        command: object,
        origin: Origin,
        reply: Callable[[State, Any], Reply],
        key_use: KeyUse | None,
        wrapped_key: bytes | None,
        fresh: bool = True,
    ) -> Reply:
        if held.account != origin.account or held.livemode != origin.livemode:
            state, version = decider.initial, 0  # another account's object is no object
        else:
            state, version = held.state, held.version
        try:
            events = decider.decide(state, command)
        except Refusal:
            if fresh:
                raise
            raise _DecideAgain from None
        if not events and not fresh:
            raise _DecideAgain
        drafts: list[Draft] = []
        steps: list[tuple[Any, State]] = []
        before, link = state, held.hash
        for event in events:
            version += 1
            state = decider.evolve(state, event)
            draft = self._draft(event, stream, version, link, held.key, origin)
            link = draft.hash
            drafts.append(draft)
            steps.append((event, state))
        rows = None
        if drafts:
            rows = self._rows_of(
                Change(
                    kind=decider.kind,
                    stream=stream,
                    before=before,
                    after=state,
                    version=version,
                    steps=steps,
                    origin=origin,
                )
            )
        answer = reply(state, rows)
        if not drafts and key_use is None:
            return answer
        reached = Held(state, version, link, held.key, origin.account, origin.livemode, held.snapshot_due)
        snapshot = None
        if drafts and version >= held.snapshot_due:
            snapshot, reached = self._snapshots.make(decider, stream, reached)
        await self._log.append(
            Append(
                stream=stream,
                expected=version - len(drafts),
                origin=origin,
                drafts=tuple(drafts),
                wrapped_key=wrapped_key,
                receipt=key_use.receipt(origin.request_id or "", answer) if key_use else None,
                rows=rows,
                snapshot=snapshot,
            )
        )
        if drafts:
            self._remembered.put(stream, reached, payload_bytes(drafts))
        return answer

    def _draft(
        self, event: Any, stream: str, version: int, previous: bytes, key: SubjectKey | None, origin: Origin
    ) -> Draft:
        event_type = self._codec.type_of(event)
        payload = self._codec.encode(event, key=key, stream=stream, version=version)
        link = chain.link(
            previous,
            stream=stream,
            version=version,
            type=event_type.name,
            schema_version=event_type.schema_version,
            payload=payload,
            origin=origin,
        )
        return Draft(event_type.name, event_type.schema_version, version, payload, link)

    async def _latest(self, decider: Decider[State], stream: str, origin: Origin) -> Held[State]:
        held, size = await self._snapshots.load(decider, stream)
        if held is None:
            return Held(decider.initial, 0, chain.START, None, origin.account, origin.livemode)
        self._remembered.put(stream, held, size)
        if held.account != origin.account or held.livemode != origin.livemode:
            return held._replace(state=decider.initial, version=0)
        return held

    async def _with_hint(self, missing: Missing, stream: str, origin: Origin) -> Missing:
        """Tell a caller who took the wrong key that the object exists in the other mode."""
        held = self._remembered.get(stream)
        if held is not None and held.account == origin.account and held.livemode != origin.livemode:
            return Missing(missing.kind, missing.id, hint=other_mode_hint(origin.livemode))
        return missing

    @asynccontextmanager
    async def _alone(self, stream: str) -> AsyncIterator[None]:
        """One command at a time for each stream of this process: the others would only be stale."""
        lock, users = self._locks.get(stream, (asyncio.Lock(), 0))
        self._locks[stream] = (lock, users + 1)
        try:
            async with asyncio.timeout(LOCK_TIMEOUT_S):
                await lock.acquire()
        except TimeoutError:
            self._leave(stream)
            raise LockTimeout from None
        except BaseException:
            self._leave(stream)
            raise
        try:
            yield
        finally:
            lock.release()
            self._leave(stream)

    def _leave(self, stream: str) -> None:
        lock, users = self._locks[stream]
        if users == 1:
            del self._locks[stream]
        else:
            self._locks[stream] = (lock, users - 1)


class _Keeper:
    """What a unit of work needs of the executor; see events.unit_of_work.Keeper."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def find(self, decider: Decider[Any], id: str, origin: Origin) -> Part:
        executor, stream = self._executor, decider.stream(id)
        held = executor._remembered.get(stream)
        fresh = held is None
        if held is None:
            held = await executor._latest(decider, stream, origin)
        if held.account != origin.account or held.livemode != origin.livemode:
            held = Held(decider.initial, 0, chain.START, None, origin.account, origin.livemode)
        return Part(decider, stream, held, held.state, held.state, held, fresh)

    def begin(self, decider: Decider[Any], id: str, origin: Origin) -> Part:
        stream = decider.stream(id)
        held = Held(decider.initial, 0, chain.START, None, origin.account, origin.livemode)
        return Part(decider, stream, held, held.state, held.state, held, fresh=True)

    def rows_of(self, change: Change[Any]) -> Any:
        return self._executor._rows_of(change)

    def draft(self, part: Part, origin: Origin) -> None:
        part.key = part.held.key
        if part.events and part.held.version == 0:
            part.key, part.wrapped_key = self._executor._master_keys.mint(part.stream)
        version, link = part.held.version, part.held.hash
        drafts: list[Draft] = []
        for event, _ in part.events:
            version += 1
            draft = self._executor._draft(event, part.stream, version, link, part.key, origin)
            link = draft.hash
            drafts.append(draft)
        part.drafts = tuple(drafts)
        due = part.held.snapshot_due
        part.reached = Held(part.state, version, link, part.key, origin.account, origin.livemode, due)
        if drafts and version >= due:
            part.snapshot, part.reached = self._executor._snapshots.make(part.decider, part.stream, part.reached)


class _DecideAgain(Exception):
    """The decision was made on a remembered state and is of a kind that must not be."""


def other_mode_hint(livemode: bool) -> str:
    """What is added to "no such object" when the same account has it in the other mode."""
    there, here = ("test", "live") if livemode else ("live", "test")
    return f"; a similar object exists in {there} mode, but a {here} mode key was used to make this request."
