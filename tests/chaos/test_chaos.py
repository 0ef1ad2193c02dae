"""The short form of `make chaos`, and that its reckoning finds what is lost."""

from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.chaos import breakage
from tests.chaos.latency import Figures, Phases, Timed
from tests.chaos.queues import Subscriber
from tests.chaos.run import BREAKING, Plan, run
from tests.chaos.tally import Observations, Stored, judge
from tests.servers.postgres import QUICK
from tests.servers.rabbitmq import PrivateRabbit

SHORT = Plan(
    seed=1,
    seconds=60,
    names=("api", "relay", "worker"),
    faults=(
        "API killed",
        "leading relay killed",
        "worker (with its fan-out) killed",
        "PostgreSQL killed",
        "queue of webhooks deleted",
        "connections to PostgreSQL cut",
    ),
    breakages=6,
    pause_s=(0.1, 0.5),
    rate=40,
    alone_s=1,
    beside_s=2,
    postgres=QUICK,
    mended_s=60,
)


@pytest.mark.faults
@pytest.mark.rabbitmq
@pytest.mark.timeout(240)
async def test_whatever_breaks_nothing_that_was_acknowledged_is_lost() -> None:
    if not PrivateRabbit.installed():
        pytest.skip("no RabbitMQ is installed")
    with TemporaryDirectory(prefix="rollbook-test-", ignore_cleanup_errors=True) as directory:
        report = await run(SHORT, Path(directory), print)
    assert report.broken == Counter(SHORT.faults)
    assert all(report.bad_receivers.values()), "all of them were tried"
    assert report.verdict.wrong == []
    assert report.did["lists not read"] > 0
    assert report.did["creates answered 200"] > 0
    assert BREAKING in report.api
    assert BREAKING in report.webhooks


def test_the_worst_window_is_reported_separately() -> None:
    timed = [Timed(float(second), 1.0) for second in range(25)]
    timed[18] = Timed(18.0, 9.0)  # begun in the calm, and kept waiting by the storm
    figures = Phases({"calm": 0.0, "storm": 20.0}).figures(timed)
    assert figures == {"calm": Figures(18, 1.0, 1.0, 1.0), "storm": Figures(7, 1.0, 9.0, 9.0)}


def read(*sequences: int, name: str = "reads") -> Subscriber:
    """A subscriber that got these events."""
    subscriber = Subscriber(name, "")
    for sequence in sequences:
        subscriber.note(f"evt_{sequence}", sequence)
    return subscriber


def observed(**other: Any) -> Observations:
    """A run in which two customers were made and one of them changed, and all went well, or not."""
    ids = ("evt_1", "evt_2", "evt_3")
    well: dict[str, Any] = {
        "created": ["cus_1", "cus_2"],
        "changed": Counter(cus_1=1),
        "stored": Stored(
            events=3,
            last_position=3,
            broken_chains=[],
            customers=["cus_1", "cus_2"],
            changes=Counter(cus_1=1),
            notices=ids,
            of_customers={id: sequence for sequence, id in enumerate(ids, 1)},
            sequence=3,
            watermark=3,
            relayed=3,
            pending={"http://127.0.0.2/hangs": 3},
            leased=[],
            locks=0,
            sessions=0,
        ),
        "subscribers": [read(1, 2, 3)],
        "receipts": {"http://127.0.0.1/first": Counter(ids)},
    }
    return Observations(**{**well, **other})


def stored(**other: Any) -> Observations:
    """The same, with something else in the database."""
    return observed(stored=replace(observed().stored, **other))


def test_nothing_is_wrong_where_all_went_well() -> None:
    verdict = judge(observed())
    assert verdict.wrong == []
    assert {(line.lost, line.repeated) for line in verdict.lines} == {(0, 0)}


