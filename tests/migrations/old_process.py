"""A process of an earlier revision under load: it writes, fans out and reads by that revision's own statements."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from events import chain
from events.customer import CustomerCreated, CustomerUpdated
from events.customer.profile import Attributes
from events.database import PINNED_PLANS
from events.keys import MasterKeys
from events.log import record_of
from events.personal import SubjectKey
from events.record import Origin, Record
from service.commands.keys import DEVELOPMENT_ACCOUNT
from service.wiring import codec
from tests.service.serving import MASTER_KEY
from tests.waiting import until

STATEMENTS = Path(__file__).parent / "statements"
ROLE = "rollbook_service"
SCOPE = (DEVELOPMENT_ACCOUNT, False)
EARLIEST, LATEST = -(2**63), 2**63 - 1
TIMEOUT_S = 20.0
WRITERS = 2
PAGE = 20
BATCH = 1000  # notices, more than there are
UNCLAIMED_FOR = timedelta(0)  # after which the watermark's mover fans out what nobody has
NEWEST = 5  # of the customers that were written, which readers look at
COMMIT = "SELECT outcome, first_position FROM projections.commit("
LOAD = "SELECT l.*, k.wrapped FROM events.log l LEFT JOIN keys.subject k USING (stream) WHERE l.stream = $1"
RECEIPT = "SELECT key, route, fingerprint, request_id, status, body FROM events.receipt"
GET = "SELECT c.body FROM unnest("
LIST = "SELECT id, body FROM projections.customer WHERE account = $1 AND livemode = $2 AND NOT deleted AND test_clock"
LIST_BY_EMAIL = "SELECT id, body FROM projections.customer WHERE account = $1 AND livemode = $2 AND email = $7"
NOTICES = "SELECT sequence, stream FROM projections.notice WHERE account = $1 AND livemode = $2 AND stream = $3"
STATUS = "SELECT e.id, e.status, e.url, e.livemode, e.ordering"
FAILING = "SELECT e.id, e.account, e.livemode, e.version, l.failing_since"
LAG = "SELECT head.sequence - relay.sequence AS relay_notices"
FAN_OUT = "SELECT webhooks.fan_out($1)"
CATCH_UP = "SELECT * FROM webhooks.catch_up($1, $2)"
CATCH_UP_IN_ORDER = "SELECT * FROM webhooks.catch_up_in_order($1)"


class OldProcess:
    """What a process of `revision` asks of the database, over and over, on connections of its own.

    `written` has the name of each customer that was created and updated, `rounds` how often each loop went round.
    """

    def __init__(self, dsn: str, revision: str) -> None:
        asked = json.loads((STATEMENTS / f"{revision}.json").read_text())
        self._dsn = dsn
        self._statements: list[str] = list(asked["statements"])
        self._types = {name: [field.split()[0] for field in fields] for name, fields in asked["types"].items()}
        self._keys = MasterKeys.parse(MASTER_KEY)
        self._subject_keys: dict[str, SubjectKey] = {}
        self._fanned_out = 0  # of the customers written, in order
        self._numbers = count(1)
        self.written: dict[str, str] = {}
        self.rounds: Counter[str] = Counter()
        self.waited_s_max = 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run every loop meanwhile; what fails in one of them is raised."""
        stopping = asyncio.Event()
        works = [*[self._write] * WRITERS, self._fan_out, self._read]
        async with asyncio.TaskGroup() as tasks:
            for number, work in enumerate(works):
                tasks.create_task(self._repeat(f"{work.__name__} {number}", work, stopping))
            await until(lambda: len(self.rounds) == len(works), TIMEOUT_S)
            yield
            stopping.set()
        connection = await self._connect()
        await self._fan_out(connection)  # the last of them
        await connection.close()

    async def go_on(self, rounds: int) -> None:
        """Wait until every loop has gone round so many times more."""
        before = self.rounds.copy()
        await until(lambda: all(self.rounds[name] >= before[name] + rounds for name in before), TIMEOUT_S)

    async def _repeat(
        self, name: str, work: Callable[[asyncpg.Connection], Awaitable[None]], stopping: asyncio.Event
    ) -> None:
        connection = await self._connect()
        try:
            while not stopping.is_set():
                await work(connection)
                self.rounds[name] += 1
        finally:
            await connection.close()

    async def _connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(self._dsn, server_settings={"role": ROLE, **PINNED_PLANS})

    async def _fetch(self, connection: asyncpg.Connection, start: str, *arguments: object) -> list[Any]:
        """What the one statement that begins so gives; of two directions of a list, newest first."""
        [statement] = [text for text in self._statements if text.startswith(start) and ") > (" not in text]
        asked = time.monotonic()
        rows: list[Any] = await connection.fetch(statement, *arguments, timeout=TIMEOUT_S)
        self.waited_s_max = max(self.waited_s_max, time.monotonic() - asked)
        return rows

    async def _write(self, connection: asyncpg.Connection) -> None:
        """Create a customer and update it, each under an idempotency key."""
        id = f"cus_Old{next(self._numbers)}"
        stream = f"customer-{id}"
        created = CustomerCreated(
            attributes=Attributes(email=f"{id}@example.com", invoice_prefix=id.upper(), name="First"), created=1, id=id
        )
        await self._commit(connection, id, created, "customer.created", "First", [])
        records = [record_of(row) for row in await self._fetch(connection, LOAD, stream, 0)]
        updated = CustomerUpdated(attributes=Attributes(name=f"Of {id}"))
        await self._commit(connection, id, updated, "customer.updated", f"Of {id}", records)
        self.written[id] = f"Of {id}"

    async def _commit(
        self, connection: asyncpg.Connection, id: str, event: object, type: str, name: str, records: list[Record]
    ) -> None:
        stream, version = f"customer-{id}", len(records) + 1
        minted, wrapped = self._keys.mint(stream)
        subject_key = self._subject_keys.setdefault(stream, minted)
        now = datetime.now(UTC)
        origin = Origin(*SCOPE, now, "key_old", f"req_{id}{version}", f"{type} {id}")
        payload = codec().encode(event, key=subject_key, stream=stream, version=version)
        hash = chain.link(
            records[-1].hash if records else chain.START,
            stream=stream,
            version=version,
            type=type,
            schema_version=1,
            payload=payload,
            origin=origin,
        )
        body = orjson.dumps({"id": id, "object": "customer", "email": f"{id}@example.com", "name": name})
        of_scope = {"account": SCOPE[0], "livemode": SCOPE[1]}
        item = self._row(
            "events.item",
            **of_scope,
            stream=stream,
            expected=version - 1,
            events=1,
            hash=hash,
            subject_key=None if records else wrapped,
            key=origin.idempotency_key,
            route="POST /v1/customers",
            fingerprint=sha256(payload).digest(),
            request_id=origin.request_id,
            status=200,
            body=body,
            leader=1,
        )
        draft = self._row(
            "events.draft",
            **of_scope,
            item=1,
            stream=stream,
            version=version,
            type=type,
            schema_version=1,
            payload=payload,
            hash=hash,
            recorded_at=now,
            actor=origin.actor,
            request_id=origin.request_id,
            idempotency_key=origin.idempotency_key,
        )
        customer = self._row(
            "projections.customer_row",
            **of_scope,
            item=1,
            id=id,
            created=int(now.timestamp()),
            version=version,
            deleted=False,
            email=f"{id}@example.com",
            invoice_prefix=id.upper(),
            body=body,
        )
        notice = self._row(
            "projections.notice_row",
            **of_scope,
            item=1,
            event=0,
            id=f"evt_{id}{version}",
            type=type,
            created=int(now.timestamp()),
            stream=stream,
            version=version,
            object_id=id,
            body=orjson.dumps({"id": f"evt_{id}{version}", "object": "event", "type": type, "pending_webhooks": 0}),
        )
        [stored] = await self._fetch(connection, COMMIT, [item], [draft], [customer], [], [notice], [])
        assert stored["outcome"] == ["accepted"]
        assert stored["first_position"][0] > 0
        [receipt] = await self._fetch(connection, RECEIPT, *SCOPE, origin.idempotency_key)
        assert (receipt["status"], receipt["body"]) == (200, body)

    def _row(self, type: str, /, **values: object) -> tuple[object, ...]:
        """A value of a composite type as the revision sends it; what is not named is null."""
        assert values.keys() <= set(self._types[type])
        return tuple(values.get(name) for name in self._types[type])

    async def _fan_out(self, connection: asyncpg.Connection) -> None:
        """Fan out the notices of customers written since, and move the watermark over them."""
        new = list(self.written)[self._fanned_out :]
        for id in new:
            notices = await self._fetch(connection, NOTICES, *SCOPE, f"customer-{id}")
            assert len(notices) == 2, "one of its creation and one of its update"
            await self._fetch(connection, FAN_OUT, [row["sequence"] for row in notices])
        self._fanned_out += len(new)
        await self._fetch(connection, CATCH_UP, UNCLAIMED_FOR, BATCH)
        await self._fetch(connection, CATCH_UP_IN_ORDER, BATCH)

    async def _read(self, connection: asyncpg.Connection) -> None:
        """Get and list customers, and read how endpoints are."""
        newest = list(self.written)[-NEWEST:]
        scopes = [[part] * len(newest) for part in SCOPE]
        bodies = [orjson.loads(row["body"]) for row in await self._fetch(connection, GET, *scopes, newest)]
        assert [(body["id"], body["name"]) for body in bodies] == [(id, self.written[id]) for id in newest]
        listed = await self._fetch(connection, LIST, *SCOPE, None, EARLIEST, LATEST, PAGE)
        assert listed
        for id in newest[:1]:
            address = f"{id}@example.com"
            found = await self._fetch(connection, LIST_BY_EMAIL, *SCOPE, None, EARLIEST, LATEST, PAGE, address)
            assert [row["id"] for row in found] == [id]
        await self._fetch(connection, STATUS, *SCOPE, [], PAGE)
        await self._fetch(connection, FAILING, datetime.now(UTC))
        assert await self._fetch(connection, LAG, PAGE) != []
