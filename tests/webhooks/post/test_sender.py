"""Sending to receivers on real sockets, well-behaved and otherwise."""

import asyncio
import gzip
import socket
import threading
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from errno import EMFILE

import pytest
import pytest_asyncio
import stripe
from aiohttp.abc import ResolveResult
from standardwebhooks.webhooks import Webhook

from events.version import VERSION
from tests.waiting import until
from tests.webhooks import receiver
from tests.webhooks.naming import fails_with
from tests.webhooks.post.request_targets import TARGETS
from tests.webhooks.receiver import Receiver, Script, answers, says
from webhooks.outcome import Fault, Outcome
from webhooks.post import signature
from webhooks.post.answer import BODY_BYTES_MAX, EXCERPT_BYTES_MAX
from webhooks.post.resolver import CANARY
from webhooks.post.sender import Sender
from webhooks.post.ssrf import AddrInfo, Policy

BODY = b'{\n  "id": "evt_1",\n  "object": "event"\n}'
ID = "evt_1"
SECRET = signature.new_secret(bytes(range(32)))
DEVELOPMENT = Policy(production=False)
IMPATIENT_S = 0.3


@pytest_asyncio.fixture
async def sender() -> AsyncIterator[Sender]:
    async with Sender(DEVELOPMENT, total_timeout_s=IMPATIENT_S) as each:
        yield each


async def post(sender: Sender, url: str, body: bytes = BODY) -> Outcome:
    return await sender.post(url, body, [SECRET], id=ID, timestamp=int(time.time()))


async def test_a_2xx_is_a_delivery(sender: Sender) -> None:
    async with Receiver(answers(202, b"thanks")) as target:
        outcome = await post(sender, target.url)
    assert outcome.delivered
    assert (outcome.status, outcome.fault, outcome.excerpt) == (202, None, b"thanks")
    assert 0 <= outcome.duration_ms < 1000


@pytest.mark.parametrize(
    ("status", "said", "kept"), [(503, "120", "120"), (429, "x" * 100, "x" * 64), (404, "", None), (200, "120", None)]
)
async def test_a_failed_answer_may_say_when_it_would_be_asked_again(
    sender: Sender, status: int, said: str, kept: str | None
) -> None:
    async with Receiver(answers(status, Retry_After=said)) as target:
        assert (await post(sender, target.url)).retry_after == kept


async def test_the_request_is_the_signed_bytes_and_says_who_sends_them(sender: Sender) -> None:
    async with Receiver(answers(200)) as target:
        await post(sender, target.url + "?token=1")
        (request,) = target.received
    assert request.line == "POST /hook?token=1 HTTP/1.1"
    assert request.body == BODY
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    assert request.headers["user-agent"] == f"Rollbook/{VERSION} (+webhooks)"
    assert "cookie" not in request.headers
    event = stripe.Webhook.construct_event(request.body, request.headers["stripe-signature"], SECRET)
    assert event.id == "evt_1"
    assert Webhook(SECRET).verify(request.body, request.headers)["id"] == "evt_1"


@pytest.mark.parametrize("status", [400, 401, 404, 410, 429, 500, 503])
async def test_any_other_status_is_none(sender: Sender, status: int) -> None:
    async with Receiver(answers(status, b"sorry")) as target:
        outcome = await post(sender, target.url)
    assert not outcome.delivered
    assert (outcome.status, outcome.fault, outcome.excerpt) == (status, None, b"sorry")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_failure_and_not_followed(sender: Sender, status: int) -> None:
    async with Receiver(answers(200)) as elsewhere, Receiver(answers(status, Location=elsewhere.url)) as target:
        outcome = await post(sender, target.url)
        assert elsewhere.connections == 0
    assert not outcome.delivered
    assert outcome.status == status


