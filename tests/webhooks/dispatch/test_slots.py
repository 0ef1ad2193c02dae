"""Whose turn it is: slots shared out among lanes, kept for what was never tried, and limited for each host."""

from collections.abc import Sequence
from dataclasses import replace

from webhooks.dispatch.leased_lane import LeasedLane
from webhooks.dispatch.slots import Slot, Slots
from webhooks.queue.lane import Lane
from webhooks.queue.turn import Endpoint, Head

TAKEN: dict[Head, Slot] = {}


def leased(
    name: str,
    *,
    host: str = "",
    slots: int = 4,
    rate_limit: int | None = None,
    most: int | None = None,
    responsive: bool = True,
    account: str = "acct_1",
    livemode: bool = False,
) -> LeasedLane:
    url = f"https://{name}.example"
    share = f"{account}/{'live' if livemode else 'test'}"
    endpoint = Endpoint(name, 1, "enabled", url, (), (), rate_limit=rate_limit, in_flight_max=most, share=share)
    state = Lane(concurrency=slots, window_attempts=int(responsive))
    return LeasedLane(endpoint=endpoint, lane=state, reported_at=0.0, host=host or name)


def head(of: LeasedLane, sequence: int, *, attempts: int = 0, recovered: bool = False, key: str | None = None) -> Head:
    return Head(of.endpoint.id, sequence, f"evt_{sequence}", attempts, 1, b"", None, recovered, key)


def slots(in_flight_max: int = 100, host_max: int = 100) -> Slots:
    return Slots(in_flight_max, host_max, lambda each: each.lane.concurrency)


def queue(among: Slots, of: LeasedLane, *heads: Head) -> None:
    for each in heads:
        of.take(each, 0.0)
    among.queue(of)


def taken(among: Slots) -> Sequence[tuple[str, int]]:
    """Everything that has a turn now: lane and sequence, in order."""
    found = []
    while (slot := among.next()) is not None:
        found.append((slot.leased.endpoint.id, slot.head.sequence))
        TAKEN[slot.head] = slot
    return found


def end(among: Slots, of: LeasedLane, head: Head) -> None:
    """Let an attempt land, and give its slot back."""
    of.landed(head)
    among.free(TAKEN.pop(head))


def test_lanes_take_turns() -> None:
    among, a, b = slots(), leased("a"), leased("b")
    queue(among, a, *(head(a, n) for n in (1, 2, 3)))
    queue(among, b, *(head(b, n) for n in (4, 5)))
    assert taken(among) == [("a", 1), ("b", 4), ("a", 2), ("b", 5), ("a", 3)]
    assert among.in_flight == 5


def test_a_lane_has_no_more_on_its_way_than_it_bears() -> None:
    among, a = slots(), leased("a", slots=2)
    heads = [head(a, n) for n in range(4)]
    queue(among, a, *heads)
    assert [n for _, n in taken(among)] == [0, 1]
    end(among, a, heads[0])
    among.queue(a)
    assert [n for _, n in taken(among)] == [2]


def test_a_lane_whose_slots_were_taken_while_it_waited_has_no_turn() -> None:
    among, a = slots(), leased("a", slots=2)
    heads = [head(a, n) for n in range(3)]
    queue(among, a, *heads)
    assert among.next() is not None
    a.lane = replace(a.lane, concurrency=1)
    assert taken(among) == []


def test_one_host_has_no_more_than_its_share_whatever_the_number_of_endpoints_there() -> None:
    among = slots(host_max=3)
    here = [leased(f"a{n}", host="shop.example") for n in range(3)]
    other = leased("b")
    heads = {each.endpoint.id: [head(each, n), head(each, 10 + n)] for n, each in enumerate(here)}
    for each in here:
        queue(among, each, *heads[each.endpoint.id])
    queue(among, other, head(other, 50))
    first = taken(among)
    assert sorted(first) == [("a0", 0), ("a1", 1), ("a2", 2), ("b", 50)]
    end(among, here[0], heads["a0"][0])
    assert taken(among) == [("a0", 10)]
    assert taken(among) == []


