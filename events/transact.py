"""The write path: one loop that loads, decides and appends, and begins again when another writer was first.

What was folded is cached, so the usual command is one round trip: decide on the state in memory and let the log say
whether it was the latest (optimistic concurrency). No final answer comes from the cache alone: a refusal is decided
again on what the log holds, and that there is nothing to change is stored or confirmed by the log.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from events.codec import Codec
from events.decider import Decider, RowsOf, State
from events.errors import AlreadyAnswered, LockTimeout, LogUnavailable, Missing, Refusal, StaleStream
from events.keys import MasterKeys
from events.log import Log
from events.record import Append, Origin, Receipt
from events.snapshots import Snapshots
from events.stream_cache import StreamCache
from events.stream_loader import StreamLoader, belongs
from events.stream_locks import StreamLocks
from events.unit_of_work import Drafting, UnitOfWork

T = TypeVar("T")
TRIES_MAX = 32
PAUSE_S_MAX = 0.01  # before a further try, by chance: so that two processes do not keep step, one always first


class Executor:
    """Carries out commands on streams of any kind."""

    def __init__(
        self,
        log: Log,
        codec: Codec,
        master_keys: MasterKeys,
        rows_of: RowsOf,
        *,
        cache: StreamCache | None = None,
    ) -> None:
        self._log = log
        snapshots = Snapshots(log, codec, master_keys)
        self._loader = StreamLoader(snapshots, cache)
        self._drafting = Drafting(codec, master_keys, rows_of, snapshots)
        self._locks = StreamLocks()

    async def transact(
        self,
        act: Callable[[UnitOfWork], Awaitable[T]],
        origin: Origin,
        *,
        serialized_on: Iterable[str] = (),
        record: Callable[[T], Receipt] | None = None,
    ) -> T:
        """Carry out all that `act` does to its unit of work, in one commit; gives what `act` gave.

        `act` may be called again, with a new unit, so all it does it does to the unit. `record` makes the receipt that
        an idempotency key keeps of what `act` gave, in the same commit. `serialized_on` names the streams whose
        commands this process carries out one at a time.

        Raises Refusal; LockTimeout when others kept changing a stream; StaleStream when an id that was begun exists;
        AlreadyAnswered when the key has a receipt; ConstraintBroken; LogUnavailable.
        """
        if not serialized_on:  # as of a create: its stream is its own
            return await self._transact(act, origin, record)
        async with self._locks.locked(serialized_on):
            return await self._transact(act, origin, record)

    async def state(self, decider: Decider[State, Any, Any], id: str, origin: Origin) -> State:
        """The state of an object as the log has it; the initial one when this account and mode have no such object."""
        found = await self._loader.load(decider, decider.stream(id), origin)
        return found.state if belongs(found, origin) else decider.initial

    async def keep_refusal(self, origin: Origin, receipt: Receipt) -> None:
        """Keep the answer of a request that was refused once it had begun to act. Raises AlreadyAnswered."""
        await self._log.append(
            Append(stream=f"refusal-{receipt.request_id}", expected=0, origin=origin, receipt=receipt)
        )

    def forget(self, stream: str) -> None:
        """Forget what was folded of a stream."""
        self._loader.forget(stream)

    async def _transact(
        self, act: Callable[[UnitOfWork], Awaitable[T]], origin: Origin, record: Callable[[T], Receipt] | None
    ) -> T:
        for _ in range(TRIES_MAX):
            unit = UnitOfWork(self._loader, self._drafting, origin)
            try:
                result = await act(unit)
                append = unit.append(record(result) if record is not None else None)
                if append is not None:
                    await self._log.append(append)
            except Refusal as refusal:
                if all(participant.fresh for participant in unit.participants):
                    hinted = _hinted(refusal, unit)
                    if hinted is not refusal:
                        raise hinted from None
                    raise
                self._forget(unit)
            except StaleStream:
                if all(participant.begun for participant in unit.participants):
                    raise
                self._forget(unit)
                await asyncio.sleep(random.uniform(0, PAUSE_S_MAX))
            except (LogUnavailable, AlreadyAnswered):
                self._forget(unit)
                raise
            else:
                for participant in unit.participants:
                    if participant.reached is not None:
                        self._loader.put(participant.stream, participant.reached, participant.grown)
                return result
        raise LockTimeout

    def _forget(self, unit: UnitOfWork) -> None:
        for participant in unit.participants:
            self._loader.forget(participant.stream)


def other_mode_hint(livemode: bool) -> str:
    """What is added to "no such object" when the same account has it in the other mode."""
    there, here = ("test", "live") if livemode else ("live", "test")
    return f"; a similar object exists in {there} mode, but a {here} mode key was used to make this request."


def _hinted(refusal: Refusal, unit: UnitOfWork) -> Refusal:
    """The refusal; of an object that the account has in the other mode it says so."""
    if isinstance(refusal, Missing):
        for participant in unit.participants:
            if participant.other_mode and participant.stream == participant.decider.stream(refusal.id):
                return Missing(refusal.kind, refusal.id, hint=other_mode_hint(unit.origin.livemode))
    return refusal
