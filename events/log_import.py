"""Import of an export into an empty database (restore): the same bytes at the same positions, each chain verified.

Each batch of lines is a transaction, so an import that was killed is continued. Read models are not written: they are
rebuilt from the log afterwards.
"""

import base64
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from events import chain, cloudevents
from events.cloudevents import NotALine
from events.database import load_sql
from events.export import last_line
from events.keys import MasterKeys
from events.log import record_of
from events.master_key import CONTEXT, REGISTER
from events.record import Record

BATCH = 2_000  # lines
BATCH_BYTES = 8 * 1024 * 1024
LINE_BYTES_MAX = 64 * 1024 * 1024
LOCK_HEAD = "SELECT position, partition_end FROM events.head FOR UPDATE"
HEADS = "SELECT stream, account, livemode, version, hash FROM events.stream WHERE stream = ANY ($1)"
ADD_KEYS = "INSERT INTO keys.subject SELECT * FROM unnest($1::text[], $2::bytea[]) ON CONFLICT DO NOTHING"
COLUMNS = (
    "position",
    "stream",
    "version",
    "account",
    "livemode",
    "type",
    "schema_version",
    "payload",
    "hash",
    "recorded_at",
    "actor",
    "request_id",
    "idempotency_key",
    "correlation_id",
    "causation_id",
)


class NotImportable(Exception):
    """The file is no whole export, or the database has other events; the message names the first fault."""


async def load(connection: Any, path: Path) -> AsyncIterator[tuple[int, int]]:
    """Store the events of an export; gives how many there are in the database, and will be, after each batch.

    Raises NotImportable, OSError.
    """
    with path.open("rb") as file:
        total = _total(file, path)
        file.seek(0)
        position: int = await connection.fetchval("SELECT position FROM events.head")
        await _skip(connection, file, path, position)
        yield position, total
        for records in _batches(file, path, position):
            await _store(connection, path, records)
            position = records[-1].position
            yield position, total


async def load_keys(connection: Any, path: Path, master_keys: MasterKeys) -> int:
    """Store the keys of an export of keys, beside those that are there; gives how many the file has.

    Raises NotImportable for a file that is none, or keys that none of the master keys wrapped; OSError.
    """
    count = 0
    with path.open("rb") as file:
        streams: list[str] = []
        wrapped: list[bytes] = []
        for number, line in enumerate(file, 1):
            try:
                shown = orjson.loads(line)
                if "master" in shown:
                    await _add_master(connection, shown, master_keys)
                    continue
                streams.append(shown["stream"])
                wrapped.append(base64.b64decode(shown["wrapped"], validate=True))
            except (ValueError, KeyError, TypeError) as error:
                raise NotImportable(f"{path} line {number}: no key ({type(error).__name__})") from None
            count += 1
            if len(streams) == BATCH:
                await connection.execute(ADD_KEYS, streams, wrapped)
                streams, wrapped = [], []
        await connection.execute(ADD_KEYS, streams, wrapped)
    return count


async def _add_master(connection: Any, shown: dict[str, str], master_keys: MasterKeys) -> None:
    name, verifier = bytes.fromhex(shown["master"]), base64.b64decode(shown["verifier"], validate=True)
    if not master_keys.opens(verifier, CONTEXT):
        raise NotImportable(f"the keys are wrapped by the master key {shown['master']}, which was not given")
    await connection.execute(REGISTER, name, verifier)


def _total(file: BinaryIO, path: Path) -> int:
    """How many events the file has. Raises NotImportable."""
    line, end = last_line(file)
    if not line:
        raise NotImportable(f"{path}: this file is no export")
    if end != file.seek(0, 2):
        raise NotImportable(f"{path}: its last line is cut off; continue the export")
    return _parsed(line, path).position


async def _skip(connection: Any, file: BinaryIO, path: Path, position: int) -> None:
    """Pass over what the database has already, which has to be of this export. Raises NotImportable."""
    line = b""
    for _ in range(position):
        line = file.readline(LINE_BYTES_MAX)
    if position:
        rows = await connection.fetch("SELECT * FROM events.log WHERE position = $1", position)
        if not rows or cloudevents.line(record_of(rows[0])) != line:
            raise NotImportable(f"the database is not empty: it has {position} events that are not of this export")


def _batches(file: BinaryIO, path: Path, position: int) -> Iterator[Sequence[Record]]:
    batch: list[Record] = []
    bytes = 0
    while line := file.readline(LINE_BYTES_MAX):
        position += 1
        record = _parsed(line, path, position)
        if record.position != position:
            raise NotImportable(f"{path} line {position}: has the event of position {record.position}")
        batch.append(record)
        bytes += len(line)
        if len(batch) == BATCH or bytes >= BATCH_BYTES:
            yield batch
            batch, bytes = [], 0
    if batch:
        yield batch


def _parsed(line: bytes, path: Path, number: int | None = None) -> Record:
    try:
        return cloudevents.parse(line)
    except NotALine as error:
        raise NotImportable(f"{path} {'last line' if number is None else f'line {number}'}: {error}") from None


async def _store(connection: Any, path: Path, records: Sequence[Record]) -> None:
    """Store a batch, each event of which has to follow the one before it in its stream. Raises NotImportable."""
    async with connection.transaction():
        head = await connection.fetchrow(LOCK_HEAD)
        if head["position"] != records[0].position - 1:
            raise NotImportable("another process appends to this database")
        heads = {
            row["stream"]: (row["account"], row["livemode"], row["version"], row["hash"])
            for row in await connection.fetch(HEADS, list({record.stream for record in records}))
        }
        for record in records:
            origin = record.origin
            account, livemode, version, hash = heads.get(record.stream, (*origin.scope, 0, chain.START))
            broken = chain.first_break([record], hash, version)
            if broken is not None or (account, livemode) != origin.scope:
                raise NotImportable(
                    f"{path} line {record.position}: {record.stream} version {record.version} does not follow the "
                    "event before it in its stream, or was changed"
                )
            heads[record.stream] = (account, livemode, record.version, record.hash)
        if records[-1].position >= head["partition_end"]:
            await connection.execute("SELECT events.extend_log($1)", records[-1].position)
        await connection.copy_records_to_table(
            "log", schema_name="events", columns=COLUMNS, records=[_row(record) for record in records]
        )
        await connection.execute(
            load_sql("events", "set_streams"),
            list(heads),
            *(list(column) for column in zip(*heads.values(), strict=True)),
        )
        await connection.execute("UPDATE events.head SET position = $1", records[-1].position)


def _row(record: Record) -> tuple[object, ...]:
    origin = record.origin
    return (
        record.position,
        record.stream,
        record.version,
        origin.account,
        origin.livemode,
        record.type,
        record.schema_version,
        record.payload,
        record.hash,
        origin.at,
        origin.actor,
        origin.request_id,
        origin.idempotency_key,
        origin.correlation_id,
        origin.causation_id,
    )
