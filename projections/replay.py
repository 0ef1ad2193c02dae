"""Replay: the log up to a moment, or a range of it, folded into a scratch schema of the same database, for SQL.

Streams are folded one after another, by the code that writes and rebuilds the read models, in bounded memory. What is
written is the owner's and in the scratch schema alone: no notice, no due work, nothing that somebody else reads. The
log never changes below its head, so no snapshot of the database has to be held: appends and vacuum go on.

A scratch schema holds personal data in clear, and an erasure does not reach it: it is made for a question, and dropped.
The comment on the schema says that it is ours, and whether it is finished; no other schema is ever dropped.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import asyncpg
import orjson

from events.codec import unsealed
from events.database import load_sql
from events.errors import BrokenHistory
from events.log import record_of
from events.migrate import SCHEMAS
from events.personal import SubjectKey
from events.record import Record
from projections.fold import Folds, ResourceTuple, StreamFold, kind_of
from projections.progress import Meter, Progress
from projections.rebuild.shadow import NEXT, PREVIOUS
from projections.rows import CustomerRow, ResourceRow

SLICE = 500  # events that are read at once
ROWS_MAX = 2_000  # rows that are written at once,
BYTES_MAX = 8 * 1024 * 1024  # and bytes of events
STATEMENT_TIMEOUT_S = 600.0

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
RESERVED = frozenset({*SCHEMAS, NEXT, PREVIOUS, "public", "information_schema", "pg_catalog"})
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
    """Writes folds of the log into scratch schemas, over a connection of the database's owner.

    `hidden` gives for fields of events that are never shown what stands in their place.
    """

    connection: Any
    folds: Folds
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
        folding: _Folding | None = None
        while rows := await self.connection.fetch(
            read, stream, version, events.until, SLICE, timeout=STATEMENT_TIMEOUT_S
        ):
            for row in rows:
                if folding is None or row["stream"] != folding.fold.stream:
                    if folding is not None:
                        folding.finish(writer)
                    folding = _Folding(self.folds.begin(row["stream"], row["wrapped"]), events.after)
                record = record_of(row)
                folding.add(record)
                if record.position > events.after:
                    writer.put("event", self._event(record, folding.fold.key), len(record.payload))
            done += len(rows)
            stream, version = rows[-1]["stream"], rows[-1]["version"]
            if writer.full:
                await writer.flush()
            yield meter.at(done)
        if folding is not None:
            folding.finish(writer)
        await writer.flush()

    def _event(self, record: Record, key: SubjectKey | None) -> tuple[Any, ...]:
        try:
            data, sealed = unsealed(record, key=key)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BrokenHistory(f"{record.stream} version {record.version}: does not decode") from error
        shown = {name: self.hidden.get(name, value) for name, value in data.items()}
        kind = kind_of(record.stream)
        id = record.stream[len(kind) + 1 :]
        origin = record.origin
        return (
            *(record.position, origin.account, origin.livemode, record.stream, kind, id, record.version, record.type),
            *(origin.at, origin.actor, origin.request_id, origin.idempotency_key, origin.correlation_id),
            *(origin.causation_id, sealed, for_jsonb(orjson.dumps(shown))),
        )


@dataclass(slots=True)
class _Folding:
    """The fold of one stream, and which of its objects there were before the range."""

    fold: StreamFold
    after: int
    known: Mapping[tuple[str, str], ResourceTuple] | None = None  # None until the range begins

    def add(self, record: Record) -> None:
        """Fold the next event. Raises BrokenHistory."""
        if self.known is None and record.position > self.after:
            self.known = dict(self.fold.resources)
        self.fold.add(record)

    def finish(self, writer: "_Writer") -> None:
        """Write what the events of the range changed, as the last of them left it."""
        last = self.fold.last
        if self.known is None or last is None:
            return
        folded = self.fold.finish()
        for customer in folded.customers:
            row = CustomerRow(*customer[:-1])
            writer.put("customer", _customer(row, last), len(row.body))
        for key, stored in self.fold.resources.items():
            if stored is not self.known.get(key):
                resource = ResourceRow(*stored[:-1])
                writer.put("resource", _resource(resource), len(resource.body))
        for due in folded.due:
            assert due.due_at is not None, "work without a time is taken away"
            scope = (due.account, due.livemode)
            at = _time(due.due_at)
            writer.put("due", (*scope, due.kind, due.id, due.task, due.subject, at, due.test_clock), 0)


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
