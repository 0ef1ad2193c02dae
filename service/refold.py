"""Read models against the log: customers folded from all their events, compared with what the API shows of them."""

from collections.abc import AsyncIterator
from typing import Any

from events.customer import CUSTOMER
from events.database import Pool
from events.errors import BrokenHistory, Missing
from events.history import History
from events.scope import Scope
from projections.customers import body
from service.history import StreamHistory
from service.history_kinds import KINDS
from service.wiring import Core

BATCH = 500
TRIES = 3  # of a customer that is changed meanwhile
PREFIX = CUSTOMER.stream("")
IN_ORDER = (
    "SELECT stream, account, livemode FROM events.stream "
    "WHERE stream > $1 AND stream < $2 AND version > 0 ORDER BY stream LIMIT $3"
)
AT_RANDOM = (
    "SELECT stream, account, livemode FROM events.stream WHERE stream > $1 AND stream < $2 ORDER BY random() LIMIT $3"
)


class Differs(Exception):
    """A read model is not what the events give."""


async def customers(core: Core, sample: int | None) -> AsyncIterator[int]:
    """Compare all customers, or so many at random; gives how many are compared, time after time. Raises Differs."""
    history, done = StreamHistory(History(core.pool), core.codec, core.master_keys), 0
    async for rows in _streams(core.pool, sample):
        for row in rows:
            await _compare(core, history, Scope(row["account"], row["livemode"]), row["stream"].removeprefix(PREFIX))
        done += len(rows)
        yield done


async def _streams(pool: Pool, sample: int | None) -> AsyncIterator[list[Any]]:
    end = PREFIX[:-1] + chr(ord(PREFIX[-1]) + 1)
    if sample is not None:
        yield await pool.fetch(AT_RANDOM, PREFIX, end, sample)
        return
    after = PREFIX
    while rows := await pool.fetch(IN_ORDER, after, end, BATCH):
        yield rows
        after = rows[-1]["stream"]


async def _compare(core: Core, history: StreamHistory, scope: Scope, id: str) -> None:
    kind = KINDS["customers"]
    for _ in range(TRIES):
        try:
            head = await history.head(kind, scope, id)
            state = (await history.state(kind, kind.stream(scope, id), head, head.version)).state
        except Missing:
            raise Differs(f"{id} has events and no stream of its account") from None
        except BrokenHistory as error:
            raise Differs(str(error)) from None
        if await core.reader.customer(scope, id) == body(state, scope.livemode):
            return
    raise Differs(f"{id} is shown otherwise than its events say: `rollbook rebuild customers` makes its rows anew")
