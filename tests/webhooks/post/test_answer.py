"""Answers in pieces, mutated and without end: the status is found or it is said why not, within bounds."""

import random

import pytest

from webhooks.post.answer import (
    BODY_BYTES_MAX,
    EXCERPT_BYTES_MAX,
    FRAMED_BYTES_MAX,
    HEAD_BYTES_MAX,
    INTERIM_MAX,
    AnswerReader,
)

MUTATED = 20_000
OK = b"HTTP/1.1 200 OK\r\n"
ANSWERS = [
    OK + b"Content-Length: 4\r\n\r\nwell",
    OK + b"Server: x\r\nContent-Length: 0\r\n\r\n",
    OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nwe\r\n2;a=b\r\nll\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n"
    + OK
    + b"Content-Length: 4\r\n\r\nwell",
    b"\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 429 Too Many Requests\nRetry-After: 120\nContent-Length: 2\n\nno",
    b"HTTP/1.0 500\r\n\r\nwell",
    OK + b"Connection: close\r\nContent-Length: 4\r\n\r\nwell",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n\x00\x01",
]


def read(*pieces: bytes, ended: bool = False) -> AnswerReader:
    reader = AnswerReader()
    for piece in pieces:
        reader.feed(piece)
    if ended:
        reader.stop()
    return reader


def seen(reader: AnswerReader) -> tuple[object, ...]:
    return reader.status, reader.excerpt, reader.retry_after, reader.done, reader.reusable, reader.unreadable


@pytest.mark.parametrize("answer", ANSWERS)
def test_it_does_not_matter_in_what_pieces_an_answer_comes(answer: bytes) -> None:
    whole = seen(read(answer))
    assert seen(read(*(answer[at : at + 1] for at in range(len(answer))))) == whole
    for at in range(len(answer)):
        assert seen(read(answer[:at], answer[at:])) == whole


@pytest.mark.parametrize(
    ("answer", "status", "excerpt", "reusable"),
    [
        (ANSWERS[0], 200, b"well", True),
        (ANSWERS[1], 200, b"", True),
        (ANSWERS[2], 200, b"well", True),
        (ANSWERS[3], 200, b"well", True),
        (ANSWERS[4], 204, b"", True),
        (ANSWERS[7], 200, b"well", False),
        (ANSWERS[8], 101, b"", False),
        (OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", True),
        (OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nokk", 200, b"okk", False),
        (OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, b"", False),
        (OK + b"Content-Length: 2\r\n\r\nok and more", 200, b"ok", False),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", 204, b"", False),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", 304, b"", True),
    ],
)
def test_how_it_ends_says_whether_its_connection_serves_another(
    answer: bytes, status: int, excerpt: bytes, reusable: bool
) -> None:
    reader = read(answer)
    assert (reader.status, reader.excerpt, reader.done, reader.reusable) == (status, excerpt, True, reusable)


def test_until_the_connection_ends_where_no_length_is_said() -> None:
    reader = read(ANSWERS[6])
    assert not reader.done
    assert seen(read(ANSWERS[6], ended=True)) == (500, b"well", None, True, False, None)


@pytest.mark.parametrize("split", [1, 7, 4096])
@pytest.mark.parametrize(
    ("first", "then", "bound", "unreadable"),
    [
        (b"", b"\r\n", HEAD_BYTES_MAX, "head_too_long"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", (INTERIM_MAX + 1) * 25, "too_many_interim"),
        (b"HTTP/1.1 100 Continue\r\n", b"X: y\r\n", HEAD_BYTES_MAX, "head_too_long"),
        (b"HTTP/1.1 200 ", b"x", HEAD_BYTES_MAX, "head_too_long"),
        (b"", b"220 mail.example.com ESMTP\r\n", 1, "not_http"),
        (b"", b"\x15\x03\x01\x00\x02\x02\x46", 1, "not_http"),
        (OK, b"X: y\r\n", HEAD_BYTES_MAX, None),
        (OK, b"x", HEAD_BYTES_MAX, None),
        (OK + b"\r\n", b"x", BODY_BYTES_MAX, None),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", FRAMED_BYTES_MAX, None),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x", FRAMED_BYTES_MAX, None),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n", FRAMED_BYTES_MAX, None),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"fffffff\r\n", BODY_BYTES_MAX, None),
    ],
)
def test_whatever_has_no_end_is_read_to_a_bound(
    first: bytes, then: bytes, bound: int, unreadable: str | None, split: int
) -> None:
    reader, fed = read(first), len(first)
    endless = then * (4096 // len(then) + 1)
    while not reader.done:
        for at in range(0, len(endless), split):
            if not reader.done:
                piece = endless[at : at + split]
                reader.feed(piece)
                fed += len(piece)
    assert fed <= bound + len(first) + len(then) + split + 1
    assert (reader.unreadable, reader.reusable) == (unreadable, False)
    assert len(reader.excerpt) <= EXCERPT_BYTES_MAX


def test_no_mutated_answer_is_beyond_it() -> None:
    chance = random.Random(8)
    pieces = [b"\r\n", b"\n", b"\r", b"\x00", b":", b";", b" ", b"HTTP/1.1", b"200", b"100", b"f" * 17, b"-1", b"\xff"]
    for _ in range(MUTATED):
        answer = bytearray(chance.choice(ANSWERS))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(answer) + 1)
            answer[at : at + chance.randint(0, 3)] = chance.choice(pieces)
        cuts = sorted(chance.randrange(len(answer) + 1) for _ in range(2))
        reader = read(bytes(answer[: cuts[0]]), bytes(answer[cuts[0] : cuts[1]]), bytes(answer[cuts[1] :]), ended=True)
        assert reader.done
        assert reader.status is None or 100 <= reader.status <= 999
        assert (reader.status is not None) or not reader.excerpt