def test_a_slot_that_the_lane_in_turn_cannot_use_goes_to_the_next() -> None:
    among = slots(in_flight_max=4, host_max=1)
    first, second, third = (leased(name, host="shop.example") for name in "abc")
    heads = [head(each, n) for n, each in enumerate((first, second, third))]
    for each, one in zip((first, second, third), heads, strict=True):
        queue(among, each, one)
    assert taken(among) == [("a", 0)]
    second.forget()
    end(among, first, heads[0])
    assert taken(among) == [("c", 2)]


def test_a_slot_for_a_retry_that_is_not_used_goes_to_the_next() -> None:
    among = slots(in_flight_max=4)
    busy, second, third = leased("a"), leased("b"), leased("c")
    heads = [head(busy, n, attempts=1) for n in range(3)]
    queue(among, busy, *heads)
    assert len(taken(among)) == 3
    queue(among, second, head(second, 10, attempts=1))
    queue(among, third, head(third, 20, attempts=1))
    assert taken(among) == []
    second.lane = replace(second.lane, concurrency=0)
    end(among, busy, heads[0])
    assert taken(among) == [("c", 20)]


def test_retries_leave_slots_for_first_attempts() -> None:
    among = slots(in_flight_max=8)
    failing = [leased(f"f{n}") for n in range(4)]
    heads = {each.endpoint.id: [head(each, n * 10 + m, attempts=1) for m in range(4)] for n, each in enumerate(failing)}
    for each in failing:
        queue(among, each, *heads[each.endpoint.id])
    assert len(taken(among)) == 6, "three slots in four"
    fresh = leased("fresh", account="acct_2")
    queue(among, fresh, head(fresh, 100), head(fresh, 101))
    assert taken(among) == [("fresh", 100), ("fresh", 101)]
    first = heads["f0"][0]
    end(among, failing[0], first)
    assert len(taken(among)) == 1, "the next of them, for one that ended"


def test_a_lane_that_may_try_none_again_sends_what_is_new_to_it() -> None:
    among, a, b = slots(in_flight_max=4), leased("a"), leased("b")
    queue(among, a, *(head(a, n, attempts=1) for n in range(3)))
    assert len(taken(among)) == 3
    queue(among, b, head(b, 10, attempts=1), head(b, 11))
    assert taken(among) == [("b", 11)]
    queue(among, b, head(b, 12))
    assert among.next() is None, "all slots are taken"


def test_recovered_deliveries_go_when_no_lane_has_a_live_one_and_half_of_the_slots_are_free() -> None:
    among, a, b = slots(in_flight_max=4), leased("a"), leased("b")
    queue(among, a, *(head(a, n, recovered=True) for n in range(3)))
    queue(among, b, head(b, 10))
    assert taken(among) == [("b", 10), ("a", 0)]


def test_what_an_owner_allows_to_be_on_its_way_is_for_live_and_recovered_deliveries_together() -> None:
    among, a = slots(), leased("a", slots=2, most=2)
    heads = [head(a, n) for n in range(2)]
    queue(among, a, *heads, *(head(a, n, recovered=True) for n in (10, 11)))
    assert [n for _, n in taken(among)] == [0, 1]
    for ended, then in zip(heads, ([10], []), strict=True):
        end(among, a, ended)
        among.queue(a)
        assert [n for _, n in taken(among)] == then, "half of them for recovered ones"
    queue(among, a, head(a, 2), head(a, 3))
    assert [n for _, n in taken(among)] == [2]


def test_a_lane_whose_rate_is_limited_waits_after_each() -> None:
    among, a = slots(), leased("a", rate_limit=10)
    queue(among, a, head(a, 1), head(a, 2))
    assert taken(among) == [("a", 1)]
    assert a.paced
    a.paced = False
    among.queue(a)
    assert taken(among) == [("a", 2)]


def test_deliveries_of_one_key_go_one_by_one() -> None:
    among, a = slots(), leased("a")
    heads = [head(a, n, key="x" if n % 2 else "y") for n in range(1, 7)]
    queue(among, a, *heads)
    assert [n for _, n in taken(among)] == [1, 2]
    end(among, a, heads[0])
    a.settle(heads[0], ended=True)
    among.queue(a)
    assert [n for _, n in taken(among)] == [3]


