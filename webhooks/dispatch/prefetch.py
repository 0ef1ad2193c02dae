"""Prefetching: how many deliveries a worker fetches ahead of its attempts, for each lane within a budget.

Pure. A delivery that is there when a slot gets free is sent at once; one that waits here for long is one that another
worker could send. So the budget is a little more than may be in flight, and accounts share it
(webhooks/dispatch/shares.py).
"""

from collections.abc import Iterable

from webhooks.dispatch.leased_lane import LeasedLane
from webhooks.dispatch.shares import Shares
from webhooks.dispatch.slots import Slots
from webhooks.queue.turn import Report

AHEAD = 4  # prefetched deliveries of a lane, for each attempt that may be in flight
ROOM_MIN = 16  # prefetched deliveries, beyond 1.5 times the attempts that may be in flight
FRESH_S = 1.0  # a delivery that waited longer is fetched again: its endpoint may have changed


def budget(slots: Slots, lanes: Iterable[LeasedLane]) -> Shares:
    """The prefetch budget and who uses it: 1.5 times the attempts that may be in flight, and some."""
    rooms = Shares(slots.in_flight_max * 3 // 2 + ROOM_MIN)
    for leased in lanes:
        if count := sum(leased.waiting_counts()) + len(leased.in_flight) + len(leased.recovered_in_flight):
            rooms.take(leased.endpoint.share, count)
    return rooms


def report(
    leased: LeasedLane, slots: Slots, rooms: Shares, now: float, *, lease_s: float, stopping: bool
) -> Report | None:
    """The report of a lane, asking for more deliveries within the budget; None if there is nothing to report."""
    if not leased.empty and now - leased.taken_at > FRESH_S:
        leased.put_back()
    known = leased.known
    live_slots, recovered_slots = slots.live(leased), slots.recovered(leased)
    busy = leased.waiting or len(leased.in_flight) >= live_slots
    touched = leased.touched or not known or now - leased.reported_at > lease_s / 3
    if not touched and (stopping or busy):
        return None
    want = recovered = 0
    if not stopping and leased.aside is None:
        # Prefetch more than may be in flight, so that a free slot is used at once; an open breaker gets one probe.
        room = rooms.room(leased.endpoint.share)
        ahead = AHEAD if leased.lane.open_until is None else 1
        most = min(room, leased.endpoint.rate_limit or room)
        live_waiting, recovered_waiting = leased.waiting_counts()
        want = max(0, min(ahead * live_slots - len(leased.in_flight) - live_waiting, most))
        recovered = max(
            0, min(ahead * recovered_slots - len(leased.recovered_in_flight) - recovered_waiting, most - want)
        )
    leased.reported()
    return Report(leased.endpoint.id, leased.endpoint.version, touched, known, want, recovered, leased.lane)
