"""What the lanes promise a worker, asked of those in memory and of those in Postgres alike."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Protocol

import pytest

from projections.notices import PENDING
from tests.webhooks.harness import WebhookHarness, webhook_harness
from webhooks.dispatch.worker import Turns
from webhooks.endpoints.rules import Order
from webhooks.outcome import Outcome
from webhooks.queue.lane import NEW, Lane
from webhooks.queue.memory import NEVER, LaneRow, MemoryDatabase, MemoryLanes
from webhooks.queue.retry import ATTEMPTS_MAX, Delivered, GaveUp, RetryAt
from webhooks.queue.store import Lanes
from webhooks.queue.turn import Endpoint, Head, Report, Result, Turn, result

NOW = datetime.now(UTC)
OPEN = Lane(open_until=NOW + timedelta(hours=1), open_s=3600)


class LaneHarness(Protocol):
    """Lanes, and what a test does to them."""

    async def endpoint(self, order: Order = "none", **rules: Any) -> str: ...
    async def deliver(self, number: int = 1, *, recovered: bool = False) -> list[int]: ...
    async def happens_to(self, *customers: str, recovered: bool = False) -> list[int]: ...
    async def change(self, id: str, *, url: str | None = None, disabled: bool | None = None) -> None: ...
    async def rule(self, id: str, **rules: Any) -> None: ...
    async def cancel(self, id: str, sequences: Sequence[int]) -> None: ...
    async def resend(self, id: str, sequence: int) -> None: ...
    async def hand_to(self, account: str, *ids: str) -> None: ...
    async def hurry(self) -> None: ...
    async def row(self, id: str) -> LaneRow: ...
    async def pending(self) -> list[int]: ...
    async def outcomes(self) -> list[tuple[int, int, str]]: ...
    def lanes(self, lease_s: float = 60.0) -> Turns: ...


class InMemory:
    def __init__(self) -> None:
        self._database = MemoryDatabase()
        self._numbers = count(1)
        self._orders: dict[str, Order] = {}

    async def endpoint(self, order: Order = "none", **rules: Any) -> str:
        id = f"we_{next(self._numbers)}"
        self._database.register(Endpoint(id, 1, "enabled", "https://example.com/hook", [], [], **rules))
        self._orders[id] = order
        return id

    async def deliver(self, number: int = 1, *, recovered: bool = False) -> list[int]:
        return await self.happens_to(*(f"cus_{next(self._numbers)}" for _ in range(number)), recovered=recovered)

    async def happens_to(self, *customers: str, recovered: bool = False) -> list[int]:
        numbered = [(next(self._numbers), customer) for customer in customers]
        for sequence, customer in numbered:
            for id, order in self._orders.items():
                key = {"none": None, "customer": customer, "strict": ""}[order]
                body = b"{" + PENDING + b"0,\n}"
                self._database.deliver(sequence, f"evt_{sequence}", body, [id], recovered=recovered, key=key)
        return [sequence for sequence, _ in numbered]

    async def change(self, id: str, *, url: str | None = None, disabled: bool | None = None) -> None:
        status = {None: None, True: "disabled", False: "enabled"}[disabled]
        self._database.change(id, url=url, status=status)

    async def rule(self, id: str, **rules: Any) -> None:
        self._database.change(id, **rules)

    async def cancel(self, id: str, sequences: Sequence[int]) -> None:
        self._database.cancel(id, sequences)

    async def resend(self, id: str, sequence: int) -> None:
        self._database.resend(id, sequence)

    async def hand_to(self, account: str, *ids: str) -> None:
        for id in ids:
            self._database.endpoints[id] = self._database.endpoints[id]._replace(share=account)

    async def hurry(self) -> None:
        now = self._database.clock.now()
        for rows in self._database.deliveries.values():
            for delivery in rows.values():
                if delivery.due_at != NEVER:
                    delivery.due_at = min(delivery.due_at, now)
        for row in self._database.lanes.values():
            if now < row.ready_at < NEVER:
                row.ready_at = now

    async def row(self, id: str) -> LaneRow:
        return self._database.lanes[id]

    async def pending(self) -> list[int]:
        return sorted(sequence for rows in self._database.deliveries.values() for sequence in rows)

    async def outcomes(self) -> list[tuple[int, int, str]]:
        return sorted((row.sequence, row.attempt, row.outcome) for row in self._database.attempts)

    def lanes(self, lease_s: float = 60.0) -> Turns:
        return MemoryLanes(self._database, lease_s=lease_s)


class InPostgres:
    def __init__(self, webhooks: WebhookHarness) -> None:
        self._webhooks = webhooks
        self.opened: list[Lanes] = []

    async def endpoint(self, order: Order = "none", **rules: Any) -> str:
        id = await self._webhooks.endpoint()
        await self._webhooks.rule(id, order=order, **rules)
        return id

    async def deliver(self, number: int = 1, *, recovered: bool = False) -> list[int]:
        return await self._made(await self._webhooks.notices(number), recovered)

    async def happens_to(self, *customers: str, recovered: bool = False) -> list[int]:
        return await self._made(await self._webhooks.happens_to(*customers), recovered)

    async def _made(self, sequences: list[int], recovered: bool) -> list[int]:
        await self._webhooks.catch_up()
        if recovered:
            await self._webhooks.owner.execute(
                "UPDATE webhooks.delivery SET recovered = true WHERE sequence = ANY ($1)", sequences
            )
        return sequences

    async def change(self, id: str, *, url: str | None = None, disabled: bool | None = None) -> None:
        patch: dict[str, Any] = {
            name: value for name, value in (("url", url), ("disabled", disabled)) if value is not None
        }
        await self._webhooks.edit(id, **(patch or {"description": "edited"}))

    async def rule(self, id: str, **rules: Any) -> None:
        await self._webhooks.rule(id, **rules)

    async def cancel(self, id: str, sequences: Sequence[int]) -> None:
        await self._webhooks.owner.fetch("SELECT webhooks.cancel($1, $2)", id, sequences)

    async def resend(self, id: str, sequence: int) -> None:
        await self._webhooks.owner.fetch("SELECT webhooks.resend($1, $2)", id, sequence)

    async def hand_to(self, account: str, *ids: str) -> None:
        """The first of them in live mode, the others in test mode: they have one share."""
        await self._webhooks.owner.execute(
            "UPDATE webhooks.endpoint SET account = $1, livemode = id = $3 WHERE id = ANY ($2)", account, ids, ids[0]
        )

    async def hurry(self) -> None:
        await self._webhooks.hurry()

    async def row(self, id: str) -> LaneRow:
        row = await self._webhooks.lane(id)
        never = row["ready_at"].year == NEVER.year
        state = Lane(**{name: row[name] for name in Lane.__slots__})
        lease = None if row["lease"] is None else 1
        return LaneRow(NEVER if never else row["ready_at"], lease, row["leased_until"], state, row["set_aside"])

    async def pending(self) -> list[int]:
        return [sequence for sequence, _ in await self._webhooks.deliveries()]

    async def outcomes(self) -> list[tuple[int, int, str]]:
        return sorted((row["sequence"], row["attempt"], row["outcome"]) for row in await self._webhooks.attempts())

    def lanes(self, lease_s: float = 60.0) -> Turns:
        self.opened.append(Lanes(self._webhooks.dsn, lease_s=lease_s))
        return self.opened[-1]


@pytest.fixture
def memory() -> LaneHarness:
    return InMemory()


@pytest.fixture
async def postgres(database: str) -> AsyncIterator[LaneHarness]:
    async with webhook_harness(database) as webhooks:
        made = InPostgres(webhooks)
        yield made
        for lanes in made.opened:
            await lanes.close()


@pytest.fixture(params=["memory", "postgres"])
def harness(request: pytest.FixtureRequest) -> LaneHarness:
    given: LaneHarness = request.getfixturevalue(request.param)
    return given


def report(
    turn: Turn, *, known: Sequence[int] = (), want: int = 0, lane: Lane = NEW, touched: bool = True, recovered: int = 0
) -> Report:
    """A report of the first lane of a turn."""
    endpoint, _ = turn.served[0]
    return Report(endpoint.id, endpoint.version, touched, known, want, recovered, lane)


def took(head: Head) -> Result:
    """The receiver took it."""
    return result(head, Outcome(status=200, duration_ms=3), Delivered(), NOW)


def failed(head: Head, wait_s: float = 5) -> Result:
    """The receiver did not."""
    verdict = RetryAt(NOW + timedelta(seconds=wait_s), head.attempts + 1)
    return result(head, Outcome(status=500, duration_ms=3), verdict, NOW)


def used_up(head: Head, *, hold: bool) -> Result:
    """The receiver did not, for the last time."""
    return result(head, Outcome(status=500, duration_ms=3), GaveUp(), NOW, hold=hold)


def our_fault(head: Head) -> Result:
    """It was not asked, for a reason of our own."""
    verdict = RetryAt(NOW + timedelta(minutes=1), head.attempts)
    return result(head, Outcome(fault="exhausted", duration_ms=0), verdict, NOW)


def given(turn: Turn) -> list[int]:
    """The sequences of what a turn hands out, in order."""
    return [head.sequence for head in turn.heads]


async def test_a_lane_is_born_as_the_rules_say(harness: LaneHarness) -> None:
    row = await harness.row(await harness.endpoint())
    assert (row.state, row.ready_at, row.lease) == (NEW, NEVER, None)


async def test_a_leased_lane_is_nobody_elses(harness: LaneHarness) -> None:
    id = await harness.endpoint()
    sequences = await harness.deliver(3)
    turn = await harness.lanes().turn([], [], claims=5)
    assert (turn.claimed, given(turn)) == (1, sequences)
    assert {head.endpoint_id for head in turn.heads} == {id}
    assert (await harness.lanes().turn([], [], claims=5)).claimed == 0


async def test_lanes_are_leased_in_the_order_in_which_they_became_ready(harness: LaneHarness) -> None:
    first = await harness.endpoint()
    await harness.deliver()
    second = await harness.endpoint()
    await harness.deliver()
    lanes = harness.lanes()
    turns = [await lanes.turn([], [], claims=1) for _ in range(2)]
    assert [endpoint.id for turn in turns for endpoint, _ in turn.served] == [first, second]


async def test_of_a_lane_just_leased_twice_its_concurrency_is_given(harness: LaneHarness) -> None:
    await harness.endpoint()
    live = await harness.deliver(12)
    recovered = await harness.deliver(6, recovered=True)
    turn = await harness.lanes().turn([], [], claims=1)
    assert given(turn) == live[: 2 * NEW.concurrency] + recovered[: NEW.concurrency]


async def test_a_lane_whose_lease_ran_out_is_leased_again_and_its_old_worker_records_nothing(
    harness: LaneHarness,
) -> None:
    await harness.endpoint()
    await harness.deliver()
    dead, alive = harness.lanes(lease_s=0), harness.lanes()
    old = await dead.turn([], [], claims=1)
    new = await alive.turn([], [], claims=1)
    assert given(new) == given(old)
    late = await dead.turn([report(old)], [took(old.heads[0])], claims=0)
    assert list(late.lost) == [old.heads[0].endpoint_id]
    assert len(await harness.pending()) == 1
    assert await harness.outcomes() == []


async def test_a_touched_lane_keeps_its_worker_when_its_lease_ran_out_and_no_other_took_it(
    harness: LaneHarness,
) -> None:
    await harness.endpoint()
    [sequence] = await harness.deliver()
    lanes = harness.lanes(lease_s=0)
    turn = await lanes.turn([], [], claims=1)
    again = await lanes.turn([report(turn, known=[sequence])], [], claims=1)
    assert (list(again.lost), again.claimed) == ([], 0)


async def test_a_result_reported_twice_is_recorded_once(harness: LaneHarness) -> None:
    await harness.endpoint()
    one, other = await harness.deliver(2)
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    results = [took(turn.heads[0]), failed(turn.heads[1])]
    for _ in range(2):
        await lanes.turn([report(turn, known=[other])], results, claims=0)
    assert await harness.outcomes() == [(one, 1, "delivered"), (other, 1, "retry")]
    assert await harness.pending() == [other]


async def test_a_fault_of_our_own_reported_twice_is_recorded_once_and_uses_up_no_attempt(harness: LaneHarness) -> None:
    await harness.endpoint()
    [sequence] = await harness.deliver()
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    for _ in range(2):
        await lanes.turn([report(turn, known=[sequence])], [our_fault(turn.heads[0])], claims=0)
    assert await harness.outcomes() == [(sequence, 1, "retry")]
    await harness.hurry()
    again = await lanes.turn([report(turn, want=1)], [], claims=0)
    assert [(head.sequence, head.attempts) for head in again.heads] == [(sequence, 0)]
    await lanes.turn([report(turn)], [our_fault(again.heads[0])], claims=0)
    assert await harness.outcomes() == [(sequence, 1, "retry")] * 2


async def test_a_delivery_that_is_given_up_or_canceled_is_gone(harness: LaneHarness) -> None:
    id = await harness.endpoint()
    one, other = await harness.deliver(2)
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    await harness.cancel(id, [other])
    last = turn.heads[0]._replace(attempts=0)
    gave_up = result(last, Outcome(status=410, duration_ms=1), GaveUp(), NOW)
    await lanes.turn([report(turn)], [gave_up, took(turn.heads[1])], claims=0)
    assert await harness.pending() == []
    assert await harness.outcomes() == [(one, 1, "gave_up"), (other, 0, "canceled")]


async def test_a_try_that_is_not_the_next_counts_for_nothing(harness: LaneHarness) -> None:
    await harness.endpoint()
    [sequence] = await harness.deliver()
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    later = turn.heads[0]._replace(attempts=ATTEMPTS_MAX - 1)
    await lanes.turn([report(turn)], [took(later)], claims=0)
    assert (await harness.pending(), await harness.outcomes()) == ([sequence], [])


async def test_a_lane_is_let_go_until_its_next_delivery_is_due(harness: LaneHarness) -> None:
    id = await harness.endpoint()
    await harness.deliver()
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    done = await lanes.turn([report(turn)], [failed(turn.heads[0], wait_s=300)], claims=5)
    row = await harness.row(id)
    assert (row.lease, row.ready_at) == (None, done.moment + timedelta(seconds=300))


async def test_a_lane_with_more_to_do_queues_behind_those_that_wait(harness: LaneHarness) -> None:
    id = await harness.endpoint()
    await harness.deliver(2)
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    done = await lanes.turn([report(turn)], [took(turn.heads[0])], claims=0)
    row = await harness.row(id)
    assert (row.lease, row.ready_at) == (None, done.moment)


async def test_a_lane_with_nothing_to_do_waits_to_be_woken(harness: LaneHarness) -> None:
    id = await harness.endpoint()
    await harness.deliver()
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    await lanes.turn([report(turn)], [took(turn.heads[0])], claims=5)
    assert (await harness.row(id)).ready_at == NEVER
    sequences = await harness.deliver()
    assert given(await lanes.turn([], [], claims=5)) == sequences


async def test_new_deliveries_reach_a_lane_while_it_is_leased(harness: LaneHarness) -> None:
    await harness.endpoint()
    [first] = await harness.deliver()
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    looked = report(turn, known=[first], want=3, touched=False)
    assert given(await lanes.turn([looked], [], claims=0)) == []
    second = await harness.deliver(5)
    assert given(await lanes.turn([looked], [], claims=0)) == second[:3]


async def test_recovered_deliveries_have_slots_of_their_own(harness: LaneHarness) -> None:
    await harness.endpoint()
    recovered = await harness.deliver(4, recovered=True)
    live = await harness.deliver(4)
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    more = [
        await lanes.turn([report(turn, want=want, recovered=recovered)], [], claims=0)
        for want, recovered in ((2, 0), (1, 3))
    ]
    assert [given(each) for each in more] == [live[:2], [*recovered[:3], live[0]]]
    assert [head.recovered for head in more[1].heads] == [True] * 3 + [False]


async def test_an_open_breaker_keeps_the_lane_from_everybody_but_one_probe(harness: LaneHarness) -> None:
    id = await harness.endpoint()
    await harness.deliver(2)
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    await lanes.turn([report(turn, lane=OPEN)], [failed(turn.heads[0])], claims=5)
    await harness.deliver()
    assert (await harness.row(id)).ready_at == OPEN.open_until
    assert (await lanes.turn([], [], claims=5)).claimed == 0
    await harness.hurry()
    assert len((await lanes.turn([], [], claims=5)).heads) == 1


async def test_a_receiver_that_asked_for_it_is_left_alone(harness: LaneHarness) -> None:
    id = await harness.endpoint()
    await harness.deliver(2)
    lanes, quiet = harness.lanes(), Lane(quiet_until=NOW + timedelta(hours=1))
    turn = await lanes.turn([], [], claims=1)
    await lanes.turn([report(turn, lane=quiet)], [failed(turn.heads[0])], claims=0)
    await harness.deliver()
    assert (await harness.row(id)).ready_at == quiet.quiet_until
    assert (await lanes.turn([], [], claims=5)).claimed == 0


async def test_a_lane_that_is_gone_is_ready_no_more_until_its_url_is_another(harness: LaneHarness) -> None:
    id = await harness.endpoint()
    await harness.deliver(2)
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    await lanes.turn([report(turn, lane=Lane(gone=True))], [failed(turn.heads[0])], claims=0)
    await harness.deliver()
    assert (await harness.row(id)).ready_at == NEVER
    await harness.change(id, url="https://example.org/new")
    again = await lanes.turn([], [], claims=5)
    assert [state for _, state in again.served] == [NEW]
    assert len(again.heads) == 2


async def test_a_new_url_is_a_fresh_start_for_its_lane(harness: LaneHarness) -> None:
    id = await harness.endpoint()
    await harness.deliver(2)
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    one, other = turn.heads
    await harness.change(id, url="https://example.org/new")
    turned = await lanes.turn([report(turn, known=[other.sequence], lane=OPEN)], [failed(one)], claims=0)
    [(endpoint, lane)] = turned.served
    assert (endpoint.url, lane) == ("https://example.org/new", NEW)


async def test_what_a_lane_learnt_counts_though_its_endpoint_was_edited_meanwhile(harness: LaneHarness) -> None:
    id = await harness.endpoint()
    await harness.deliver(2)
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    one, other = turn.heads
    await harness.change(id)
    gone = Lane(failing_since=turn.moment, failures_in_a_row=1, gone=True)
    turned = await lanes.turn([report(turn, known=[other.sequence], lane=gone)], [failed(one)], claims=0)
    assert [state for _, state in turned.served] == [gone]
    assert (await harness.row(id)).state == gone


async def test_nothing_is_given_for_a_disabled_endpoint_and_its_worker_learns_of_it(harness: LaneHarness) -> None:
    id = await harness.endpoint()
    await harness.deliver(3)
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    await harness.change(id, disabled=True)
    turned = await lanes.turn([report(turn, want=5)], [], claims=0)
    assert ([endpoint.status for endpoint, _ in turned.served], given(turned)) == (["disabled"], [])
    assert (await harness.row(id)).ready_at == NEVER
    await harness.change(id, disabled=False)
    assert len((await lanes.turn([], [], claims=1)).heads) == 3


async def test_lanes_of_an_answer_that_was_lost_are_leased_again_by_the_same_worker(harness: LaneHarness) -> None:
    known, unknown = await harness.endpoint(), await harness.endpoint()
    await harness.deliver(20)  # more than a lane is given at first
    lanes = harness.lanes()
    await lanes.turn([], [], claims=5)
    assert (await lanes.turn([], [], claims=5)).claimed == 0
    again = await lanes.turn([], [], claims=5, leased=[known])
    assert [endpoint.id for endpoint, _ in again.served] == [unknown]


async def test_only_responsive_lanes_are_leased_when_that_is_asked(harness: LaneHarness) -> None:
    await harness.endpoint()
    await harness.deliver()
    lanes, responsive = harness.lanes(), Lane(window_attempts=1, window_started_at=NOW)
    turn = await lanes.turn([], [], claims=1)
    await lanes.turn([report(turn, lane=responsive)], [took(turn.heads[0])], claims=0)
    await harness.endpoint()
    await harness.deliver()
    only = await lanes.turn([], [], claims=5, responsive=True)
    assert [endpoint.id for endpoint, _ in only.served] == [turn.served[0][0].id]


async def two_accounts(harness: LaneHarness, first: int) -> tuple[list[str], str]:
    """Ready lanes, so many of account `a`, and after those one of account `b`."""
    ids = [await harness.endpoint() for _ in range(first)]
    await harness.hand_to("a", *ids)
    await harness.deliver()
    last = await harness.endpoint()
    await harness.hand_to("b", last)
    await harness.change(last, disabled=True)
    await harness.change(last, disabled=False)
    return ids, last


def leased(turn: Turn) -> list[str]:
    return sorted(endpoint.id for endpoint, _ in turn.served)


async def test_an_endpoint_comes_with_the_share_of_its_account(harness: LaneHarness) -> None:
    await two_accounts(harness, 1)
    await harness.deliver()
    turn = await harness.lanes().turn([], [], claims=5)
    assert sorted(endpoint.share for endpoint, _ in turn.served) == ["a", "b"]


async def test_no_lane_is_leased_of_an_account_that_has_its_share(harness: LaneHarness) -> None:
    _, other = await two_accounts(harness, 2)
    await harness.deliver()
    assert leased(await harness.lanes().turn([], [], claims=1, full=["a"])) == [other]


async def test_of_a_crowded_account_only_responsive_lanes_are_leased(harness: LaneHarness) -> None:
    _, other = await two_accounts(harness, 2)
    await harness.deliver()
    assert leased(await harness.lanes().turn([], [], claims=5, crowded=["a"])) == [other]


async def test_an_account_with_many_lanes_ready_does_not_keep_others_from_being_leased(harness: LaneHarness) -> None:
    ids, other = await two_accounts(harness, 6)
    await harness.deliver()
    turn = await harness.lanes().turn([], [], claims=2)
    assert turn.claimed == 2
    assert other in leased(turn)
    assert len(set(ids).intersection(leased(turn))) == 2


async def test_what_is_handed_over_with_lanes_just_leased_has_room(harness: LaneHarness) -> None:
    for _ in range(2):
        await harness.endpoint()
    await harness.deliver(5)
    turn = await harness.lanes().turn([], [], claims=2, room=6)
    assert len(turn.heads) == 4, "two of each lane, and a third of the room is for what is recovered"


async def test_a_head_has_the_number_of_endpoints_that_still_wait_for_the_notice(harness: LaneHarness) -> None:
    await harness.endpoint()
    await harness.endpoint()
    await harness.deliver()
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    assert [head.pending for head in turn.heads] == [2]
    await lanes.turn([report(turn)], [took(turn.heads[0])], claims=0)
    assert [head.pending for head in (await lanes.turn([], [], claims=1)).heads] == [1]


async def test_deliveries_of_one_key_are_given_together_and_the_keys_share_the_slots(harness: LaneHarness) -> None:
    await harness.endpoint("customer")
    a1, a2, _, b1, b2, c1 = await harness.happens_to("a", "a", "a", "b", "b", "c")
    turn = await harness.lanes().turn([], [], claims=1)
    assert given(turn) == [a1, b1, c1, a2, b2], "8 slots, 2 for each"
    assert len({head.key for head in turn.heads}) == 3


async def test_where_order_is_strict_all_goes_along_with_the_first_of_all(harness: LaneHarness) -> None:
    await harness.endpoint("strict")
    sequences = await harness.happens_to(*"abcabcabcabc")
    turn = await harness.lanes().turn([], [], claims=1)
    assert given(turn) == sequences[: 2 * NEW.concurrency]
    assert {head.key for head in turn.heads} == {""}


async def test_what_waits_for_one_that_a_worker_has_is_not_given(harness: LaneHarness) -> None:
    await harness.endpoint("customer")
    first, _, _ = await harness.happens_to("a", "a", "a")
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    [other] = await harness.happens_to("b")
    more = await lanes.turn([report(turn, known=[first], want=5)], [], claims=0)
    assert given(more) == [other]


async def test_the_next_of_a_key_is_given_in_the_turn_that_reports_the_end_of_the_one_before(
    harness: LaneHarness,
) -> None:
    await harness.endpoint("strict")
    sequences = await harness.happens_to("a", "b", "c", "d")
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    results = [took(turn.heads[0]), used_up(turn.heads[1], hold=False)]
    more = await lanes.turn([report(turn, want=5)], results, claims=0)
    assert given(more) == sequences[2:]


async def test_a_delivery_that_waits_for_a_retry_blocks_only_its_key(harness: LaneHarness) -> None:
    id = await harness.endpoint("customer")
    first, second, other = await harness.happens_to("a", "a", "b")
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    assert given(turn) == [first, other, second]
    again = await lanes.turn([report(turn, want=5)], [failed(turn.heads[0], wait_s=300)], claims=0)
    assert given(again) == [other]
    done = await lanes.turn([report(turn, want=5)], [took(turn.heads[1])], claims=0)
    assert (await harness.row(id)).ready_at == done.moment + timedelta(seconds=300) - (done.moment - again.moment)
    await harness.resend(id, first)
    assert given(await lanes.turn([], [], claims=1)) == [first, second]


async def test_a_fault_of_our_own_at_one_that_followed_another_is_recorded_once(harness: LaneHarness) -> None:
    await harness.endpoint("strict")
    first, second = await harness.happens_to("a", "b")
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    for _ in range(2):
        results = [took(turn.heads[0]), our_fault(turn.heads[1])]
        assert given(await lanes.turn([report(turn, want=5)], results, claims=0)) == []
    assert await harness.outcomes() == [(first, 1, "delivered"), (second, 1, "retry")]
    await harness.hurry()
    again = await lanes.turn([], [], claims=1)
    assert [(head.sequence, head.attempts) for head in again.heads] == [(second, 0)]


async def test_a_later_one_may_have_a_result_before_the_end_of_the_first_is_reported(harness: LaneHarness) -> None:
    await harness.endpoint("strict")
    first, second = await harness.happens_to("a", "b")
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    early = await lanes.turn([report(turn, known=[first], want=5)], [our_fault(turn.heads[1])], claims=0)
    assert given(early) == []
    assert await harness.outcomes() == [(second, 1, "retry")]
    assert await harness.pending() == [first, second]


@pytest.mark.parametrize("way_out", ["resend", "cancel", "another URL"])
async def test_a_held_delivery_blocks_its_key_until_it_is_resent_or_canceled(
    harness: LaneHarness, way_out: str
) -> None:
    id = await harness.endpoint("customer", on_exhaustion="hold")
    first, second = await harness.happens_to("a", "a")
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    for _ in range(2):
        turned = await lanes.turn([report(turn, want=5)], [used_up(turn.heads[0], hold=True)], claims=5)
        assert (given(turned), (await harness.row(id)).ready_at) == ([], NEVER)
    await harness.hurry()
    assert (await lanes.turn([], [], claims=5)).claimed == 0
    assert await harness.outcomes() == [(first, 1, "retry")]
    if way_out == "resend":
        await harness.resend(id, first)
    elif way_out == "cancel":
        await harness.cancel(id, [first])
    else:
        await harness.change(id, url="https://example.org/new")
    after = await lanes.turn([], [], claims=5)
    assert [(head.sequence, head.attempts) for head in after.heads] == [
        (sequence, 0) for sequence in ([second] if way_out == "cancel" else [first, second])
    ]


async def test_canceling_what_waits_lets_nothing_go_that_waits_for_another(harness: LaneHarness) -> None:
    id = await harness.endpoint("strict")
    first, second, third = await harness.happens_to("a", "b", "c")
    await harness.cancel(id, [second])
    assert given(await harness.lanes().turn([], [], claims=1)) == [first, third]
    assert await harness.outcomes() == [(second, 0, "canceled")]


async def test_what_is_resent_is_due_at_once_unless_it_waits_for_another(harness: LaneHarness) -> None:
    id = await harness.endpoint("strict")
    first, second = await harness.happens_to("a", "b")
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    await lanes.turn([report(turn)], [failed(turn.heads[0], wait_s=300)], claims=0)
    await harness.resend(id, second)
    assert given(await lanes.turn([], [], claims=1)) == []
    await harness.resend(id, first)
    again = await lanes.turn([], [], claims=1)
    assert [(head.sequence, head.attempts) for head in again.heads] == [(first, 1), (second, 0)]


async def test_what_was_delivered_is_resent_in_no_order(harness: LaneHarness) -> None:
    id = await harness.endpoint("strict")
    [first] = await harness.happens_to("a")
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    await lanes.turn([report(turn)], [took(turn.heads[0])], claims=0)
    await harness.happens_to("b")
    await harness.resend(id, first)
    again = await lanes.turn([], [], claims=1)
    assert {head.sequence: head.key for head in again.heads}[first] is None


async def test_recovered_deliveries_of_a_key_have_an_order_of_their_own(harness: LaneHarness) -> None:
    await harness.endpoint("strict")
    recovered = await harness.happens_to("a", "b", "c", recovered=True)
    live = await harness.happens_to("d", "e", "f")
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    assert [head.sequence for head in turn.heads if head.recovered] == recovered
    assert [head.sequence for head in turn.heads if not head.recovered] == live
    first, *_ = turn.heads
    assert (first.sequence, first.recovered) == (recovered[0], True)
    known = [*recovered[1:], *live]
    more = await lanes.turn([report(turn, known=known, want=5, recovered=5)], [took(first)], claims=0)
    assert given(more) == []


async def test_a_worker_gets_the_rules_of_an_endpoint_and_their_changes(harness: LaneHarness) -> None:
    id = await harness.endpoint("strict", on_exhaustion="hold", rate_limit=5, in_flight_max=2)
    [sequence] = await harness.deliver()
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    [(endpoint, _)] = turn.served
    assert (endpoint.on_exhaustion, endpoint.rate_limit, endpoint.in_flight_max) == ("hold", 5, 2)
    await harness.rule(id, on_exhaustion="skip", rate_limit=None)
    [(again, state)] = (await lanes.turn([report(turn, known=[sequence], lane=OPEN)], [], claims=0)).served
    assert (again.on_exhaustion, again.rate_limit, again.in_flight_max) == ("skip", None, 2)
    assert state == OPEN, "what the lane learnt counts still"


async def test_of_a_lane_just_leased_no_more_is_given_than_twice_what_may_be_on_its_way(harness: LaneHarness) -> None:
    await harness.endpoint(in_flight_max=1)
    live = await harness.deliver(4)
    recovered = await harness.deliver(4, recovered=True)
    assert given(await harness.lanes().turn([], [], claims=1)) == [*live[:2], *recovered[:1]]


async def test_a_lane_whose_rate_is_limited_is_ready_when_the_next_attempt_may_begin(harness: LaneHarness) -> None:
    id = await harness.endpoint(rate_limit=1)
    await harness.deliver(2)
    lanes, paced = harness.lanes(), Lane(paced_until=NOW + timedelta(hours=1))
    turn = await lanes.turn([], [], claims=1)
    await lanes.turn([report(turn, lane=paced)], [took(turn.heads[0])], claims=5)
    assert (await harness.row(id)).ready_at == paced.paced_until
    await harness.deliver()
    assert (await harness.row(id)).ready_at == paced.paced_until
    assert (await lanes.turn([], [], claims=5)).claimed == 0


async def test_a_lane_with_nothing_to_do_is_woken_when_the_next_attempt_may_begin(harness: LaneHarness) -> None:
    id = await harness.endpoint(rate_limit=1)
    await harness.deliver()
    lanes, paced = harness.lanes(), Lane(paced_until=NOW + timedelta(hours=1))
    turn = await lanes.turn([], [], claims=1)
    await lanes.turn([report(turn, lane=paced)], [took(turn.heads[0])], claims=5)
    assert (await harness.row(id)).ready_at == NEVER
    await harness.deliver()
    assert (await harness.row(id)).ready_at == paced.paced_until


async def test_a_fresh_start_leaves_a_lane_its_pace(harness: LaneHarness) -> None:
    id = await harness.endpoint(rate_limit=1)
    await harness.deliver(2)
    lanes, paced = harness.lanes(), Lane(paced_until=NOW + timedelta(hours=1))
    turn = await lanes.turn([], [], claims=1)
    one, other = turn.heads
    await harness.change(id, url="https://example.org/new")
    [(_, state)] = (await lanes.turn([report(turn, known=[other.sequence], lane=paced)], [took(one)], claims=0)).served
    assert state == paced
    await harness.change(id, disabled=True)
    await harness.change(id, disabled=False)
    assert (await harness.row(id)).state == paced
    assert (await harness.row(id)).ready_at == paced.paced_until


async def test_a_lane_that_is_set_aside_is_let_go_and_keeps_what_waits(harness: LaneHarness) -> None:
    id, lanes = await harness.endpoint(), harness.lanes()
    [sequence] = await harness.deliver()
    turn = await lanes.turn([], [], claims=1)
    assert [head.sequence for head in turn.heads] == [sequence]
    waits = []
    for _ in range(8):
        await lanes.set_aside({id: "url_unreadable"})
        row = await harness.row(id)
        assert (row.set_aside, row.lease) == ("url_unreadable", None)
        waits.append(row.state.open_s)
        assert not (await lanes.turn([], [], claims=1)).served
        await harness.hurry()
        again = await lanes.turn([], [], claims=1)
        assert [head.sequence for head in again.heads] == [sequence]
        assert (await harness.row(id)).set_aside == "url_unreadable", "nobody knows yet that it is better"
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    state = (await harness.row(id)).state
    assert (state.failures_in_a_row, state.failing_since is not None) == (8, True)
    assert await harness.pending() == [sequence]


async def test_a_lane_is_set_aside_no_longer_once_its_worker_reports_it(harness: LaneHarness) -> None:
    id, lanes = await harness.endpoint(), harness.lanes()
    await harness.deliver()
    await lanes.turn([], [], claims=1)
    await lanes.set_aside({id: "secret_unreadable"})
    await harness.hurry()
    turn = await lanes.turn([], [], claims=1)
    await lanes.turn([report(turn)], [took(turn.heads[0])], claims=0)
    assert (await harness.row(id)).set_aside is None
    assert await harness.pending() == []


@pytest.mark.parametrize("edit", ["url", "rules", "nothing much"])
async def test_whatever_its_owner_edits_brings_a_lane_back(harness: LaneHarness, edit: str) -> None:
    id, lanes = await harness.endpoint(), harness.lanes()
    [sequence] = await harness.deliver()
    await lanes.turn([], [], claims=1)
    await lanes.set_aside({id: "rules_invalid"})
    match edit:
        case "url":
            await harness.change(id, url="https://example.com/other")
        case "rules":
            await harness.rule(id, rate_limit=7)
        case _:
            await harness.change(id)
    row = await harness.row(id)
    assert (row.set_aside, row.state.open_until) == (None, None)
    turn = await lanes.turn([], [], claims=1)
    assert [head.sequence for head in turn.heads] == [sequence]


async def test_only_who_has_a_lane_sets_it_aside(harness: LaneHarness) -> None:
    id, lanes, others = await harness.endpoint(), harness.lanes(), harness.lanes()
    await harness.deliver()
    await lanes.turn([], [], claims=1)
    await others.set_aside({id: "internal"})
    assert (await harness.row(id)).set_aside is None
    assert not (await lanes.turn([], [], claims=1)).lost
