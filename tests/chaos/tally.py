"""The reckoning: what was acknowledged against what was stored, published and delivered."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from urllib.parse import urlsplit

import asyncpg
from rich.console import Console
from rich.table import Table

from events import chain
from events.log import record_of
from tests.chaos.queues import Subscriber
from tests.faults.deployment import ACCOUNT


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A row of the table: how many were expected, how many arrived."""

    what: str
    expected: int
    arrived: int
    lost: int
    repeated: int = 0
    note: str = ""


def line(what: str, expected: Collection[str], got: Counter[str], note: str = "") -> Line:
    """How many of the expected events, by id, arrived somewhere, and how often."""
    arrived = sum(event in got for event in expected)
    return Line(
        what=what,
        expected=len(expected),
        arrived=arrived,
        lost=len(expected) - arrived,
        repeated=got.total() - len(got),
        note=note,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What is in the database at the end."""

    events: int
    last_position: int
    broken_chains: list[str]
    customers: Collection[str]
    changes: Counter[str]  # by customer
    notices: Collection[str]
    of_customers: Mapping[str, int]  # those of customers, with their sequences
    sequence: int  # of the last public event
    watermark: int
    relayed: int
    pending: Mapping[str, int]  # deliveries, by URL
    leased: list[str]  # endpoints whose lanes a worker has leased
    locks: int  # that any session holds
    sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The lines of the table, and what is wrong."""

    lines: list[Line]
    wrong: list[str]
    events: int = 0  # in the log
    notices: int = 0


@dataclass(kw_only=True)
class Observations:
    """Everything there is to judge by."""

    created: Collection[str]
    changed: Counter[str]
    stored: Stored
    subscribers: Collection[Subscriber]
    receipts: Mapping[str, Counter[str]]  # at each good receiver, by URL
    led_astray: int = 0
    wrong: list[str] = field(default_factory=list)  # that was found so before


def judge(observed: Observations) -> Verdict:
    """Say what was lost and what came twice, and whatever else is not as it should be."""
    stored = observed.stored
    made = Counter(observed.created)
    lines = [
        line("customers created → stored", made.keys(), Counter(stored.customers)),
        Line(
            what="changes acknowledged → stored",
            expected=observed.changed.total(),
            arrived=(observed.changed & stored.changes).total(),
            lost=(observed.changed - stored.changes).total(),
            repeated=(stored.changes - observed.changed).total(),
        ),
    ]
    lines.extend(_line_of(subscriber, stored.of_customers) for subscriber in observed.subscribers)
    lines.extend(
        line(f"events delivered → {urlsplit(url).path}", stored.notices, got) for url, got in observed.receipts.items()
    )
    wrong = [*observed.wrong, *_wrong(observed, lines)]
    return Verdict(lines=lines, wrong=wrong, events=stored.events, notices=len(stored.notices))


def _line_of(subscriber: Subscriber, notices: Mapping[str, int]) -> Line:
    """The events in a subscriber's queue; repeated are those published again, not those that were asked for again."""
    only_replayed = sum(event not in subscriber.published for event in subscriber.replayed)
    came = line(
        f"events published → {subscriber.name}",
        notices.keys(),
        subscriber.got,
        f"{only_replayed:,} were lost with the queue, and replayed" if subscriber.gaps else "",
    )
    return replace(came, repeated=subscriber.published.total() - len(subscriber.published))


def _wrong(observed: Observations, lines: Iterable[Line]) -> Iterable[str]:
    stored = observed.stored
    for one in lines:
        if one.lost:
            yield f"{one.what}: {one.lost} lost"
    if not observed.created:
        yield "nothing was acknowledged at all"
    if len(observed.created) != len(set(observed.created)) or (stored.changes - observed.changed):
        yield "something was done twice that was asked for once"
    if unasked := set(stored.customers) - set(observed.created):
        yield f"{len(unasked)} customers that were never acknowledged"
    if stored.last_position != stored.events:
        yield f"positions have gaps: {stored.events} events up to {stored.last_position}"
    if stored.broken_chains:
        yield f"hash chains are broken: {', '.join(stored.broken_chains)}"
    if len(stored.notices) != len(set(stored.notices)):
        yield "two events have one id"
    for subscriber in observed.subscribers:
        if subscriber.out_of_order:
            yield f"{subscriber.name} got {len(subscriber.out_of_order)} out of order: {subscriber.out_of_order[:5]}"
        if left_out := [
            notice
            for notice, sequence in stored.of_customers.items()
            if notice not in subscriber.published and not subscriber.excused(sequence)
        ]:
            yield f"{len(left_out)} events were not published to {subscriber.name}: {left_out[:5]}"
        if subscriber.got.keys() - set(stored.notices):
            yield f"{subscriber.name} got what is not stored"
    for url, got in observed.receipts.items():
        if got.keys() - set(stored.notices):
            yield f"{url} got what is not stored"
        if stored.pending.get(url):
            yield f"{stored.pending[url]} deliveries to {url} are pending"
    if observed.led_astray:
        yield f"{observed.led_astray} redirects were followed"
    if stored.watermark != stored.sequence:
        yield f"events are fanned out up to {stored.watermark} of {stored.sequence}"
    if stored.relayed != stored.sequence:
        yield f"events are relayed up to {stored.relayed} of {stored.sequence}"
    if stored.leased:
        yield f"lanes are leased by nobody: {', '.join(stored.leased)}"
    if stored.locks or stored.sessions:
        yield f"{stored.sessions} sessions and {stored.locks} locks are left behind"


async def read(dsn: str) -> Stored:
    """Read the database, once no process uses it any more."""
    connection = await asyncpg.connect(dsn)
    try:
        log = await connection.fetch("SELECT * FROM events.log ORDER BY stream, version")
        notices = await connection.fetch(
            "SELECT sequence, id, type, object_id FROM projections.notice WHERE account = $1 ORDER BY 1", ACCOUNT
        )
        customers = await connection.fetch("SELECT id FROM projections.customer WHERE account = $1", ACCOUNT)
        pending = await connection.fetch(
            "SELECT e.url, count(*) FROM webhooks.delivery d JOIN webhooks.endpoint e ON e.id = d.endpoint_id "
            "GROUP BY e.url"
        )
        leased = await connection.fetch("SELECT endpoint_id FROM webhooks.lane WHERE leased_until > now()")
        counts = await connection.fetchrow(
            "SELECT (SELECT sequence FROM projections.notice_head) AS sequence, "
            "(SELECT sequence FROM webhooks.watermark) AS watermark, "
            "(SELECT sequence FROM webhooks.relay_cursor) AS relayed, "
            "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' OR NOT granted) AS locks, "
            "(SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'rollbook%') AS sessions"
        )
    finally:
        await connection.close()
    return Stored(
        events=len(log),
        last_position=max((row["position"] for row in log), default=0),
        broken_chains=[
            stream
            for stream, rows in groupby(log, key=lambda row: str(row["stream"]))
            if chain.first_break(map(record_of, rows)) is not None
        ],
        customers=[row["id"] for row in customers],
        changes=Counter(row["object_id"] for row in notices if row["type"] == "customer.updated"),
        notices=[row["id"] for row in notices],
        of_customers={row["id"]: row["sequence"] for row in notices if row["type"].startswith("customer.")},
        pending={row["url"]: row["count"] for row in pending},
        leased=[row["endpoint_id"] for row in leased],
        **counts,
    )


def table(verdict: Verdict) -> Table:
    """The lines."""
    stored = f"{verdict.events:,} events in the log, {verdict.notices:,} public events of them"
    drawn = Table(title=f"Acknowledged, published, delivered: {stored}", title_justify="left")
    drawn.add_column("what", no_wrap=True)
    for name in ("expected", "arrived", "lost", "repeated"):
        drawn.add_column(name, justify="right")
    drawn.add_column("")
    for one in verdict.lines:
        lost = f"[red]{one.lost:,}[/]" if one.lost else "0"
        drawn.add_row(one.what, f"{one.expected:,}", f"{one.arrived:,}", lost, f"{one.repeated:,}", one.note)
    return drawn


def print_verdict(console: Console, verdict: Verdict) -> None:
    """Print the table, and what is wrong."""
    console.print(table(verdict))
    for fault in verdict.wrong:
        console.print(f"[red]✗[/] {fault}", highlight=False, soft_wrap=True)
    if not verdict.wrong:
        console.print(
            "[green]✓[/] nothing lost, chains whole, positions without a gap, no lock or lease left", highlight=False
        )
