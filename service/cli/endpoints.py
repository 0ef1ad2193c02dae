"""`rollbook endpoints` and `rollbook deliveries`: requests to the public API, and their output."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import orjson

from service.cli.output import Output
from service.client import Client, Refused, calling

ENDPOINTS = "/v1/rollbook/webhook_endpoints"
DELIVERIES = "/v1/rollbook/deliveries"
PAGE_MAX = 100  # rows the API gives at once
COUNTED_MAX = 10_000  # the API counts no further
TEST_TRIES = 60  # looks at the delivery of a test event,
TEST_EVERY_S = 0.5  # so far apart: beyond the longest an attempt may take
TIMES = ("at", "breaker_until", "created", "failing_since", "next_attempt", "quiet_until")
ANSWER_SHOWN_MAX = 80  # characters
ENDED = ("delivered", "failed", "canceled", "held")
AFFECTED = {
    "pause": "{count} pending deliveries wait until it is resumed.",
    "resume": "{count} pending deliveries and missed events will be sent.",
    "recover": "{count} events will be sent again, behind live ones.",
    "cancel_pending": "{count} pending deliveries are canceled.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The rows of a list to print: `limit` of them (None: all), after the row with the id `starting_after`."""

    limit: int | None
    starting_after: str | None = None


def endpoint(id: str, verb: str = "") -> str:
    """The path of an endpoint, or of an action on it."""
    return f"{ENDPOINTS}/{quote(id, safe='')}" + (f"/{verb}" if verb else "")


async def show(url: str, key: str, out: Output, method: str, path: str, **form: str | None) -> None:
    """Send one request and print the object that is its answer. Raises Refused, Away."""
    async with calling(url, key) as client:
        _print(out, await _ask(client, method, path, form))


async def act(url: str, key: str, out: Output, id: str, verb: str, **form: str | None) -> None:
    """Pause, resume, recover or cancel, and print how many deliveries or events that is about. Raises Refused, Away."""
    async with calling(url, key) as client:
        shown = await _ask(client, "POST", endpoint(id, verb), form)
    _print(out, shown)
    if "affected" in shown:
        if not out.json:
            out.line("")
        out.line(AFFECTED[verb].format(count=_count(shown["affected"])))


async def recover(url: str, key: str, out: Output, id: str, start: str) -> None:
    """Send again what an endpoint has not taken since a position or a time. Raises Refused, Away."""
    form = {"position": start} if start.isdigit() else {"since": str(_seconds(start))}
    await act(url, key, out, id, "recover", **form)


async def list_endpoints(url: str, key: str, out: Output, page: Page) -> None:
    """Print endpoints with their state. Raises Refused, Away."""
    found = await _list(url, key, ENDPOINTS, page)
    out.document(found)
    headings = ("id", "url", "status", "order", "breaker", "pending", "held", "complete up to", "failing since")
    rows = [
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
        for each in found["data"]
    ]
    _table(out, headings, rows, found)


async def test(url: str, key: str, out: Output, id: str) -> None:
    """Send an endpoint a test event, and print its delivery once an attempt was made. Raises Refused, Away."""
    async with calling(url, key) as client:
        event = await _ask(client, "POST", endpoint(id, "test"))
        wanted = {"event": event["id"], "endpoint": id}
        for _ in range(TEST_TRIES):
            page = await _ask(client, "GET", DELIVERIES, wanted)
            delivery = page["data"][0] if page["data"] else None
            if delivery is not None and (delivery["state"] in ENDED or delivery["attempt_count"]):
                _print_delivery(out, await _ask(client, "GET", f"{DELIVERIES}/{delivery['id']}"))
                return
            await asyncio.sleep(TEST_EVERY_S)
    raise Refused(f"{event['id']} was not sent yet: is a worker running? See `rollbook deliveries list`.")


async def list_deliveries(url: str, key: str, out: Output, page: Page, **wanted: str | None) -> None:
    """Print deliveries. Raises Refused, Away."""
    found = await _list(url, key, DELIVERIES, page, **wanted)
    out.document(found)
    headings = ("id", "event", "type", "customer", "endpoint", "state", "attempts", "next attempt")
    rows = [
        (
            each["id"],
            each["event"],
            each["type"],
            each["customer"] or "",
            each["endpoint"],
            each["state"],
            str(each["attempt_count"]),
            _time(each["next_attempt"]),
        )
        for each in found["data"]
    ]
    _table(out, headings, rows, found)


async def show_delivery(url: str, key: str, out: Output, method: str, id: str, verb: str = "") -> None:
    """Look at a delivery or act on it, and print it with its attempts. Raises Refused, Away."""
    path = f"{DELIVERIES}/{quote(id, safe='')}" + (f"/{verb}" if verb else "")
    async with calling(url, key) as client:
        _print_delivery(out, await _ask(client, method, path))


async def _list(url: str, key: str, path: str, page: Page, **wanted: str | None) -> dict[str, Any]:
    """The rows of as many pages of the API as it takes, as one list object."""
    rows: list[dict[str, Any]] = []
    after, more = page.starting_after, True
    async with calling(url, key) as client:
        while more and (page.limit is None or len(rows) < page.limit):
            size = PAGE_MAX if page.limit is None else min(PAGE_MAX, page.limit - len(rows))
            answer = await _ask(client, "GET", path, {**wanted, "limit": str(size), "starting_after": after})
            rows += answer["data"]
            more = answer["has_more"] and bool(answer["data"])
            after = rows[-1]["id"] if rows else None
    return {"object": "list", "data": rows, "has_more": more}


async def _ask(client: Client, method: str, path: str, form: Mapping[str, str | None] | None = None) -> dict[str, Any]:
    sent = [(name, value) for name, value in (form or {}).items() if value is not None]
    answer: dict[str, Any] = orjson.loads((await client.ask(method, path, sent)).body)
    return answer


def _table(out: Output, headings: Sequence[str], rows: Sequence[Sequence[str]], found: Mapping[str, Any]) -> None:
    out.table(headings, rows)
    if found["has_more"]:
        out.hint(f"There are more: --starting-after {found['data'][-1]['id']}, or --all.")


def _print(out: Output, shown: Mapping[str, Any]) -> None:
    out.document(shown)
    out.record({name: _text(name, value) for name, value in shown.items() if name not in ("object", "attempts")})


def _print_delivery(out: Output, shown: Mapping[str, Any]) -> None:
    _print(out, shown)
    rows = []
    for each in shown["attempts"]:
        outcome = "delivered" if each["delivered"] else each["error"] or f"status {each['status']}"
        counts = "yes" if each["counts"] else "no"
        answer = " ".join(each["answer"][:ANSWER_SHOWN_MAX].split())
        when = (str(each["number"]), _time(each["at"]), str(each["duration_ms"]))
        rows.append((*when, outcome, counts, _time(each["next_attempt"]), each["reason"] or "", answer))
    if rows and not out.json:
        out.line("")
        out.table(("attempt", "at", "ms", "outcome", "counts", "next", "reason", "answer"), rows)


def _text(name: str, value: Any) -> str:
    if name in TIMES:
        return _time(value)
    if isinstance(value, list | dict):
        return orjson.dumps(value).decode()
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _time(seconds: int | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _count(number: int) -> str:
    return f"{number:,}" if number < COUNTED_MAX else f"{COUNTED_MAX:,} or more"


def _seconds(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"'{text}' is neither a position nor a time such as 2026-11-23T12:00:00Z.") from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
