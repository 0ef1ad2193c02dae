"""What a broker's URL must look like, and what is said when the broker cannot be used."""

import ssl
from socket import gaierror

import pytest
from aiormq.exceptions import (
    AMQPConnectionError,
    ChannelPreconditionFailed,
    InvalidFrameError,
    ProbableAuthenticationError,
)

from webhooks.broker import broker_url
from webhooks.broker.broker_url import cause, parse

URL = "amqp://me:hush@mq.example:5673/shop"


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("amqp://mq.example", ("mq.example", 5672, "/", "guest", False)),
        ("amqp://mq.example/", ("mq.example", 5672, "/", "guest", False)),
        ("amqps://a%40b:hush@mq.example/%2Fshop", ("mq.example", 5671, "/shop", "a@b", True)),
        ("amqp://me:hush@[::1]:1/shop?heartbeat=5", ("::1", 1, "shop", "me", False)),
    ],
)
def test_a_url_says_where_a_broker_is_and_as_whom_it_is_used(url: str, parts: tuple[object, ...]) -> None:
    assert parse(url) == parts


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("foo", "is not a URL"),
        ("mq.example:5672", "is not a URL"),
        ("http://mq.example", "is not a URL"),
        ("amqp://", "is not a URL"),
        ("amqp://[::1", "is not a URL"),
        ("amqp://me:hush@a:5672,b:5672/", "more than one host"),
        ("amqp://a,b/", "more than one host"),
        ("amqp://mq.example:70000/", "port"),
        ("amqp://mq.example:port/", "port"),
        ("amqp://mq.example:0/", "port 0"),
        ("amqp://:5672/", "names no host"),
        ("amqp://me@/shop", "names no host"),
        ("amqp://mq .example/", "names no host"),
    ],
)
def test_what_can_never_lead_to_a_broker_is_refused_without_its_password(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        parse(url)
    assert "hush" not in str(refused.value)


def from_os(error: OSError) -> AMQPConnectionError:
    wrapped = AMQPConnectionError(*error.args)
    wrapped.__cause__ = error
    return wrapped


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (from_os(ConnectionRefusedError(111, "no")), "nothing accepts connections there"),
        (from_os(gaierror(-2, "no")), "the host name does not resolve"),
        (from_os(ssl.SSLError(1, "wrong version number")), "TLS could not be agreed on"),
        (ProbableAuthenticationError("ACCESS_REFUSED"), "user 'me' is refused"),
        (InvalidFrameError("Expected one of ['Connection.OpenOk'], got <x>"), "there is no such virtual host"),
        (TimeoutError(), "did not answer in time"),
        (ConnectionError("the broker closed the channel"), "the broker closed the channel"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_what_is_said_of_a_broker_is_one_line_that_names_it_and_the_cause(error: Exception, said: str) -> None:
    line = cause(URL, error)
    assert line.startswith("mq.example:5673, virtual host 'shop', user 'me': ")
    assert said in line
    assert "\n" not in line
    assert "hush" not in line


def test_a_refusal_is_one_short_line_with_its_type() -> None:
    refusal = ChannelPreconditionFailed(
        "PRECONDITION_FAILED - inequivalent arg 'x-queue-type'" + "x" * 1_000 + "\nmore"
    )
    line = broker_url.said(refusal)
    assert line.startswith("ChannelPreconditionFailed: PRECONDITION_FAILED - inequivalent arg 'x-queue-type'")
    assert "\n" not in line
    assert len(line) < 600