@pytest.mark.parametrize(
    ("script", "fault", "code"),
    [
        (receiver.hangs, "timeout", "timeout"),
        (receiver.never_gets_to_the_point, "protocol", "protocol.too_many_interim"),
        (receiver.hangs_up, "reset", "reset"),
        (receiver.resets, "reset", "reset"),
        (receiver.talks_nonsense, "protocol", "protocol.not_http"),
        (receiver.goes_on_about(b"HTTP/1.1 100 Continue\r\n\r\n"), "protocol", "protocol.too_many_interim"),
        (receiver.goes_on_about(b"\r\n"), "protocol", "protocol.head_too_long"),
        (
            receiver.goes_on_about(b"HTTP/1.1 100 C\r\n", b"X: y\r\n"),
            "protocol",
            "protocol.head_too_long",
        ),
    ],
)
async def test_a_receiver_that_misbehaves_is_a_failure_with_a_name(
    sender: Sender, script: Script, fault: Fault, code: str
) -> None:
    async with Receiver(script) as target:
        outcome = await post(sender, target.url)
        await until(lambda: target.open_connections == 0)
        assert len(target.received) == 1, "one attempt is one request"
    assert not outcome.delivered
    assert not outcome.own_fault
    assert (outcome.fault, outcome.code, outcome.status) == (fault, code, None)
    assert outcome.duration_ms < 5 * IMPATIENT_S * 1000


