"""Why attempts fail, in words: handshakes of every kind against a real server."""

import asyncio
import ssl
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.webhooks.certificates import Authority
from tests.webhooks.receiver import Receiver, answers
from webhooks import explanation
from webhooks.outcome import OWN_FAULTS, Outcome
from webhooks.post import signature, tls
from webhooks.post.sender import Sender
from webhooks.post.ssrf import Policy

SECRET = signature.new_secret(bytes(range(32)))
DEVELOPMENT = Policy(production=False)


async def post(url: str, authority: Authority | None = None) -> Outcome:
    trusted = tls.context(authority.ca_file) if authority else None
    async with Sender(DEVELOPMENT, tls=trusted, total_timeout_s=2) as sender:
        return await sender.post(url, b"{}", [SECRET], id="evt_1", timestamp=int(time.time()))


def _without_the_chain(authority: Authority) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("127.0.0.1"))
    return context


@pytest.mark.parametrize(
    ("serving", "trusted", "code"),
    [
        (lambda authority: authority.serving("other.example"), True, "tls.wrong_host"),
        (_without_the_chain, False, "tls.unknown_issuer"),
        (lambda authority: authority.serving("127.0.0.1", for_s=-60), True, "tls.expired"),
        (lambda authority: authority.serving_as_itself(), True, "tls.self_signed"),
    ],
)
async def test_a_handshake_that_fails_says_why(
    tmp_path: Path, serving: Callable[[Authority], ssl.SSLContext], trusted: bool, code: str
) -> None:
    authority = Authority(tmp_path)
    async with Receiver(answers(200), tls=serving(authority)) as target:
        outcome = await post(target.url, authority if trusted else None)
    assert (outcome.fault, outcome.code) == ("tls", code)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "tls.not_tls"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "tls.version"),  # an alert: protocol_version
        (b"\x15\x03\x03\x00\x02\x02\x28", "tls.ciphers"),  # handshake_failure
        (b"\x15\x03\x03\x00\x02\x02\x2a", "tls.client_certificate"),  # bad_certificate
        (b"", "tls.closed"),
    ],
)
async def test_what_a_receiver_says_to_a_handshake_is_the_reason(said: bytes, code: str) -> None:
    async def answers_the_hello(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.read(1)
        writer.write(said)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answers_the_hello, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        assert (await post(f"https://127.0.0.1:{port}/")).code == code
    assert (await post(f"https://127.0.0.1:{port}/")).code == "connect.refused"


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        (None, 200, None),
        (None, None, None),
        (None, 404, "The receiver answered 404; only 2xx counts as received."),
        (None, 302, "The receiver answered 302: redirects are not followed; register the URL that they lead to."),
        (None, 410, "The receiver answered 410: the address is gone, so nothing more is sent to it."),
        ("tls.expired", None, "The receiver's certificate, or one that signed it, has expired."),
        ("tls.of_a_later_version", None, "The TLS handshake with the receiver failed."),
        ("of_a_later_version", None, "The attempt failed."),
    ],
)
def test_words(code: str | None, status: int | None, words: str | None) -> None:
    assert explanation.words(code, status) == words


def test_every_fault_of_our_own_has_words_and_each_is_one_sentence_or_two() -> None:
    assert explanation.WORDS.keys() >= OWN_FAULTS
    assert all(words.endswith(".") and len(words) < 200 for words in explanation.WORDS.values())
    assert {explanation.fault_of(code) for code in explanation.WORDS} <= explanation.WORDS.keys()
