"""The response parser: status and a bounded excerpt of the body (HTTP/1.1, RFC 9112).

Pure: it is fed bytes in chunks of any size. Only the status matters: a 2xx is success even if the body is cut off or
never ends, a header is malformed, or lengths contradict each other. Nothing after the status line makes a response
unreadable; it can only prevent the connection from being reused. Everything is bounded: the number of interim (1xx)
responses, the total bytes of heads (leading blank lines included), and the bytes of the body (chunk framing included).
"""

import re
from typing import Literal

INTERIM_MAX = 16
HEAD_BYTES_MAX = 64 * 1024  # bytes of all heads together
BODY_BYTES_MAX = 16 * 1024
FRAMED_BYTES_MAX = 4 * BODY_BYTES_MAX  # bytes of a chunked body, framing included
EXCERPT_BYTES_MAX = 4 * 1024
RETRY_AFTER_BYTES_MAX = 64  # an HTTP date has 29
STATUS_LINE = re.compile(rb"HTTP/([0-9])(?:\.([0-9]))?[ \t]+([1-9][0-9]{2})(?:[ \t].*)?", re.DOTALL)
BEGINNING = b"HTTP/"
CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?", re.DOTALL)
CHUNKED = re.compile(rb"(?:.*,)?[ \t]*chunked[ \t]*", re.IGNORECASE | re.DOTALL)
SWITCHING_PROTOCOLS = 101
NO_BODY = frozenset({204, 304})

Unreadable = Literal["not_http", "too_many_interim", "head_too_long"]
_Stage = Literal["status", "headers", "body", "to_the_end", "chunk_size", "chunk", "chunk_end", "trailers", "over"]