@pytest.mark.parametrize(
    "script",
    [
        receiver.stops_mid_body,
        receiver.dribbles,
        receiver.breaks_off_mid_body,
        receiver.boasts,
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok", hangs_up=True),
        says(b"HTTP/1.1 200 OK\r\nContent-Security-Policy: " + b"x" * 9_000 + b"\r\nContent-Length: 2\r\n\r\nok"),
        says(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 1_000 + b"Content-Length: 2\r\n\r\nok"),
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"),
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"),
        says(b"HTTP/1.1 200 OK\r\nContent-Length: none\r\n\r\nok"),
        says(b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok"),
        says(b"HTTP/1.1 204 No Content\r\n\r\nok"),
        says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n"),
        says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", hangs_up=True),
        says(b"HTTP/1.1 200 OK\r\nno colon\r\n: no name\r\n\r\n", hangs_up=True),
        says(b"HTTP/1.1 200 OK\r\nX: y", hangs_up=True),
        says(b"HTTP/1.1 200 OK\n\n", hangs_up=True),
        says(b"\r\n\r\nHTTP/1.1 200\r\n\r\n", hangs_up=True),
        receiver.goes_on_about(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        receiver.goes_on_about(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"extension;"),
        receiver.goes_on_about(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        receiver.goes_on_about(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
        receiver.goes_on_about(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ],
)
async def test_any_2xx_is_success_whatever_follows_it(sender: Sender, script: Script) -> None:
    async with Receiver(script) as target:
        for _ in range(2):  # the second is not confused by what is left of the first
            outcome = await post(sender, target.url)
            assert outcome.delivered, outcome
            assert (outcome.fault, outcome.code) == (None, None)
            assert outcome.duration_ms < 5 * IMPATIENT_S * 1000
        assert len(target.received) == 2


async def test_what_follows_the_status_is_waited_for_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhooks.post.http1.REST_TIMEOUT_S", 0.05)
    async with Sender(DEVELOPMENT) as sender, Receiver(receiver.stops_mid_body) as target:
        outcome = await post(sender, target.url)
    assert (outcome.delivered, outcome.excerpt) == (True, b"half an ans")
    assert outcome.duration_ms < 1_000


async def test_an_idle_connection_that_says_something_is_not_used_again(sender: Sender) -> None:
    async with Receiver(says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as target:
        writers: list[StreamWriter] = []

        async def adds_another_answer_later(reader: StreamReader, writer: StreamWriter) -> None:
            writers.append(writer)
            await answers(200)(reader, writer)

        async with Receiver(adds_another_answer_later) as late:
            assert (await post(sender, late.url)).delivered
            writers[0].write(b"HTTP/1.1 500 Surplus\r\nContent-Length: 0\r\n\r\n")
            await until(lambda: late.open_connections == 0)
            assert (await post(sender, late.url)).status == 200
            assert late.connections == 2
        assert (await post(sender, target.url)).delivered


async def test_a_receiver_that_never_ends_takes_nobody_elses_time() -> None:
    """Whatever is sent is read in bounded pieces: the loop goes on turning."""
    floods = [
        receiver.goes_on_about(b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000),
        receiver.goes_on_about(b"\r\n" * 30_000),
        receiver.goes_on_about(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x" * 60_000),
    ]
    async with Sender(DEVELOPMENT) as sender:
        for script in floods:
            async with Receiver(script) as target:
                outcome = await post(sender, target.url)
                assert outcome.duration_ms < 2_000


async def test_of_gigabytes_only_the_beginning_is_read() -> None:
    async with Sender(DEVELOPMENT) as sender, Receiver(receiver.floods) as target:
        outcome = await post(sender, target.url)
        await until(lambda: target.open_connections == 0)
    assert outcome.delivered, "it said 200, and its body means nothing"
    assert outcome.excerpt == bytes(EXCERPT_BYTES_MAX)


async def test_an_excerpt_is_as_sent_and_never_unpacked(sender: Sender) -> None:
    bomb = gzip.compress(bytes(1_000_000))
    async with Receiver(answers(200, bomb, Content_Encoding="gzip")) as target:
        outcome = await post(sender, target.url)
    assert outcome.excerpt == bomb[:EXCERPT_BYTES_MAX]


@pytest.mark.parametrize(
    ("script", "connections"),
    [
        (says(b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell"), 1),
        (says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nwe\r\n2\r\nll\r\n0\r\n\r\n"), 1),
        (says(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nwell"), 2),
        (says(b"HTTP/1.0 200 OK\r\n\r\nwell", hangs_up=True), 2),
    ],
    ids=["after an interim answer", "in chunks", "for the last time", "to the end of the connection"],
)
async def test_however_an_answer_is_given_it_is_read(sender: Sender, script: Script, connections: int) -> None:
    async with Receiver(script) as target:
        for _ in range(2):
            outcome = await post(sender, target.url)
            assert (outcome.status, outcome.fault, outcome.excerpt) == (200, None, b"well")
    assert target.connections == connections


async def test_the_url_is_asked_for_as_it_is_registered(sender: Sender) -> None:
    async with Receiver(answers(200)) as target:
        for asked in TARGETS:
            assert (await post(sender, f"http://localhost:{target.port}{asked}#fragment")).delivered
        assert (await post(sender, f"http://localhost:{target.port}/\u00fc?\U0001f600")).delivered
        assert target.received[0].headers["host"] == f"localhost:{target.port}"
        lines = [request.line for request in target.received]
    assert lines == [f"POST {asked} HTTP/1.1" for asked in (*TARGETS, "/%C3%BC?%F0%9F%98%80")]


async def test_a_connection_is_kept_for_the_next_post(sender: Sender) -> None:
    async with Receiver(answers(200, bytes(BODY_BYTES_MAX))) as target:
        for _ in range(5):
            assert (await post(sender, target.url)).delivered
        assert target.connections == 1


async def test_cookies_are_not_kept(sender: Sender) -> None:
    async with Receiver(answers(200, Set_Cookie="session=1; Path=/")) as target:
        for _ in range(2):
            await post(sender, target.url)
        assert all("cookie" not in request.headers for request in target.received)


async def test_a_kept_connection_closed_by_the_receiver_costs_no_attempt(sender: Sender) -> None:
    async def closes_before_the_second_answer(_: StreamReader, writer: StreamWriter) -> None:
        if len(target.received) == 2:
            await receiver.resets(_, writer)
        else:
            await answers(200)(_, writer)

    async with Receiver(closes_before_the_second_answer) as target:
        assert (await post(sender, target.url)).delivered
        assert (await post(sender, target.url)).delivered
        assert (len(target.received), target.connections) == (3, 2)


async def test_nobody_listening(sender: Sender) -> None:
    async with Receiver(answers(200)) as target:
        url = target.url
    outcome = await post(sender, url)
    assert (outcome.fault, outcome.unreachable) == ("connect", True)


async def test_a_host_that_takes_no_connection_is_left_after_the_connect_timeout() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):  # its queue is full now
            async with Sender(DEVELOPMENT, connect_timeout_s=0.2) as sender:
                outcome = await post(sender, f"http://127.0.0.1:{port}/")
    assert outcome.fault == "connect"


@pytest.mark.parametrize(
    ("number", "resolver_answers", "fault"),
    [
        (socket.EAI_NONAME, True, "dns"),
        (socket.EAI_NONAME, False, "dns"),  # it was an answer
        (socket.EAI_NODATA, False, "dns"),
        (socket.EAI_AGAIN, True, "dns"),
        (socket.EAI_AGAIN, False, "resolver"),
        (socket.EAI_FAIL, True, "dns"),
        (socket.EAI_FAIL, False, "resolver"),
        (socket.EAI_SYSTEM, True, "resolver"),
        (socket.EAI_MEMORY, True, "resolver"),
    ],
)
async def test_a_name_that_does_not_resolve_is_the_receivers_fault_unless_our_resolver_is_away(
    number: int, resolver_answers: bool, fault: Fault
) -> None:
    async with Sender(DEVELOPMENT, lookup=fails_with(number, resolver_answers=resolver_answers)) as sender:
        outcome = await post(sender, "http://nowhere.example/")
    assert (outcome.fault, outcome.own_fault) == (fault, fault == "resolver")


@pytest.mark.parametrize(("canary", "fault"), [(socket.EAI_NONAME, "dns"), (socket.EAI_AGAIN, "resolver")])
async def test_a_resolver_that_does_not_answer_has_a_fault_of_its_own(canary: int, fault: Fault) -> None:
    answered = threading.Event()

    def keeps_silent(host: str, _: int, __: int) -> list[ResolveResult]:
        if host == CANARY:
            raise socket.gaierror(canary, "canary")
        answered.wait(10)
        return []

    async with Sender(DEVELOPMENT, connect_timeout_s=0.05, lookup=keeps_silent) as sender:
        try:
            assert (await post(sender, "http://silent.example/")).fault == fault
        finally:
            answered.set()


async def test_running_out_of_file_handles_is_our_own_fault() -> None:
    class NoHandlesLeft(Policy):
        def open_socket(self, found: AddrInfo) -> socket.socket:
            raise OSError(EMFILE, "Too many open files")

    async with Sender(NoHandlesLeft(production=False)) as sender:
        outcome = await post(sender, "http://127.0.0.1:8000/")
    assert (outcome.fault, outcome.own_fault) == ("exhausted", True)


async def test_no_more_are_on_their_way_than_allowed() -> None:
    waiting = asyncio.Event()

    async def answers_when_asked(_: StreamReader, writer: StreamWriter) -> None:
        await waiting.wait()
        await answers(200)(_, writer)

    async with Sender(DEVELOPMENT, in_flight_max=3) as sender, Receiver(answers_when_asked) as target:
        posts = [asyncio.ensure_future(post(sender, target.url)) for _ in range(10)]
        await until(lambda: len(target.received) == 3)
        waiting.set()
        assert all(outcome.delivered for outcome in await asyncio.gather(*posts))
        assert target.connections == 3


async def test_a_cancelled_post_leaves_nothing_behind() -> None:
    async with Sender(DEVELOPMENT) as sender, Receiver(receiver.hangs) as target:
        cancelled = asyncio.ensure_future(post(sender, target.url))
        await until(lambda: target.received)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
    async with Receiver(answers(200)) as target, Sender(DEVELOPMENT) as sender:
        assert (await post(sender, target.url)).delivered
