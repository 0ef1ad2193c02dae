"""Stack traces: types and locations, and nothing that an exception quotes."""

import asyncio
import logging
from typing import Any

import asyncpg
import orjson
import pytest
import structlog
from aiohttp.http_exceptions import InvalidHeader

from events.errors import BrokenHistory, LogUnavailable, Refusal
from service import logging as service_logging
from service import stack_traces
from service.http import form

SECRET = "4242424242424242"


def caught(raising: Any) -> BaseException:
    with pytest.raises(BaseException) as raised:
        raising()
    return raised.value


def a_chain() -> None:
    try:
        try:
            raise InvalidHeader(SECRET.encode())
        except InvalidHeader as error:
            raise ValueError(SECRET) from error
    except ValueError:
        raise ExceptionGroup(SECRET, [KeyError(SECRET), LookupError(SECRET)]) from None


def a_context() -> None:
    try:
        int(SECRET + "x")
    except ValueError:
        raise RuntimeError(SECRET)  # noqa: B904  (the context is what is looked at)


ERRORS = [
    caught(a_chain),
    caught(a_context),
    caught(lambda: form.decode(f"a[]={SECRET}&a[b]={SECRET}")),
    Refusal(SECRET),
    OSError(SECRET),
    asyncpg.InvalidTextRepresentationError(SECRET),
    UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, SECRET),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_no_log_line_quotes_what_an_exception_quotes(error: BaseException) -> None:
    for given in (error, (type(error), error, error.__traceback__)):
        line = service_logging._json(None, "error", {"event": "x", "exc_info": given})
        assert SECRET.encode() not in line
        assert type(error).__name__ in orjson.loads(line)["exception"]
        shown = service_logging.readable(colors=False)(
            structlog.get_logger(), "error", {"event": "x", "exc_info": given}
        )
        assert SECRET not in shown
        assert type(error).__name__ in shown


def test_a_chain_is_shown_whole_the_cause_first() -> None:
    error = LogUnavailable("no connection to Postgres: ConnectionRefusedError")
    error.__cause__ = ConnectionRefusedError(111, SECRET)
    first, last = stack_traces.render(error).splitlines()
    assert first == "ConnectionRefusedError (errno 111: Connection refused)"
    assert last == "events.errors.LogUnavailable: no connection to Postgres: ConnectionRefusedError"
    group = stack_traces.render(ERRORS[0])
    assert [name for name in ("ExceptionGroup", "KeyError", "LookupError") if name not in group] == []


def test_locations_in_our_own_code_are_shown_and_no_others() -> None:
    shown = stack_traces.render(ERRORS[2])
    assert "service/http/form.py" in shown
    assert __file__ not in shown


def test_our_own_messages_are_shown_where_they_quote_nobody() -> None:
    assert stack_traces.named(BrokenHistory("customer-cus_1 version 2: does not decode")).endswith("does not decode")
    assert stack_traces.named(asyncpg.UndefinedTableError(SECRET)).endswith("UndefinedTableError (SQLSTATE 42P01)")


def test_an_endless_chain_ends() -> None:
    one, other = ValueError(), KeyError()
    one.__cause__, other.__cause__ = other, one
    assert stack_traces.render(one).splitlines() == ["KeyError", "ValueError"]
    long = ExceptionGroup("x", [ValueError() for _ in range(100)])
    assert len(stack_traces.render(long).splitlines()) == stack_traces.LINKED_MAX + 1


def test_what_libraries_log_comes_in_our_form_and_quotes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    library, handler = logging.getLogger("asyncio"), service_logging.Libraries()
    library.addHandler(handler)
    try:
        with structlog.testing.capture_logs() as lines:
            library.error(f"Task exception was never retrieved\nfuture: {SECRET}", exc_info=ValueError(SECRET))
            library.error("Error handling request from %s", SECRET)
    finally:
        library.removeHandler(handler)
    assert [line["message"] for line in lines] == [
        "Task exception was never retrieved", "Error handling request from %s",
    ]  # fmt: skip
    assert [(line["event"], line["logger"], line["log_level"]) for line in lines] == [
        ("library.logged", "asyncio", "error")
    ] * 2


async def test_an_exception_that_nobody_awaits_is_one_such_line() -> None:
    loop, library, handler = asyncio.get_running_loop(), logging.getLogger("asyncio"), service_logging.Libraries()
    library.addHandler(handler)
    try:
        with structlog.testing.capture_logs() as lines:
            loop.call_exception_handler({"message": "Fatal error", "exception": ValueError(SECRET), "data": SECRET})
    finally:
        library.removeHandler(handler)
    assert [line["message"] for line in lines] == ["Fatal error"]
    assert SECRET not in stack_traces.render(lines[0]["exc_info"])
