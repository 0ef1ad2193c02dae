"""Multipart forms: what is one, and that what is none is refused without a word of it."""

import random
import time
from contextlib import suppress

import pytest
import structlog

from events.errors import Refusal
from service.http import form, multipart
from tests.service.http import raw
from tests.service.serving import Api

CARD = "4242424242424242"
TYPE = "multipart/form-data; boundary=B"


def part(name: str, value: str, *more: str) -> str:
    return "\r\n".join(("--B", f'Content-Disposition: form-data; name="{name}"', *more, "", value, ""))


def body(*parts: str) -> bytes:
    return "".join((*parts, "--B--\r\n")).encode()


def test_a_form_is_read_as_its_senders_write_it() -> None:
    assert multipart.decode(body(part("a[b]", "1"), part("c[]", "é\r\n--"), part("c[]", "")), TYPE) == {
        "a": {"b": "1"}, "c": ["é\r\n--", ""],
    }  # fmt: skip
    for content_type in (
        'multipart/form-data; boundary="B"',
        "Multipart/Form-Data;BOUNDARY=B ; charset=utf-8",
        "multipart/form-data; charset=utf-8; boundary=B",
    ):
        assert multipart.decode(body(part("a", "1")), content_type) == {"a": "1"}
    assert multipart.decode(b"--B--", TYPE) == {}
    assert multipart.decode(b"before\r\n--B--after", TYPE) == {}
    escaped = multipart.decode(body(part(r"\"a\\", "1", "content-type:text/plain;charset=UTF-8 ", "X-Other: \t")), TYPE)
    assert escaped == {'"a\\': "1"}
    spaced = b"--B \t\r\nContent-Disposition:form-data ; name=a\r\n\r\n1\r\n--B--"
    assert multipart.decode(spaced, TYPE) == {"a": "1"}


NO_FORMS = {
    "no blank line": f'--B\r\nContent-Disposition: form-data; name="card[number]"\r\n{CARD}\r\n--B--\r\n',
    "another boundary": f"--C\r\n\r\n{CARD}\r\n--C--",
    "a longer boundary": f"--Bx\r\n\r\n{CARD}\r\n--Bx--",
    "line feeds alone": f'--B\nContent-Disposition: form-data; name="a"\n\n{CARD}\n--B--\n',
    "no end": f'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n{CARD}',
    "no name": f"--B\r\nContent-Disposition: form-data\r\n\r\n{CARD}\r\n--B--",
    "no disposition": f"--B\r\n\r\n{CARD}\r\n--B--",
    "another disposition": f'--B\r\nContent-Disposition: inline; name="a"\r\n\r\n{CARD}\r\n--B--',
    "two dispositions": part("a", CARD, 'Content-Disposition: form-data; name="b"') + "--B--",
    "a header without a colon": part("a", CARD, CARD) + "--B--",
    "a folded header": part("a", CARD, "X: y", f" {CARD}") + "--B--",
    "a bare return": part("a", CARD, f"X: \r{CARD}") + "--B--",
    "too many headers": part("a", CARD, *(f"X{n}: {CARD}" for n in range(20))) + "--B--",
    "too long a header": part("a", CARD, "X: " + "4242424242424242 " * 600) + "--B--",
    "an open quote": f'--B\r\nContent-Disposition: form-data; name="{CARD}\r\n\r\n{CARD}\r\n--B--',
    "a charset": part("a", CARD, "Content-Type: text/plain; charset=utf-16") + "--B--",
    "a picture": part("a", CARD, "Content-Type: image/png") + "--B--",
    "base64": part("a", CARD, "Content-Transfer-Encoding: base64") + "--B--",
    "nothing": "",
}


@pytest.mark.parametrize("what", NO_FORMS)
def test_what_is_no_form_is_refused_in_words_that_quote_nothing(what: str) -> None:
    with pytest.raises(Refusal) as raised:
        multipart.decode(NO_FORMS[what].encode(), TYPE)
    assert CARD not in raised.value.message
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=", "x; boundary=é é"])
def test_a_form_needs_a_boundary(content_type: str) -> None:
    with pytest.raises(Refusal):
        multipart.decode(body(part("a", "1")), content_type)


def test_parts_are_bounded_before_they_are_read() -> None:
    with pytest.raises(Refusal, match="Too many parameters"):
        multipart.decode(body(*(part("a", "1") for _ in range(form.PARAMETERS_MAX + 1))), TYPE)
    assert multipart.decode(body(*(part("a", "1") for _ in range(form.PARAMETERS_MAX))), TYPE) == {"a": "1"}


HEAVY = [
    b"\r\n" * 500_000,
    b"--B\r\n" * 200_000,
    b"\r\n--B" * 200_000,
    b"--B\r\n" + b"X: y\r\n" * 160_000,
    b'"' * 1_000_000,
    # Headers that a pattern would go through again and again, of one long part or of many that are short enough.
    *(
        b"".join(
            b"--B\r\n%b\r\n\r\nx\r\n" % (head % (filling * (length // len(filling))))
            for _ in range(1_000_000 // length)
        )
        + b"--B--\r\n"
        for length in (1900, 8000, 60_000)
        for head, filling in (
            (b'X: y%bz\r\nContent-Disposition: form-data; name="a"', b" "),
            (b'Content-Disposition: form-data%b; name="a"', b" "),
            (b'Content-Disposition: form-data%b; name="a"', b"; a=b"),
            (b'Content-Disposition: form-data; name="%b"', b"\\a"),
        )
    ),
]


@pytest.mark.parametrize("heavy", HEAVY, ids=range(len(HEAVY)))
def test_a_megabyte_of_nothing_does_not_block_the_event_loop(heavy: bytes) -> None:
    quickest = min(_elapsed_s(heavy) for _ in range(3))
    assert quickest < 0.1


def _elapsed_s(heavy: bytes) -> float:
    started = time.process_time()
    with suppress(Refusal):
        multipart.decode(heavy, TYPE)
    return time.process_time() - started


def test_nothing_but_a_refusal_comes_of_any_bytes() -> None:
    dice = random.Random(7578)
    good = body(part("a[b]", "x", "Content-Type: text/plain; charset=utf-8"), part("c", "y"))
    odd = [b"--B", b"\r\n", b"\r", b"\n", b"\0", b"\xff", b'"', b"\\", b";", b":", b"=", b"--", b"name", b"[]"]
    outcomes = set()
    for _ in range(5000):
        broken = bytearray(good)
        for _ in range(dice.randint(1, 5)):
            at = dice.randrange(len(broken) + 1)
            broken[at : at + dice.randint(0, 4)] = dice.choice(odd)
        try:
            multipart.decode(bytes(broken), TYPE)
        except Refusal:
            outcomes.add("refused")
        else:
            outcomes.add("read")
    assert outcomes == {"refused", "read"}


@pytest.mark.parametrize("key", [True, False])
async def test_a_malformed_form_is_a_400_and_its_content_neither_answered_nor_logged(api: Api, key: bool) -> None:
    more = (f"Content-Type: {TYPE}\r\n".encode(),)
    with structlog.testing.capture_logs() as lines:
        for what, sent in NO_FORMS.items():
            answer = await raw.ask(api, raw.post(api, "/v1/tokens", sent.encode(), *more, key=key))
            assert answer.status == 400, what
            assert CARD not in answer.body.decode()
    assert CARD not in str(lines)
    assert {line["log_level"] for line in lines} == {"info"}