def test_of_one_key_too_live_deliveries_go_before_recovered_ones() -> None:
    among, a, busy = slots(in_flight_max=4), leased("a"), leased("busy")
    queue(among, busy, head(busy, 1), head(busy, 2))
    assert len(taken(among)) == 2
    old = [head(a, n, recovered=True, key="x") for n in (3, 4)]
    new = [head(a, n, key="x") for n in (10, 11)]
    queue(among, a, old[0], new[0], old[1], new[1])
    assert taken(among) == [("a", 10)], "there are slots for live ones only"
    end(among, a, new[0])
    a.settle(new[0], ended=True)
    among.queue(a)
    assert taken(among) == [("a", 11)]
    assert sorted(a.known) == [3, 4, 11]


def test_what_waits_behind_one_that_is_on_its_way_grows_old_with_the_rest() -> None:
    among, a = slots(), leased("a")
    queue(among, a, head(a, 1, key="x"), head(a, 2, key="x"))
    assert taken(among) == [("a", 1)]
    assert (a.idle, a.empty) == (True, False)
    a.take(head(a, 3, key="y"), 5.0)
    assert a.taken_at == 0.0
    a.forget()
    assert a.empty
    a.take(head(a, 4, key="y"), 6.0)
    assert a.taken_at == 6.0


def test_what_follows_one_that_is_tried_again_is_left_to_the_database() -> None:
    among, a = slots(), leased("a")
    heads = [head(a, n, key="x") for n in (1, 2, 3)]
    queue(among, a, *heads)
    assert taken(among) == [("a", 1)]
    end(among, a, heads[0])
    a.settle(heads[0], ended=False)
    among.queue(a)
    assert taken(among) == []
    assert a.known == []


def test_what_follows_one_on_its_way_is_forgotten_with_the_rest_and_taken_anew_only_behind_it() -> None:
    among, a = slots(), leased("a")
    heads = [head(a, n, key="x") for n in (1, 2, 3)]
    queue(among, a, *heads)
    assert taken(among) == [("a", 1)]
    a.forget()
    assert a.known == [1]
    a.take(heads[1], 0.0)
    among.queue(a)
    assert taken(among) == [], "the first is still in flight"
    a.landed(heads[0])
    a.settle(heads[0], ended=True)
    among.queue(a)
    assert taken(among) == [("a", 2)]


def test_lanes_that_never_answered_leave_half_of_the_slots_to_the_others() -> None:
    among = slots(in_flight_max=8)
    dead = [leased(f"d{n}", responsive=False) for n in range(4)]
    heads = {each.endpoint.id: [head(each, n * 10 + m) for m in range(4)] for n, each in enumerate(dead)}
    for each in dead:
        queue(among, each, *heads[each.endpoint.id])
    assert taken(among) == [("d0", 0), ("d1", 10), ("d2", 20), ("d3", 30)]
    assert among.crowded
    well = leased("well")
    queue(among, well, head(well, 100), head(well, 101))
    assert taken(among) == [("well", 100), ("well", 101)]
    end(among, dead[0], heads["d0"][0])
    assert taken(among) == [("d0", 1)], "the next of them, for one that ended"


def test_a_single_slot_is_for_any_lane() -> None:
    among, a = slots(in_flight_max=1), leased("a", responsive=False)
    queue(among, a, head(a, 1, recovered=True))
    assert not among.crowded
    assert taken(among) == [("a", 1)]


def test_dead_endpoints_leave_half_of_the_slots_of_their_host_to_those_that_answer_there() -> None:
    among = slots(host_max=4)
    dead = [leased(f"d{n}", host="shop.example", responsive=False) for n in range(3)]
    heads = {each.endpoint.id: [head(each, n * 10 + m) for m in range(3)] for n, each in enumerate(dead)}
    for each in dead:
        queue(among, each, *heads[each.endpoint.id])
    assert taken(among) == [("d0", 0), ("d1", 10)]
    well = leased("well", host="shop.example")
    queue(among, well, head(well, 100), head(well, 101), head(well, 102))
    assert taken(among) == [("well", 100), ("well", 101)]
    end(among, dead[0], heads["d0"][0])
    assert [name for name, _ in taken(among)] == ["well"], "any slot is for one that answers,"
    end(among, dead[1], heads["d1"][0])
    assert [name for name, _ in taken(among)] == ["d2"], "and the next for those that do not"


