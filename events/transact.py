"""The write path (command handler): load, decide, append; retried when another writer was first.

Folded state is cached, so a command usually takes one round trip: it is decided on the state in memory, and the append
checks the expected version (optimistic concurrency). No result rests on the cache alone: a refusal is decided again on
the state loaded from the log, and a command that changes nothing still has its version checked by an append.
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
PAUSE_S_MAX = 0.01  # random pause before a retry, so that of two processes in step not always the same one loses


class Executor:
    """Executes commands on streams of any kind."""

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
        """Call `act` with a unit of work and commit its changes atomically; gives the result of `act`.

        `act` is called again, with a new unit, after a conflict: it may have no side effects beyond the unit. `record`
        makes the receipt of the result, which is stored under the idempotency key in the same commit. `serialized_on`
        names streams whose commands this process executes one at a time.

        Raises:
            Refusal: the command was declined.
            LockTimeout: other writers were first TRIES_MAX times.
            StaleStream: an object that was to be created exists.
            AlreadyAnswered: the idempotency key has a receipt.
            ConstraintBroken: a unique constraint of a read model was violated.
            LogUnavailable: the commit may or may not have happened.
        """
        if not serialized_on:  # a create, for example: nobody else knows its stream
            return await self._transact(act, origin, record)
        async with self._locks.locked(serialized_on):
            return await self._transact(act, origin, record)

    async def state(self, decider: Decider[State, Any, Any], id: str, origin: Origin) -> State:
        """The state of an object, loaded from the log; the initial state if this account and mode have none."""
        found = await self._loader.load(decider, decider.stream(id), origin)
        return found.state if belongs(found, origin) else decider.initial

    async def keep_refusal(self, origin: Origin, receipt: Receipt) -> None:
        """Store the receipt of a request that was refused after it had begun to act. Raises AlreadyAnswered."""
        await self._log.append(
            Append(stream=f"refusal-{receipt.request_id}", expected=0, origin=origin, receipt=receipt)
        )

    def forget(self, stream: str) -> None:
        """Remove a stream from the cache."""
        self._loader.forget(stream)

    async def _transact(
        self, act: Callable[[UnitOfWork], Awaitable[T]], origin: Origin, record: Callable[[T], Receipt] | None
    ) -> T:
        for _ in range(TRIES_MAX):
            unit = UnitOfWork(self._loader, self._drafting, origin)
            generation = self._loader.generation
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
                        self._loader.put(participant.stream, participant.reached, participant.grown, generation)
                return result
        raise LockTimeout

    def _forget(self, unit: UnitOfWork) -> None:
        for participant in unit.participants:
            self._loader.forget(participant.stream)


def other_mode_hint(livemode: bool) -> str:
    """The hint added to "No such object" when the account has the object in the other mode."""
    there, here = ("test", "live") if livemode else ("live", "test")
    return f"; a similar object exists in {there} mode, but a {here} mode key was used to make this request."


def _hinted(refusal: Refusal, unit: UnitOfWork) -> Refusal:
    """The refusal, with a hint if it misses an object that the account has in the other mode."""
    if isinstance(refusal, Missing):
        for participant in unit.participants:
            if participant.other_mode and participant.stream == participant.decider.stream(refusal.id):
                return Missing(refusal.kind, refusal.id, hint=other_mode_hint(unit.origin.livemode))
    return refusal
