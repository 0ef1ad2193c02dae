"""The verifier: hash chains, Merkle tree and checkpoints of the log, offline from an export.

    python -m events.verify export.ndjson --checkpoint FILE --key VERIFIERKEY

The export is a line of JSON an event (CloudEvents 1.0), from the first position on; `-` reads standard input. The
checkpoints and the verifier key come from where the keeper of the log cannot change them. Exit code 0: every event is
as it was when the checkpoint was signed, and none is missing; 1: the first position at which that is not so is named.

This needs no database and no part of Rollbook but this file, merkle.py, checkpoint.py and the package `cryptography`:
those who do not trust the service may read them all. events/README.md describes the formats for another verifier.
"""

import argparse
import base64
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from events.checkpoint import COSIGNATURE, Checkpoint, InvalidNote, Verifier, opened, parse_note
from events.merkle import Frontier, leaf_hash

START = bytes(32)  # before the first event of a stream
LINE_BYTES_MAX = 64 * 1024 * 1024
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MODES = {b"live": b"true", b"test": b"false"}
# A string as canonical JSON writes it: nothing is escaped that need not be, and each character in one way.
TEXT = rb'("[^"\\\x00-\x1f]*(?:\\(?:["\\bfnrt]|u00(?:0[0-7bef]|1[0-9a-f]))[^"\\\x00-\x1f]*)*")'
NUMBER = rb"(0|[1-9][0-9]{0,18})"
LINE = re.compile(
    rb'{"actor":' + TEXT + rb'(?:,"causationid":' + TEXT + rb')?(?:,"correlationid":' + TEXT + rb")?"
    rb',"data_base64":"([A-Za-z0-9+/]*={0,2})","datacontenttype":"application/json","hash":"([0-9a-f]{64})","id":"'
    + NUMBER + rb'"(?:,"idempotencykey":' + TEXT + rb')?,"position":"' + NUMBER + rb'"(?:,"requestid":' + TEXT
    + rb')?,"schemaversion":' + NUMBER + rb',"source":"/accounts/([^/"\\\x00-\x1f]+)/(live|test)","specversion":"1.0"'
    rb',"streamversion":"' + NUMBER + rb'","subject":' + TEXT
    + rb',"time":"([0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}[.][0-9]{6}Z)","type":' + TEXT
    + rb"}\n?"
)  # fmt: skip


