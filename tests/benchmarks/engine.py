"""The append engine on its own, in a process: real commands' events and rows, linked and stored by group commit.

`python -m tests.benchmarks.engine DSN` reads a line for each go, `engine N` or `commands N`, and answers with appends a
second. `commands` carries out N creates as the API does: decided, sealed, linked, rendered and stored. For `engine` all
but the links is made before the clock starts; within the time each append's chain is linked and it is stored. Both
write the log, the streams, the keys, the receipts, the customers and the notices, and check expected versions.
"""

import asyncio
import gc
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime

import uvloop

from events import chain, ids
from events.commit import GroupCommit
from events.customer import CUSTOMER, CreateCustomer
from events.keys import MasterKeys
from events.log import Log
from events.record import Append, Loaded, Origin, Receipt, Record
from events.scope import Scope
from events.transact import Executor
from events.unit_of_work import UnitOfWork
from projections.customers import CustomerProjection
from projections.inline import InlineReadModels, RowsOfKinds
from projections.rows import Rows
from service.http.idempotency import KeyUse
from service.http.reply import Reply
from service.settings import Settings
from service.wiring import codec

ACCOUNT = "acct_benchmarks0000"
TASKS = 384  # enough that a batch is full while others are in flight
FINGERPRINT = bytes(32)


class Kept:
    """A log that keeps what it is to append, and stores nothing."""

    def __init__(self) -> None:
        self.items: list[Append] = []

    async def append(self, item: Append) -> int | None:
        """Keep `item`."""
        self.items.append(item)
        return len(self.items)

    async def load(self, stream: str, after: int = 0) -> Loaded:
        """Nothing: only streams that do not exist yet are appended to."""
        raise NotImplementedError

    async def load_state(self, stream: str, code: bytes) -> Loaded:
        """Nothing, as `load`."""
        raise NotImplementedError

    async def read(self, after: int, limit: int) -> Sequence[Record]:
        """Nothing."""
        raise NotImplementedError

    async def receipt(self, scope: Scope, key: str) -> Receipt | None:
        """Nothing."""
        raise NotImplementedError


class Stored(Kept):
    """The log as it is, as far as appending goes."""

    def __init__(self, commit: GroupCommit) -> None:
        super().__init__()
        self._commit = commit

    async def append(self, item: Append) -> int | None:
        """Store `item`."""
        return await self._commit.append(item)


class Engine:
    """Group commit over one database."""

    def __init__(self, dsn: str) -> None:
        settings = Settings()
        self._commit = GroupCommit(dsn, InlineReadModels(), batch_max=settings.append_batch_max)
        self._master_keys = MasterKeys(os.urandom(32))
        self._rows_of = RowsOfKinds({"customer": CustomerProjection(settings.api_version).rows})

    async def engine(self, count: int) -> float:
        """Appends a second, of so many made beforehand."""
        kept = Kept()
        await self._create(kept, count, tasks=1)
        return await _timed(count, lambda turns: self._append(kept.items, turns))

    async def commands(self, count: int) -> float:
        """Creates a second, from command to answer."""
        started = time.perf_counter()
        await self._create(Stored(self._commit), count, tasks=TASKS)
        return count / (time.perf_counter() - started)

    async def close(self) -> None:
        """Let the connection go."""
        await self._commit.close()

    async def _append(self, items: Sequence[Append], turns: Iterator[int]) -> None:
        for turn in turns:
            await self._commit.append(_linked(items[turn]))

    async def _create(self, log: Log, count: int, *, tasks: int) -> None:
        executor = Executor(log, codec(), self._master_keys, self._rows_of)
        turns = iter(range(count))
        await asyncio.gather(*(_create_in_turn(executor, turns) for _ in range(tasks)))


async def _timed(count: int, work: Callable[[Iterator[int]], Awaitable[None]]) -> float:
    gc.collect()
    turns = iter(range(count))
    started = time.perf_counter()
    await asyncio.gather(*(work(turns) for _ in range(TASKS)))
    return count / (time.perf_counter() - started)


async def _create_in_turn(executor: Executor, turns: Iterator[int]) -> None:
    for turn in turns:
        at = datetime.now(UTC)
        id = ids.new("cus", os.urandom(ids.ID_BYTES))
        request_id = ids.new("req", os.urandom(ids.ID_BYTES))
        command = CreateCustomer(
            id=id,
            created=int(at.timestamp()),
            invoice_prefix=os.urandom(6).hex().upper(),
            patch={
                "name": "Jenny Rosen",
                "email": f"jenny.{turn}@example.com",
                "phone": "+15555550123",
                "description": "Bought a bicycle, a bell and a pump",
                "metadata": {"order_id": "6735"},
            },
        )
        origin = Origin(
            account=ACCOUNT,
            livemode=False,
            at=at,
            actor="key_benchmarks00000",
            request_id=request_id,
            idempotency_key=request_id,
            correlation_id=request_id,
        )
        use = KeyUse(key=request_id, route="POST /v1/customers", fingerprint=FINGERPRINT, request_id=request_id)
        await executor.transact(_creating(command), origin, record=use.receipt)


def _creating(command: CreateCustomer) -> Callable[[UnitOfWork], Awaitable[Reply]]:
    async def act(unit: UnitOfWork) -> Reply:
        unit.begin(CUSTOMER, command.id)
        unit.do(CUSTOMER, command.id, command)
        rows: Rows = unit.rows_of(CUSTOMER, command.id)
        return Reply(status=200, body=rows.customers[0].body)

    return act


def _linked(item: Append) -> Append:
    """`item` with its chain linked again."""
    link, drafts = chain.START, []
    for draft in item.drafts:
        link = chain.link(
            link,
            stream=item.stream,
            version=draft.version,
            type=draft.type,
            schema_version=draft.schema_version,
            payload=draft.payload,
            origin=item.origin,
        )
        drafts.append(draft._replace(hash=link))
    return item._replace(drafts=tuple(drafts))


async def _serve(dsn: str) -> None:
    gc.freeze()
    gc.set_threshold(50_000)  # as the service has it
    engine = Engine(dsn)
    measures = {"engine": engine.engine, "commands": engine.commands}
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        what, count = line.split()
        print(await measures[what](int(count)), flush=True)
    await engine.close()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1]))
