"""Export of the log to a file of lines (NDJSON, events/cloudevents.py): in constant memory, and continued after a kill.

A file that is there already is continued: a last line that was cut off is written again, and the last whole line has to
be the event that the log has at its position. The file so grows to a prefix of the log, whenever the export ended.
"""

import base64
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from events import cloudevents
from events.cloudevents import NotALine
from events.database import load_sql
from events.log import record_of

BATCH = 1_000  # events that are read at once
BATCH_KEYS = 5_000
CHUNK = 64 * 1024  # bytes that are read at once in search of the last line
SYNC_BYTES = 64 * 1024 * 1024  # written between two calls that make them durable
HEAD = "SELECT position FROM events.head"
KEYS = "SELECT stream, wrapped FROM keys.subject WHERE stream > $1 ORDER BY stream LIMIT $2"
MASTERS = "SELECT name, verifier FROM keys.master ORDER BY name"


class ForeignFile(Exception):
    """The file is no export of this log, or another process writes to it; the message says which."""


async def export(connection: Any, path: Path) -> AsyncIterator[tuple[int, int]]:
    """Write the events up to the newest that there is now; gives how many the file has, and will have, as it grows.

    Raises ForeignFile, and OSError for a file that cannot be written.
    """
    read = load_sql("events", "read_log")
    with _opened(path) as file:
        after = await _continued(connection, file, path)
        head: int = await connection.fetchval(HEAD)
        yield after, head
        unsynced = 0
        while after < head:
            rows = await connection.fetch(read, after, min(BATCH, head - after))
            if not rows or rows[0]["position"] != after + 1 or rows[-1]["position"] != after + len(rows):
                raise ForeignFile(f"the log has a gap after position {after}")
            lines = b"".join(cloudevents.line(record_of(row)) for row in rows)
            file.write(lines)
            file.flush()  # what the kernel has survives a kill
            after += len(rows)
            unsynced += len(lines)
            if unsynced >= SYNC_BYTES:
                os.fsync(file.fileno())
                unsynced = 0
            yield after, head
        os.fsync(file.fileno())


async def export_keys(connection: Any, path: Path) -> int:
    """Write the wrapped keys of all streams to a new file, and the verifiers of the master keys; gives how many.

    They unseal personal data together with a master key, which is not in the file. Raises OSError.
    """
    count, after = 0, ""
    unfinished = path.with_name(f"{path.name}.unfinished")
    with _private(unfinished) as file:
        masters = await connection.fetch(MASTERS)
        file.writelines(_line({"master": row["name"].hex(), "verifier": _text(row["verifier"])}) for row in masters)
        while rows := await connection.fetch(KEYS, after, BATCH_KEYS):
            file.writelines(_line({"stream": row["stream"], "wrapped": _text(row["wrapped"])}) for row in rows)
            count += len(rows)
            after = rows[-1]["stream"]
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    return count


def last_line(file: BinaryIO) -> tuple[bytes, int]:
    """The last whole line of a file, empty without one; and where it ends."""
    start = end = file.seek(0, os.SEEK_END)
    tail, cut = b"", False
    while start > 0:
        length = min(CHUNK, start)
        start -= length
        file.seek(start)
        tail = file.read(length) + tail
        if not cut and b"\n" in tail:
            whole = tail.rindex(b"\n") + 1
            end, tail, cut = start + whole, tail[:whole], True
        if cut and b"\n" in tail[:-1]:
            return tail[tail.rindex(b"\n", 0, -1) + 1 :], end
    return (tail, end) if cut else (b"", 0)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file, for this process alone; a new one is readable by its owner alone."""
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ForeignFile(f"{path}: another process writes to it") from None
        yield file


async def _continued(connection: Any, file: BinaryIO, path: Path) -> int:
    """The position that the file reaches, and the file at its end, without what was cut off. Raises ForeignFile."""
    line, end = last_line(file)
    if not line:
        if file.seek(0, os.SEEK_END) > 0:
            file.seek(0)
            if not b'{"actor":"'.startswith(file.read(10)):
                raise ForeignFile(f"{path}: this file is no export")
        file.seek(0)
        file.truncate()
        return 0
    try:
        position = cloudevents.parse(line).position
    except NotALine as error:
        raise ForeignFile(f"{path}: its last line is {error}") from None
    rows = await connection.fetch("SELECT * FROM events.log WHERE position = $1", position)
    if not rows or cloudevents.line(record_of(rows[0])) != line:
        raise ForeignFile(f"{path}: it ends with an event that this log does not have at position {position}")
    file.seek(end)
    file.truncate()
    return position


def _private(path: Path) -> BinaryIO:
    """A new file that its owner alone can read."""
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _line(value: dict[str, str]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