class AnswerReader:
    """Parses one response.

    `status` is that of the final response, available once its first line is complete. `done` means that nothing more is
    to be read, and `reusable` that the connection can then serve another request. `unreadable` is the reason if there
    is no status.
    """

    __slots__ = (
        "_buffer",
        "_chunked",
        "_close",
        "_consumed",
        "_framed",
        "_interim",
        "_left",
        "_length",
        "_read",
        "_searched",
        "_stage",
        "done",
        "excerpt",
        "retry_after",
        "reusable",
        "status",
        "unreadable",
    )

    def __init__(self) -> None:
        self.status: int | None = None
        self.retry_after: str | None = None
        self.excerpt = b""
        self.done = False
        self.reusable = False
        self.unreadable: Unreadable | None = None
        self._stage: _Stage = "status"
        self._buffer = bytearray()
        self._searched = 0  # index in the buffer, to find the end of a line
        self._consumed = 0  # bytes of heads so far
        self._interim = 0
        self._close = False  # the connection ends with this response
        self._length: bytes | None = None
        self._chunked = False
        self._left = 0  # bytes left of the body, or of the chunk
        self._read = 0  # bytes of the body
        self._framed = 0  # bytes of the body with its framing

    def feed(self, data: bytes) -> None:
        """Parse more bytes."""
        if self.done:
            self.reusable = False
            return
        buffer = self._buffer
        buffer += data
        while not self.done:
            stage = self._stage
            if stage == "status" or stage == "headers":
                line = self._line(HEAD_BYTES_MAX - self._consumed)
                if line is None:
                    return
                if stage == "status":
                    self._status_line(line)
                elif line:
                    self._header(line)
                else:
                    self._head_ended()
            elif not buffer and stage != "over":
                return
            elif stage == "body" or stage == "to_the_end" or stage == "chunk":
                self._take_body()
            elif not self._frame():
                return

    def stop(self) -> None:
        """Finish: the connection has ended, or no more is waited for."""
        self.done, self.reusable = True, False

    def _line(self, room: int) -> bytes | None:
        """The next line of a head; None while it is incomplete, or if it is too long."""
        buffer = self._buffer
        end = buffer.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(buffer)
            begins = bytes(buffer[: len(BEGINNING)])
            if self._stage == "status" and begins.strip(b"\r") and not BEGINNING.startswith(begins):
                self._fail("not_http")
            elif len(buffer) > room:
                self._fail("head_too_long")
            return None
        if end >= room:
            self._fail("head_too_long")
            return None
        line = bytes(buffer[: end - 1 if end and buffer[end - 1] == 0x0D else end])
        del buffer[: end + 1]
        self._searched = 0
        self._consumed += end + 1
        return line

    def _status_line(self, line: bytes) -> None:
        if not line.strip():
            return  # RFC 9112, 2.2: leading blank lines are skipped
        match = STATUS_LINE.fullmatch(line)
        if match is None:
            self._fail("not_http")
            return
        status = int(match[3])
        self._stage = "headers"
        if status < 200 and status != SWITCHING_PROTOCOLS:
            self._interim += 1
            if self._interim > INTERIM_MAX:
                self._fail("too_many_interim")
            return
        self.status = status
        self._close = (match[1], match[2]) != (b"1", b"1")

    def _header(self, line: bytes) -> None:
        if self.status is None:
            return
        name, colon, value = line.partition(b":")
        if not colon:
            return
        match name.strip().lower():
            case b"content-length":
                value = value.strip()
                if not value.isdigit() or len(value) > 18 or self._length not in (None, value):
                    self._close = True  # the length of the body is ambiguous
                self._length = value
            case b"transfer-encoding":
                self._chunked = CHUNKED.fullmatch(value) is not None
                self._close = self._close or not self._chunked or self._length is not None
            case b"connection":
                if b"close" in value.lower():
                    self._close = True
            case b"retry-after":
                said = value.strip()[:RETRY_AFTER_BYTES_MAX].decode("latin-1")
                if self.status >= 300 and said:
                    self.retry_after = said

    def _head_ended(self) -> None:
        if self.status is None:
            self._stage = "status"
            return
        if self.status == SWITCHING_PROTOCOLS:
            self.stop()
        elif self.status in NO_BODY:
            self._finish()
        elif self._chunked:
            self._stage = "chunk_size"
        elif self._length is not None and self._length.isdigit() and len(self._length) <= 18:
            self._left = int(self._length)
            self._stage = "body"
            if self._left == 0:
                self._finish()
        else:
            self._stage = "to_the_end"

    def _take_body(self) -> None:
        buffer = self._buffer
        taken = len(buffer) if self._stage == "to_the_end" else min(len(buffer), self._left)
        room = EXCERPT_BYTES_MAX - len(self.excerpt)
        if room > 0:
            self.excerpt += bytes(buffer[: min(taken, room)])
        del buffer[:taken]
        self._read += taken
        self._framed += taken
        self._left -= taken
        if self._read > BODY_BYTES_MAX or self._framed > FRAMED_BYTES_MAX:
            self.stop()
        elif self._left == 0 and self._stage == "body":
            self._finish()
        elif self._left == 0 and self._stage == "chunk":
            self._stage = "chunk_end"

    def _frame(self) -> bool:
        """Parse the framing between chunks; False while it is incomplete."""
        buffer = self._buffer
        end = buffer.find(b"\n", self._searched)
        self._searched = len(buffer) if end < 0 else 0
        if self._framed + (len(buffer) if end < 0 else end) > FRAMED_BYTES_MAX:
            self.stop()
            return False
        if end < 0:
            return False
        line = bytes(buffer[:end]).rstrip(b"\r")
        del buffer[: end + 1]
        self._framed += end + 1
        match self._stage:
            case "chunk_end" if not line:
                self._stage = "chunk_size"
            case "chunk_size" if (size := CHUNK_SIZE.fullmatch(line)) is not None:
                self._left = int(size[1], 16)
                self._stage = "chunk" if self._left else "trailers"
            case "trailers":
                if not line:
                    self._finish()
            case _:
                self.stop()  # not a valid chunk
        return True

    def _finish(self) -> None:
        """The response is complete; further bytes are unsolicited."""
        self._stage = "over"
        self.done = True
        self.reusable = not self._close and not self._buffer

    def _fail(self, why: Unreadable) -> None:
        """Parsing failed; a response with a status needs nothing more."""
        if self.status is None:
            self.unreadable = why
        self.stop()