class Broken(Exception):
    """The log is not what it was. `position` is the first one that is not as it should be."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"position {position}: {reason}")
        self.position = position
        self.reason = reason


class Event(NamedTuple):
    """An event as it is stored; `header` is a compact JSON array of every field but position, payload and hash.

    [stream, version, type, schema version, account, live mode, microseconds of Unix time, actor, request id,
    idempotency key, correlation id, causation id]; null for one that is not there.
    """

    position: int
    stream: str
    version: int
    header: bytes
    payload: bytes
    hash: bytes


class LogVerifier:
    """Verifies the events of a log in order: positions, chains, and the root at the size of each checkpoint.

    It remembers the last version and hash of each stream.
    """

    def __init__(self, checkpoints: Iterable[Checkpoint] = ()) -> None:
        self._roots: dict[int, set[bytes]] = {}
        self._frontier = Frontier()
        self.streams: dict[str, tuple[int, bytes]] = {}
        self.proven = 0  # the newest position under a checkpoint that fits
        self.expect(checkpoints)

    @property
    def size(self) -> int:
        """How many events were verified."""
        return self._frontier.size

    def expect(self, checkpoints: Iterable[Checkpoint]) -> None:
        """Compare the root with these checkpoints once their size is reached. Raises Broken for one of no event."""
        for checkpoint in checkpoints:
            self._roots.setdefault(checkpoint.size, set()).add(checkpoint.root)
        self._compare()

    def extend(self, events: Iterable[Event]) -> None:
        """Verify the next events. Raises Broken."""
        streams, frontier, roots = self.streams, self._frontier, self._roots
        size = frontier.size
        for event in events:
            size += 1
            position, stream, version, header, payload, hash = event
            if position != size:
                raise Broken(size, _missing(size, position))
            before, previous = streams.get(stream, (0, START))
            if version != before + 1:
                raise Broken(position, f"{stream} goes from version {before} to {version}: events of it are missing")
            if sha256(b"".join((previous, header, b"\n", payload))).digest() != hash:
                raise Broken(
                    position, f"version {version} of {stream} is not what was written: its hash does not follow"
                )
            streams[stream] = (version, hash)
            frontier.append(leaf_hash(hash))
            if size in roots:
                self._compare()

    def end(self) -> None:
        """Require that every checkpoint was reached. Raises Broken."""
        beyond = [size for size in self._roots if size > self.size]
        if beyond:
            raise Broken(
                self.size + 1,
                f"the log ends before it, and a checkpoint covers {max(beyond)} events: some were removed",
            )

    def _compare(self) -> None:
        expected = self._roots.get(self.size)
        if expected is None:
            return
        if expected != {self._frontier.root()}:
            raise Broken(
                self.proven + 1,
                f"it or another up to {self.size} is not what was sealed: the root over {self.size} events is not that "
                "of the checkpoint",
            )
        self.proven = self.size


def _missing(expected: int, found: int) -> str:
    if found > expected:
        return f"it is missing: the next event is at position {found}"
    return f"instead of it comes position {found} again"


def events_of(lines: Iterable[bytes]) -> Iterator[Event]:
    """The events of an export, in the order of its lines. Raises Broken for a line that is none."""
    for number, line in enumerate(lines, 1):
        try:
            yield parse(line)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise Broken(
                number, f"line {number} of the export is no event: {str(error) or type(error).__name__}"
            ) from None


def parse(line: bytes) -> Event:
    """The event of a line in the one form that it may have: see events/README.md. Raises ValueError.

    The fields of the header are taken over as they are written, which is how the header writes them too.
    """
    found = LINE.fullmatch(line)
    if found is None or len(line) > LINE_BYTES_MAX:
        raise ValueError("its fields, or how they are written, are not those of the format")
    actor, causation, correlation, payload, hash, id, key, position, request = found.group(1, 2, 3, 4, 5, 6, 7, 8, 9)
    schema, account, mode, version, stream, time, type = found.group(10, 11, 12, 13, 14, 15, 16)
    if id != position:
        raise ValueError("its id is not its position")
    line.decode()
    at = (datetime.fromisoformat(time.decode()) - EPOCH) // MICROSECOND
    header = b'[%b,%b,%b,%b,"%b",%b,%d,%b,%b,%b,%b,%b]' % (
        *(stream, version, type, schema, account, MODES[mode], at, actor),
        *(request or b"null", key or b"null", correlation or b"null", causation or b"null"),
    )
    return Event(
        int(position), stream[1:-1].decode(), int(version), header,
        base64.b64decode(payload, validate=True), bytes.fromhex(hash.decode()),
    )  # fmt: skip


def main(words: Sequence[str] | None = None) -> int:
    """Verify an export, print what was found, and give the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m events.verify", description="Verify an export of the log against signed checkpoints."
    )
    parser.add_argument("export", help="file with a line of JSON an event, from position 1 on; - for standard input")
    parser.add_argument("--checkpoint", action="append", required=True, metavar="FILE", help="checkpoint; repeatable")
    parser.add_argument("--key", action="append", required=True, metavar="KEY", help="verifier key; repeatable")
    parser.add_argument(
        "--witness",
        action="append",
        default=[],
        metavar="KEY",
        help="verifier key of a witness that must have cosigned",
    )
    given = parser.parse_args(words)
    try:
        keys = [Verifier.parse(key) for key in given.key]
        witnesses = [Verifier.parse(key) for key in given.witness]
        checkpoints = [read_checkpoint(Path(file), keys, witnesses) for file in given.checkpoint]
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except InvalidNote as error:
        print(error, file=sys.stderr)
        return 1
    verifier = LogVerifier()
    try:
        with sys.stdin.buffer if given.export == "-" else open(given.export, "rb") as file:
            verifier.expect(checkpoints)
            verifier.extend(events_of(iter(lambda: file.readline(LINE_BYTES_MAX + 1), b"")))
        verifier.end()
    except OSError as error:
        print(f"{error.filename or given.export}: {error.strerror}", file=sys.stderr)
        return 1
    except Broken as broken:
        print(f"BROKEN at {broken}", file=sys.stderr)
        return 1
    print(f"{verifier.size} events of {len(verifier.streams)} streams are as they were written.")
    print(f"The checkpoint of {checkpoints[0].origin} proves those up to position {verifier.proven}.")
    if verifier.size > verifier.proven:
        print(f"{verifier.size - verifier.proven} later events are under no checkpoint that was given.")
    return 0


def read_checkpoint(file: Path, keys: Sequence[Verifier], witnesses: Sequence[Verifier] = ()) -> Checkpoint:
    """The checkpoint in a file, signed by one of the keys and by every witness. Raises OSError, InvalidNote."""
    note = file.read_text(encoding="utf-8", errors="replace")
    try:
        checkpoint, parsed = opened(note, keys), parse_note(note)
    except InvalidNote as error:
        raise InvalidNote(f"{file}: {error}") from None
    for witness in witnesses:
        if witness.type != COSIGNATURE or not any(witness.verifies(parsed.text, each) for each in parsed.signatures):
            raise InvalidNote(f"{file}: the checkpoint is not cosigned by the witness {witness.name}")
    return checkpoint


if __name__ == "__main__":
    sys.exit(main())