def crowd(account: str, lanes: int, *, host: str = "", each: int = 8) -> list[LeasedLane]:
    """Lanes of one account, on hosts of their own unless it is said, with enough to send to take all slots."""
    leased_lanes = [leased(f"{account}_{n}", host=host, slots=each, account=account) for n in range(lanes)]
    for n, one in enumerate(leased_lanes):
        for m in range(each):
            one.take(head(one, 1000 * n + m), 0.0)
    return leased_lanes


def test_one_account_leaves_some_slots_for_the_first_delivery_of_another() -> None:
    among = slots(in_flight_max=64)
    for one in crowd("hostile", 16):
        among.queue(one)
    assert len(taken(among)) == 56, "seven in eight"
    assert not among.waited_for, "nobody stands in line who may take one"
    b = leased("b", account="good")
    queue(among, b, head(b, 1), head(b, 2))
    assert taken(among) == [("b", 1), ("b", 2)]


def test_accounts_take_turns_whatever_the_number_of_their_lanes() -> None:
    among = slots(in_flight_max=64)
    for one in crowd("many", 16):
        among.queue(one)
    b = leased("b", account="one")
    queue(among, b, *(head(b, n) for n in range(3)))
    assert [name for name, _ in taken(among)][:6] == ["many_0", "b", "many_1", "b", "many_2", "b"]


def test_test_mode_leaves_live_mode_of_the_same_account_some_slots() -> None:
    among = slots(in_flight_max=64)
    for one in crowd("acct_1", 16):
        among.queue(one)
    taken(among)
    live = leased("live", account="acct_1", livemode=True)
    queue(among, live, head(live, 1))
    assert taken(among) == [("live", 1)]


def test_an_account_leaves_others_some_slots_of_a_host_they_share() -> None:
    among = slots(in_flight_max=512, host_max=16)
    for one in crowd("hostile", 8, host="hooks.example"):
        among.queue(one)
    assert len(taken(among)) == 14
    b = leased("b", host="hooks.example", account="good")
    queue(among, b, head(b, 1))
    assert taken(among) == [("b", 1)]


def test_an_account_whose_receivers_are_dead_leaves_others_slots_for_what_never_answered() -> None:
    among = slots(in_flight_max=64)
    for n in range(16):
        dead = leased(f"d{n}", responsive=False, account="hostile")
        queue(among, dead, *(head(dead, 10 * n + m) for m in range(4)))
    assert len(taken(among)) == 28, "seven in eight of half of them"
    assert not among.crowded
    new = leased("new", responsive=False, account="good")
    queue(among, new, head(new, 1000))
    assert taken(among) == [("new", 1000)]


def test_recovered_deliveries_of_one_account_go_beside_the_live_ones_of_another() -> None:
    among = slots(in_flight_max=64)
    for one in crowd("hostile", 16):
        among.queue(one)
    taken(among)
    b = leased("b", account="good", slots=16)
    queue(among, b, *(head(b, n, recovered=True) for n in range(8)))
    assert [name for name, _ in taken(among)] == ["b"] * 4, "as many as are free then"


def test_a_slot_of_a_host_that_the_account_in_turn_cannot_use_goes_to_the_next() -> None:
    among = slots(in_flight_max=16, host_max=1)
    first = leased("first", host="shop.example", account="c")
    one = head(first, 1)
    queue(among, first, one)
    assert taken(among) == [("first", 1)]
    barred, good = leased("x", host="shop.example", account="hostile"), leased("y", host="shop.example", account="good")
    queue(among, barred, head(barred, 2))
    queue(among, good, head(good, 3))
    assert taken(among) == []
    for n in range(16):
        alone = leased(f"z{n}", account="hostile")
        queue(among, alone, head(alone, 100 + n))
    assert len(taken(among)) == 14
    end(among, first, one)
    assert taken(among) == [("y", 3)], "the account called first has its share of all slots"
