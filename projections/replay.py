"""Replay: the log up to a moment, or a range of it, folded into a scratch schema of the same database, for SQL.

Streams are folded one after another, by the code that writes the read models inline, in bounded memory. What is written
is the owner's and in the scratch schema alone: no notice, no due work, nothing that somebody else reads. The log never
changes below its head, so no snapshot of the database has to be held: appends and vacuum go on.

A scratch schema holds personal data in clear, and an erasure does not reach it: it is made for a question, and dropped.
The comment on the schema says that it is ours, and whether it is finished; no other schema is ever dropped.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import asyncpg
import orjson

from events.codec import Codec, unsealed
from events.database import load_sql
from events.decider import Change, Decider
from events.errors import BrokenHistory
from events.keys import MasterKeys
from events.log import record_of
from events.migrate import SCHEMAS
from events.personal import SubjectKey
from events.record import Origin, Record
from projections.progress import Meter, Progress
from projections.rows import FOLLOW, CustomerRow, DueRow, ResourceRow, Rows

SLICE = 500  # events that are read at once
ROWS_MAX = 2_000  # rows that are written at once,
BYTES_MAX = 8 * 1024 * 1024  # and bytes of events
STATEMENT_TIMEOUT_S = 600.0

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
RESERVED = frozenset({*SCHEMAS, "public", "information_schema", "pg_catalog"})
OURS = "rollbook replay"
UNFINISHED = f"{OURS}, unfinished"
FINISHED = f"{OURS}, finished"
NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")  # which jsonb cannot hold, as an escape of JSON

SCHEMAS_OF_OURS = """
SELECT n.nspname AS name, obj_description(n.oid, 'pg_namespace') AS comment FROM pg_namespace n
WHERE obj_description(n.oid, 'pg_namespace') LIKE 'rollbook replay,%' ORDER BY 1
"""
POSITION_TIME = "SELECT recorded_at FROM events.log WHERE position = $1"
# Processes' clocks differ: an event may have an earlier time than one before it, but not one of long ago.
LAST_BY_TIME = "SELECT max(position) FROM events.log WHERE position > $1 AND position <= $2 AND recorded_at <= $3"
SKEW_EVENTS = 10_000

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "customer": (
        *(
            "account",
            "livemode",
            "id",
            "created",
            "version",
            "position",
            "changed",
            "deleted",
            "name",
            "email",
            "phone",
        ),
        *("balance", "currency", "test_clock", "object"),
    ),
    "resource": (*("account", "livemode", "kind", "id", "parent", "created", "version", "deleted", "object", "facts"),),
    "due": ("account", "livemode", "kind", "id", "task", "subject", "due", "test_clock"),
    "event": (
        *("position", "account", "livemode", "stream", "kind", "id", "version", "type", "recorded", "actor"),
        *("request_id", "idempotency_key", "correlation_id", "causation_id", "sealed", "data"),
    ),
}


class NotReplayed(Exception):
    """The replay cannot be made, or the schema not be dropped; one line that says why."""


class Kind(NamedTuple):
    """One kind of stream: its decider, its projection, and for customers what makes the row of the last state."""

    decider: Decider[Any, Any, Any]
    rows: Callable[[Change[Any]], Rows]
    last: Callable[[Change[Any]], CustomerRow] | None = None


class Range(NamedTuple):
    """The events after one position up to another."""

    after: int
    until: int


def require_name(schema: str) -> None:
    """Raises NotReplayed for a name that no scratch schema may have."""
    if schema in RESERVED or schema.startswith("pg_"):
        raise NotReplayed(f"{schema} is a reserved name: choose another one, such as scratch_november.")
    if not NAME.fullmatch(schema):
        raise NotReplayed(f"A schema's name has lower case letters, digits and _ only, up to 63: not {schema[:80]!r}.")


async def position_at(connection: Any, at: datetime) -> int:
    """The position of the last event that was stored by a time; 0 when there is none."""
    low, high = 0, await connection.fetchval("SELECT position FROM events.head")
    head = high
    while low < high:
        middle = (low + high + 1) // 2
        if await connection.fetchval(POSITION_TIME, middle) <= at:
            low = middle
        else:
            high = middle - 1
    last = await connection.fetchval(LAST_BY_TIME, max(0, low - SKEW_EVENTS), min(head, low + SKEW_EVENTS), at)
    return last or 0


async def scratch_schemas(connection: Any) -> Mapping[str, bool]:
    """The scratch schemas of the database, and whether each is finished."""
    return {row["name"]: row["comment"] == FINISHED for row in await connection.fetch(SCHEMAS_OF_OURS)}


async def drop(connection: Any, schema: str) -> None:
    """Drop a scratch schema with all in it. Raises NotReplayed for any other."""
    if schema not in await scratch_schemas(connection):
        raise NotReplayed(f"There is no scratch schema {schema}: only what a replay made is dropped.")
    await connection.execute(f'DROP SCHEMA "{schema}" CASCADE', timeout=STATEMENT_TIMEOUT_S)


@dataclass(slots=True)
class Replay:
    """Folds the log into scratch schemas, over a connection of the database's owner.

    `hidden` gives for fields of events that are never shown what stands in their place.
    """

    connection: Any
    codec: Codec
    master_keys: MasterKeys
    kinds: Mapping[str, Kind]
    hidden: Mapping[str, str]

    async def fill(self, schema: str, events: Range) -> AsyncIterator[Progress]:
        """Fill a schema that was made for it. Objects are as they were at the end of the range, and those alone that
        changed in it. One that fails is dropped; after a kill it stays, unfinished.

        Raises BrokenHistory.
        """
        try:
            async for progress in self._fill(schema, events):
                yield progress
            await self.connection.execute(load_sql("projections", "index_replay").replace("scratch.", f"{schema}."))
            await self.connection.execute(f"COMMENT ON SCHEMA {schema} IS '{FINISHED}'")
        except (BrokenHistory, asyncpg.PostgresError, asyncio.CancelledError, GeneratorExit):
            if not self.connection.is_closed():
                await drop(self.connection, schema)
            raise

    async def create(self, schema: str) -> None:
        """Make a schema with empty tables. Raises NotReplayed."""
        require_name(schema)
        tables = load_sql("projections", "create_replay").replace("scratch", schema)  # the name is checked
        try:
            async with self.connection.transaction():
                await self.connection.execute(tables)
                await self.connection.execute(f"COMMENT ON SCHEMA {schema} IS '{UNFINISHED}'")
        except asyncpg.DuplicateSchemaError:
            ours = await scratch_schemas(self.connection)
            advice = f". To drop it: rollbook replay --drop {schema}" if schema in ours else ""
            state = ", unfinished" if ours.get(schema) is False else ""
            raise NotReplayed(f"The schema {schema} is there already{state}{advice}.") from None
        except asyncpg.InsufficientPrivilegeError:
            role = await self.connection.fetchval("SELECT current_user")
            raise NotReplayed(
                f"The role {role} may not make a schema in this database: replay as the role that owns it, as "
                "`rollbook migrate` does."
            ) from None

    async def _fill(self, schema: str, events: Range) -> AsyncIterator[Progress]:
        read = load_sql("projections", "read_replay")
        meter, done = Meter(events.until), 0
        writer = _Writer(self.connection, schema)
        stream, version = "", 0
        folding: _Fold | None = None
        while rows := await self.connection.fetch(
            read, stream, version, events.until, SLICE, timeout=STATEMENT_TIMEOUT_S
        ):
            for row in rows:
                if folding is None or row["stream"] != folding.stream:
                    if folding is not None:
                        folding.finish(writer, events)
                    folding = self._begin(row["stream"], row["wrapped"])
                record = record_of(row)
                folding.add(record)
                if record.position > events.after:
                    writer.put("event", self._event(record, folding.key), len(record.payload))
            done += len(rows)
            stream, version = rows[-1]["stream"], rows[-1]["version"]
            if writer.full:
                await writer.flush()
            yield meter.at(done)
        if folding is not None:
            folding.finish(writer, events)
        await writer.flush()

    def _begin(self, stream: str, wrapped: bytes | None) -> "_Fold":
        kind = self.kinds.get(stream.partition("-")[0])
        key = self.master_keys.unwrap(wrapped, stream) if wrapped else None
        return _Fold(self.codec, kind, stream, key)

    def _event(self, record: Record, key: SubjectKey | None) -> tuple[Any, ...]:
        try:
            data, sealed = unsealed(record, key=key)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BrokenHistory(f"{record.stream} version {record.version}: does not decode") from error
        shown = {name: self.hidden.get(name, value) for name, value in data.items()}
        kind, _, id = record.stream.partition("-")
        origin = record.origin
        return (
            *(record.position, origin.account, origin.livemode, record.stream, kind, id, record.version, record.type),
            *(origin.at, origin.actor, origin.request_id, origin.idempotency_key, origin.correlation_id),
            *(origin.causation_id, sealed, for_jsonb(orjson.dumps(shown))),
        )


@dataclass(slots=True)
class _Fold:
    """The fold of one stream; of a kind without a projection nothing is folded."""

    codec: Codec
    kind: Kind | None
    stream: str
    key: SubjectKey | None
    before: Any = None  # the state before the present change
    state: Any = None
    group: list[tuple[Any, Any]] = field(default_factory=list)  # events of the present change with the states they left
    last: Record | None = None
    resources: dict[tuple[str, str], tuple[ResourceRow, int]] = field(default_factory=dict)
    customers: dict[str, CustomerRow] = field(default_factory=dict)
    due: dict[tuple[str, str], DueRow] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Fold the next event. Raises BrokenHistory."""
        if record.version != (1 if self.last is None else self.last.version + 1):
            raise BrokenHistory(f"{self.stream} version {record.version}: is not the next one")
        if self.kind is not None:
            if self.last is None:
                self.state = self.before = self.kind.decider.initial
            elif not _together(self.last, record):
                self._change()
            event = self.codec.decode(record, key=self.key)
            self.state = self.kind.decider.evolve(self.state, event)
            self.group.append((event, self.state))
        self.last = record

    def finish(self, writer: "_Writer", events: Range) -> None:
        """Write the rows that the last event left, if that is in the range."""
        assert self.last is not None, "a fold begins with an event"
        self._change()
        if self.kind is not None and self.kind.last is not None:
            row = self.kind.last(self._as_change(self.kind, []))
            self.customers[row.id] = row
        if self.last.position <= events.after:
            return
        for row in self.customers.values():
            writer.put("customer", _customer(row, self.last), len(row.body))
        for resource, position in self.resources.values():
            if position > events.after:
                writer.put("resource", _resource(resource), len(resource.body))
        for (task, subject), due in self.due.items():
            assert due.due_at is not None, "work without a time is taken away"
            scope = (due.account, due.livemode)
            writer.put("due", (*scope, due.kind, due.id, task, subject, _time(due.due_at), due.test_clock), 0)

    def _change(self) -> None:
        if self.kind is None or not self.group:
            return
        assert self.last is not None
        rows = self.kind.rows(self._as_change(self.kind, self.group))
        self.before, self.group = self.state, []
        for customer in rows.customers:
            self.customers[customer.id] = customer
        for resource in rows.resources:
            self.resources[resource.kind, resource.id] = (resource, self.last.position)
        for due in rows.due:
            if due.task == FOLLOW:
                for key, each in self.due.items():
                    self.due[key] = each._replace(test_clock=each.test_clock or due.test_clock)
            elif due.due_at is None:
                self.due.pop((due.task, due.subject), None)
            else:
                self.due[due.task, due.subject] = due

    def _as_change(self, kind: Kind, steps: list[tuple[Any, Any]]) -> Change[Any]:
        assert self.last is not None
        before = self.before if steps else kind.decider.initial
        return Change(kind.decider.kind, self.stream, before, self.state, self.last.version, steps, self.last.origin)


