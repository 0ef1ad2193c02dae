"""What operators do about webhooks from the command line, through the public API."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import orjson
from rich.console import Console
from rich.markup import escape

from service import tables
from service.client import Client, Refused, calling

ENDPOINTS = "/v1/rollbook/webhook_endpoints"
DELIVERIES = "/v1/rollbook/deliveries"
TEST_TRIES = 60  # looks at what became of a test,
TEST_EVERY_S = 0.5  # so far apart: beyond the longest an attempt may take
TIMES = ("at", "breaker_until", "created", "failing_since", "next_attempt", "quiet_until")
ANSWER_SHOWN_MAX = 80  # characters
ENDED = ("delivered", "failed", "canceled", "held")


def endpoint(id: str, verb: str = "") -> str:
    """The path of an endpoint, or of what is done to it."""
    return f"{ENDPOINTS}/{quote(id, safe='')}" + (f"/{verb}" if verb else "")


async def show(url: str, key: str, console: Console, method: str, path: str, **form: str | None) -> None:
    """Do something, and print the object that is the answer. Raises Refused, Away."""
    async with calling(url, key) as client:
        _print(console, await _ask(client, method, path, form))


async def recover(url: str, key: str, console: Console, id: str, start: str) -> None:
    """Have what an endpoint missed since a position or a time sent once more. Raises Refused, Away."""
    form = {"position": start} if start.isdigit() else {"since": str(_seconds(start))}
    await show(url, key, console, "POST", endpoint(id, "recover"), **form)


async def list_endpoints(url: str, key: str, console: Console, *, limit: int) -> None:
    """Print a page of endpoints with how they stand. Raises Refused, Away."""
    async with calling(url, key) as client:
        page = await _ask(client, "GET", ENDPOINTS, {"limit": str(limit)})
    tables.show(
        console,
        ("id", "url", "status", "order", "breaker", "pending", "held", "complete up to", "failing since"),
        (
            (
                each["id"],
                each["url"],
                each["status"],
                each["order"],
                each["breaker"],
                str(each["pending_deliveries"]),
                str(each["held_deliveries"]),
                str(each["complete_up_to"]),
                _time(each["failing_since"]),
            )
            for each in page["data"]
        ),
    )
    _more(console, page)


async def test(url: str, key: str, console: Console, id: str) -> None:
    """Try an endpoint out, and print what became of it. Raises Refused, Away."""
    async with calling(url, key) as client:
        told = await _ask(client, "POST", endpoint(id, "test"))
        wanted = {"notice": told["id"], "endpoint": id}
        for _ in range(TEST_TRIES):
            page = await _ask(client, "GET", DELIVERIES, wanted)
            delivery = page["data"][0] if page["data"] else None
            if delivery is not None and (delivery["state"] in ENDED or delivery["attempt_count"]):
                _print_delivery(console, await _ask(client, "GET", f"{DELIVERIES}/{delivery['id']}"))
                return
            await asyncio.sleep(TEST_EVERY_S)
    raise Refused(f"{told['id']} was not sent yet: is a worker running? See `rollbook deliveries list`.")


async def list_deliveries(url: str, key: str, console: Console, *, limit: int, **wanted: str | None) -> None:
    """Print a page of deliveries. Raises Refused, Away."""
    async with calling(url, key) as client:
        page = await _ask(client, "GET", DELIVERIES, {"limit": str(limit), **wanted})
    tables.show(
        console,
        ("id", "notice", "type", "customer", "endpoint", "state", "attempts", "next attempt"),
        (
            (
                each["id"],
                each["notice"],
                each["type"],
                each["customer"] or "",
                each["endpoint"],
                each["state"],
                str(each["attempt_count"]),
                _time(each["next_attempt"]),
            )
            for each in page["data"]
        ),
    )
    _more(console, page)


async def show_delivery(url: str, key: str, console: Console, method: str, id: str, verb: str = "") -> None:
    """Look at a delivery or do something about it, and print it with its attempts. Raises Refused, Away."""
    path = f"{DELIVERIES}/{quote(id, safe='')}" + (f"/{verb}" if verb else "")
    async with calling(url, key) as client:
        _print_delivery(console, await _ask(client, method, path))


async def _ask(client: Client, method: str, path: str, form: Mapping[str, str | None] | None = None) -> dict[str, Any]:
    sent = [(name, value) for name, value in (form or {}).items() if value is not None]
    answer: dict[str, Any] = orjson.loads((await client.ask(method, path, sent)).body)
    return answer


def _print(console: Console, shown: Mapping[str, Any]) -> None:
    wide = max(map(len, shown))
    for name, value in shown.items():
        if name not in ("object", "attempts"):
            console.print(f"{name.ljust(wide)}  {_text(name, value)}".rstrip(), soft_wrap=True, markup=False)


def _print_delivery(console: Console, shown: Mapping[str, Any]) -> None:
    _print(console, shown)
    rows = []
    for each in shown["attempts"]:
        outcome = "delivered" if each["delivered"] else each["error"] or f"status {each['status']}"
        counts = "yes" if each["counts"] else "no"
        answer = " ".join(each["answer"][:ANSWER_SHOWN_MAX].split())
        when = (str(each["number"]), _time(each["at"]), str(each["duration_ms"]))
        rows.append((*when, outcome, counts, _time(each["next_attempt"]), escape(answer)))
    if rows:
        console.print()
        tables.show(console, ("attempt", "at", "ms", "outcome", "counts", "next", "answer"), rows)


def _text(name: str, value: Any) -> str:
    if name in TIMES:
        return _time(value)
    if isinstance(value, list | dict):
        return orjson.dumps(value).decode()
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _time(seconds: int | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _seconds(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"'{text}' is neither a position nor a time such as 2026-11-23T12:00:00Z.") from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def _more(console: Console, page: Mapping[str, Any]) -> None:
    if page["has_more"]:
        console.print("There are more.")
