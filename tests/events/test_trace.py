"""What goes on with a caller's trace, and what begins one of its own."""

import re

import pytest

from events import trace

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SENT = f"00-{TRACE}-{SPAN}-01"
BYTES = bytes(range(1, 25))
OWN = "00-0102030405060708090a0b0c0d0e0f10-1112131415161718-01"


def test_a_trace_of_our_own_is_made_of_the_bytes_it_is_given() -> None:
    assert trace.begin(BYTES) == OWN
    assert trace.go_on(OWN, BYTES).startswith(OWN[:36]), "what we begin others can go on with"
    assert trace.id_of(OWN) == "0102030405060708090a0b0c0d0e0f10"


def test_a_callers_trace_is_gone_on_with_in_a_span_of_our_own() -> None:
    assert trace.go_on(SENT, BYTES) == f"00-{TRACE}-0102030405060708-01"


def test_an_attempt_is_a_further_span_of_the_same_trace() -> None:
    further = trace.child(SENT, bytes(range(8)))
    assert further == f"00-{TRACE}-0001020304050607-01"
    assert trace.id_of(further) == TRACE


@pytest.mark.parametrize(
    ("flags", "passed_on"), [("00", "00"), ("01", "01"), ("02", "02"), ("03", "03"), ("ff", "03"), ("f4", "00")]
)
def test_flags_that_are_defined_are_passed_on_and_no_others(flags: str, passed_on: str) -> None:
    assert trace.go_on(f"00-{TRACE}-{SPAN}-{flags}", BYTES)[-2:] == passed_on


@pytest.mark.parametrize("rest", ["", "-", "-and what a later version says", "-\n"])
def test_of_a_later_version_what_it_shares_with_ours_is_read(rest: str) -> None:
    assert trace.go_on(f"cc-{TRACE}-{SPAN}-0f{rest}", BYTES) == f"00-{TRACE}-0102030405060708-01"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        SENT.upper(),
        SENT + " ",
        SENT + "\n",
        SENT + "-",
        SENT + "-more",
        SENT + "0",
        SENT[:-1],
        SENT.replace("-", "_"),
        f"ff-{TRACE}-{SPAN}-01",
        f"0-{TRACE}-{SPAN}-01",
        f"000-{TRACE}-{SPAN}-01",
        f"0x-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}0-{SPAN}-01",
        f"00-{TRACE}-{SPAN[:-1]}-01",
        f"00-{TRACE}-{SPAN}0-01",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
        f"00-{TRACE[:-1]}.-{SPAN}-01",
        f"00-{TRACE[:-1]}４-{SPAN}-01",  # a digit, though not one of hex
        f"00-{TRACE[:-1]}\udced-{SPAN}-01",  # as a byte that is no text arrives
        f"00-{TRACE}-{SPAN}-0x",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"cc-{TRACE}-{SPAN}-0",
        f"00-{TRACE}-{SPAN}-01,{SENT}",
    ],
)
def test_what_is_no_traceparent_is_as_if_it_were_not_there(header: str) -> None:
    assert trace.go_on(header, BYTES) == OWN


def test_all_that_we_send_is_of_our_version() -> None:
    ours = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]")
    for made in (trace.begin(BYTES), trace.go_on(SENT, BYTES), trace.go_on(f"cc-{TRACE}-{SPAN}-ff-x", BYTES)):
        assert ours.fullmatch(made)
        assert ours.fullmatch(trace.child(made, bytes(range(8))))