def test_what_repeats_is_counted_and_is_no_fault() -> None:
    verdict = judge(observed(subscribers=[read(1, 2, 1, 2, 3)]))
    assert verdict.wrong == []
    assert [line.repeated for line in verdict.lines] == [0, 0, 2, 0]


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (observed(created=[]), "nothing was acknowledged at all"),
        (observed(created=["cus_1", "cus_2", "cus_3"]), "customers created → stored: 1 lost"),
        (observed(created=["cus_1"]), "1 customers that were never acknowledged"),
        (observed(changed=Counter(cus_1=1, cus_2=1)), "changes acknowledged → stored: 1 lost"),
        (observed(changed=Counter()), "something was done twice that was asked for once"),
        (observed(subscribers=[read(1, 3)]), "events published → reads: 1 lost"),
        (observed(subscribers=[read(1, 3)]), "1 events were not published to reads: ['evt_2']"),
        (observed(subscribers=[read(1, 3, 2)]), "reads got 1 out of order: [2]"),
        (observed(subscribers=[read(1, 2, 3, 4)]), "reads got what is not stored"),
        (observed(receipts={"http://h/first": Counter(["evt_1", "evt_3"])}), "events delivered → /first: 1 lost"),
        (
            observed(receipts={"http://h/first": Counter(["evt_1", "evt_2", "evt_3", "evt_4"])}),
            "got what is not stored",
        ),
        (observed(led_astray=1), "1 redirects were followed"),
        (observed(wrong=["relay-1 ended with 1"]), "relay-1 ended with 1"),
        (stored(last_position=4), "positions have gaps: 3 events up to 4"),
        (stored(broken_chains=["customer-cus_1"]), "hash chains are broken: customer-cus_1"),
        (stored(notices=["evt_1", "evt_2", "evt_3", "evt_3"]), "two events have one id"),
        (stored(pending={"http://127.0.0.1/first": 1}), "1 deliveries to http://127.0.0.1/first are pending"),
        (stored(watermark=2), "events are fanned out up to 2 of 3"),
        (stored(relayed=2), "events are relayed up to 2 of 3"),
        (stored(leased=["we_1"]), "lanes are leased by nobody: we_1"),
        (stored(locks=1), "0 sessions and 1 locks are left behind"),
    ],
)
def test_whatever_is_wrong_is_reported(found: Observations, fault: str) -> None:
    assert any(fault in reported for reported in judge(found).wrong)


def test_what_was_lost_with_a_queue_may_be_replayed_and_in_any_order() -> None:
    subscriber = read(1)
    subscriber.lost()
    subscriber.found(2)
    for sequence in (3, 2):
        subscriber.note(f"evt_{sequence}", sequence)
    assert judge(observed(subscribers=[subscriber])).wrong == []
    subscriber = read(1)
    subscriber.lost()
    subscriber.found(2)
    subscriber.note("evt_3", 3)
    subscriber.note("evt_2", 2, replayed=True)
    assert judge(observed(subscribers=[subscriber])).wrong == []


def test_what_the_broker_hands_out_again_may_come_in_any_order() -> None:
    subscriber = read(1, 3)
    subscriber.note("evt_2", 2, handed_out_again=True)
    assert judge(observed(subscribers=[subscriber])).wrong == []


def test_what_comes_by_replay_alone_though_the_queue_was_there_is_a_fault() -> None:
    subscriber = read(1)
    subscriber.lost()
    subscriber.found(2)
    for sequence in (2, 3):
        subscriber.note(f"evt_{sequence}", sequence, replayed=True)
    assert judge(observed(subscribers=[subscriber])).wrong == ["1 events were not published to reads: ['evt_3']"]


def test_every_breakage_is_drawn_before_any_is_drawn_again() -> None:
    drawn = breakage.deck(Random(7), list(breakage.ALL))
    first = [next(drawn) for _ in breakage.ALL]
    second = [next(drawn) for _ in breakage.ALL]
    assert sorted(first) == sorted(second) == sorted(breakage.ALL)
    assert first != second
    assert list(islice(breakage.deck(Random(7), list(breakage.ALL)), len(first))) == first, "a seed draws the same"
