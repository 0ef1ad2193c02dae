"""The eraser (right to erasure, crypto-shredding): one transaction that forgets a customer.

The events that say so are appended, the keys of the customer's streams (its own, of its payment methods, of the tokens
it paid with) are destroyed and their snapshots deleted; the rows of its objects become those that the fold gives
without the keys, which is what a rebuild makes of them; its notices are redacted, and it cannot be found any more.

Whatever an append never changes (notices, and what `redactors` bring) is rewritten before the append takes the head
row, so that others wait for a few indexed statements only. If an append to one of the streams came in between, its
version is another one, and all of it is done again.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, NamedTuple

import asyncpg
import structlog

from events.codec import Codec
from events.commit import ReadModels, parameters_of
from events.customer import CUSTOMER, Customer, source
from events.customer.erasure import EraseCustomer
from events.customer.payment_methods import PaymentMethodAttached
from events.database import Pool, load_sql
from events.decider import Change, RowsOf
from events.errors import LockTimeout, StaleStream
from events.keyless import KeylessLoader
from events.keys import MasterKeys
from events.log import Log
from events.payment_method import PAYMENT_METHOD, DetachFromCustomer, ErasePaymentMethod, PaymentMethodCreated
from events.record import Append, Origin, Record
from events.scope import Scope
from events.snapshots import Snapshots
from events.testclock import TEST_CLOCK, LetGo
from events.token import TOKEN, EraseToken
from events.unit_of_work import Drafting, UnitOfWork
from projections.customers import effects_of, last_of_each
from projections.notices import redacted
from projections.rows import ResourceRow

TRIES_MAX = 16
PAUSE_S_MAX = 0.05
NOTICES_BATCH = 500
TIMEOUT_S = 60.0
FORGET = "SELECT events.forget($1)"
FORGET_VERSIONS = "SELECT projections.forget_versions($1, $2, $3)"

log = structlog.get_logger("projections")

# Redacts what else was stored of notices, in the transaction of an erasure; given their sequences.
Redactor = Callable[[asyncpg.Connection, Scope, Sequence[int]], Awaitable[None]]


class Erasing(NamedTuple):
    """An erasure that is decided: what it appends, and what it rewrites."""

    append: Append | None  # None when the customer was erased before
    streams: Sequence[str]  # whose keys it destroys
    positions: Sequence[int]  # of the events of these streams
    resources: Sequence[ResourceRow]


class Eraser:
    """Erases customers of any account and mode."""

    def __init__(
        self,
        pool: Pool,
        log: Log,
        codec: Codec,
        master_keys: MasterKeys,
        rows_of: RowsOf,
        read_models: ReadModels,
        redactors: Sequence[Redactor] = (),
    ) -> None:
        self._pool = pool
        self._log = log
        self._codec = codec
        self._master_keys = master_keys
        self._drafting = Drafting(codec, master_keys, rows_of, Snapshots(log, codec, master_keys))
        self._read_models = read_models
        self._redactors = redactors
        self._find_notices = load_sql("projections", "find_notices_of_streams")
        self._redact_notices = load_sql("projections", "redact_notices")
        self._blank = load_sql("projections", "blank_resources")
        self._remove = load_sql("projections", "remove_search")

    async def erase(self, command: EraseCustomer, origin: Origin) -> bool:
        """Erase a customer of the origin's account and mode; gives whether it was not erased before.

        Raises Missing; NotErasable for one that may not be erased; LockTimeout when others kept changing it;
        LogUnavailable, after which it may be erased or not.
        """
        for _ in range(TRIES_MAX):
            erasing = await self._decided(command, origin)
            if erasing.append is None:
                await self._pool.execute(FORGET, erasing.streams)  # a restore may have brought the keys back
                return False
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    await self._commit(erasing, erasing.append, command.id, origin.scope)
            except StaleStream:
                await asyncio.sleep(random.uniform(0, PAUSE_S_MAX))
            except TimeoutError:
                raise LockTimeout from None
            else:
                log.info("customer.erased", customer=command.id, streams=len(erasing.streams))
                return True
        raise LockTimeout

    async def _decided(self, command: EraseCustomer, origin: Origin) -> Erasing:
        """What is to be done. Raises Missing, NotErasable."""
        loader = KeylessLoader(self._log, self._codec, self._master_keys)
        unit = UnitOfWork(loader, self._drafting, origin)
        id = command.id
        customer = await unit.load(CUSTOMER, id)
        unit.do(CUSTOMER, id, command)
        history = [self._codec.decode(record, key=None) for record in loader.records[CUSTOMER.stream(id)]]
        tokens = {event.token: None for event in history if isinstance(event, BY_TOKEN) and event.token is not None}
        for method in dict.fromkeys(event.id for event in history if isinstance(event, PaymentMethodAttached)):
            state = await unit.load(PAYMENT_METHOD, method)
            if state.customer is not None:
                unit.do(PAYMENT_METHOD, method, DetachFromCustomer(id=method))
            unit.do(PAYMENT_METHOD, method, ErasePaymentMethod(id=method, customer=id))
            made = self._codec.decode(loader.records[PAYMENT_METHOD.stream(method)][0], key=None)
            if isinstance(made, PaymentMethodCreated) and made.token is not None:
                tokens[made.token] = None
        for token in tokens:
            await unit.load(TOKEN, token)
            unit.do(TOKEN, token, EraseToken(id=token, customer=id))
        records = loader.records
        if not unit.changed():
            return Erasing(None, list(records), (), ())
        if customer.test_clock is not None and not customer.deleted:
            await unit.load(TEST_CLOCK, customer.test_clock)
            unit.do(TEST_CLOCK, customer.test_clock, LetGo(id=customer.test_clock, customer=id))
        return Erasing(
            append=unit.append(None),
            streams=list(records),
            positions=[record.position for each in records.values() for record in each],
            resources=_resources([*_steps(self._codec, records[CUSTOMER.stream(id)]), *_new_steps(unit, id)], origin),
        )

    async def _commit(self, erasing: Erasing, append: Append, id: str, scope: Scope) -> None:
        """Raises StaleStream when another writer was first; then nothing is stored."""
        async with self._pool.acquire() as connection, connection.transaction():
            await self._redact(connection, erasing, scope)
            _, parameters = parameters_of([append], self._read_models)
            row = await connection.fetchrow(self._read_models.statement, *parameters)
            if row["outcome"][0] != "accepted":
                raise StaleStream(append.stream, append.expected)
            await connection.execute(FORGET, erasing.streams)
            blank = erasing.resources
            await connection.execute(
                self._blank,
                *scope,
                [row.kind for row in blank],
                [row.id for row in blank],
                [row.body for row in blank],
                [row.facts for row in blank],
            )
            await connection.execute(self._remove, [scope.account], [scope.livemode], [id])
            ids = [stream.partition("-")[2] for stream in erasing.streams]
            await connection.execute(FORGET_VERSIONS, *scope, ids)

    async def _redact(self, connection: asyncpg.Connection, erasing: Erasing, scope: Scope) -> None:
        found: list[Any] = await connection.fetch(self._find_notices, erasing.positions, erasing.streams)
        for start in range(0, len(found), NOTICES_BATCH):
            some = found[start : start + NOTICES_BATCH]
            await connection.execute(
                self._redact_notices,
                [row["sequence"] for row in some],
                [row["appended_at"] for row in some],
                [redacted(row["body"]) for row in some],
            )
        for redactor in self._redactors:
            await redactor(connection, scope, [row["sequence"] for row in found])


BY_TOKEN = (source.CardAttached, source.BankAccountAttached)


def _steps(codec: Codec, records: Sequence[Record]) -> Iterator[tuple[Any, Customer]]:
    """Each event of a history, without what is personal, and the state it led to."""
    state = CUSTOMER.initial
    for record in records:
        event = codec.decode(record, key=None)
        state = CUSTOMER.evolve(state, event)
        yield event, state


def _new_steps(unit: UnitOfWork, id: str) -> Sequence[tuple[Any, Customer]]:
    stream = CUSTOMER.stream(id)
    return next(each.events for each in unit.participants if each.stream == stream)


def _resources(steps: Sequence[tuple[Any, Customer]], origin: Origin) -> Sequence[ResourceRow]:
    """The rows of all that a customer ever had, as a whole history left them."""
    after = steps[-1][1]
    change = Change(CUSTOMER.kind, CUSTOMER.stream(after.id), CUSTOMER.initial, after, len(steps), steps, origin)
    return last_of_each(row for _, effects in effects_of(change) for row in effects.resources)