@dataclass(slots=True)
class _Writer:
    """Rows that wait to be written, by table."""

    connection: Any
    schema: str
    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=lambda: {table: [] for table in COLUMNS})
    count: int = 0
    size: int = 0

    @property
    def full(self) -> bool:
        """Whether it is time to write."""
        return self.count >= ROWS_MAX or self.size >= BYTES_MAX

    def put(self, table: str, row: tuple[Any, ...], size: int) -> None:
        """Add a row of about so many bytes."""
        self.rows[table].append(row)
        self.count += 1
        self.size += size

    async def flush(self) -> None:
        """Write what waits."""
        for table, rows in self.rows.items():
            if rows:
                await self.connection.copy_records_to_table(
                    table, schema_name=self.schema, records=rows, columns=COLUMNS[table], timeout=STATEMENT_TIMEOUT_S
                )
                rows.clear()
        self.count = self.size = 0


def _together(one: Record, next: Record) -> bool:
    """Whether two events of a stream are of one change: they follow each other in the log and have one origin."""
    return next.position == one.position + 1 and _said(next.origin) == _said(one.origin)


def _said(origin: Origin) -> tuple[object, ...]:
    return origin[:-1]  # the log does not store the last, traceparent


def _customer(row: CustomerRow, last: Record) -> tuple[Any, ...]:
    shown = orjson.loads(row.body)
    return (
        *(
            row.account,
            row.livemode,
            row.id,
            _time(row.created),
            row.version,
            last.position,
            last.origin.at,
            row.deleted,
        ),
        *(_text(shown.get("name")), _text(row.email), _text(shown.get("phone"))),
        *(shown.get("balance"), shown.get("currency"), row.test_clock, for_jsonb(row.body)),
    )


def _resource(row: ResourceRow) -> tuple[Any, ...]:
    facts = {name: value for name, value in orjson.loads(row.facts).items() if name != "secrets"}
    return (
        *(
            row.account,
            row.livemode,
            row.kind,
            row.id,
            row.parent or None,
            _time(row.created),
            row.version,
            row.deleted,
        ),
        *(for_jsonb(row.body), for_jsonb(orjson.dumps(facts))),
    )


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _text(text: str | None) -> str | None:
    return None if text is None else text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def for_jsonb(text: bytes) -> str:
    """JSON as jsonb takes it: it has no character for NUL."""
    return (NUL.sub(rb"\1\\ufffd", text) if b"\\u0000" in text else text).decode()
