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

from tests.waiting import until
from tests.webhooks import receiver
from tests.webhooks.naming import fails_with
from tests.webhooks.receiver import Receiver, Script, answers, says
from webhooks import signature
from webhooks.delivery import Fault, Outcome
from webhooks.guard import AddrInfo, Policy
from webhooks.names import CANARY
from webhooks.sender import ANSWER_BYTES_MAX, EXCERPT_BYTES_MAX, Sender

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
    assert request.headers["user-agent"] == "Rollbook/0.1 (+webhooks)"
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
    ("script", "fault", "status"),
    [
        (receiver.hangs, "timeout", None),
        (receiver.stops_mid_body, "timeout", 200),
        (receiver.dribbles, "timeout", 200),
        (receiver.never_gets_to_the_point, "timeout", None),
        (receiver.breaks_off_mid_body, "reset", 200),
        (receiver.hangs_up, "reset", None),
        (receiver.resets, "reset", None),
        (receiver.talks_nonsense, "protocol", None),
        (receiver.boasts, "protocol", None),
    ],
)
async def test_a_receiver_that_misbehaves_is_a_failure_with_a_name(
    sender: Sender, script: Script, fault: Fault, status: int | None
) -> None:
    async with Receiver(script) as target:
        outcome = await post(sender, target.url)
        await until(lambda: target.open_connections == 0)
        assert len(target.received) == 1, "one attempt is one request"
    assert not outcome.delivered
    assert not outcome.own_fault
    assert (outcome.fault, outcome.status) == (fault, status)
    assert outcome.duration_ms < 5 * IMPATIENT_S * 1000


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


async def test_the_url_is_asked_for_as_it_is_written(sender: Sender) -> None:
    async with Receiver(answers(200)) as target:
        assert (await post(sender, f"http://localhost:{target.port}/a%2Fb/\u00fc?c=d%20e&f#g")).delivered
        (request,) = target.received
        assert request.headers["host"] == f"localhost:{target.port}"
    assert request.line == "POST /a%2Fb/%C3%BC?c=d%20e&f HTTP/1.1"


async def test_a_connection_is_kept_for_the_next_post(sender: Sender) -> None:
    async with Receiver(answers(200, bytes(ANSWER_BYTES_MAX))) as target:
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
async def test_silence_about_a_name_is_told_apart_likewise(canary: int, fault: Fault) -> None:
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

    async def answers_when_told(_: StreamReader, writer: StreamWriter) -> None:
        await waiting.wait()
        await answers(200)(_, writer)

    async with Sender(DEVELOPMENT, in_flight_max=3) as sender, Receiver(answers_when_told) as target:
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
