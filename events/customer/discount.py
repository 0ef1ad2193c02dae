"""The discount of a customer, at most one: given by redeeming a coupon, directly or through a promotion code.

A second one replaces the first. A discount of limited duration ends after its months.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import assert_never

from events.coupon import Terms

CALENDAR_S = 146_097 * 86_400  # the calendar repeats every 400 years


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveDiscount:
    """Give a discount with the terms of a coupon from this time on; times are Unix seconds."""

    id: str
    at: int
    coupon: Terms
    promotion_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveDiscount:
    """Remove the discount."""

    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDiscount:
    """End this discount, if its end is past at `at`."""

    id: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscountGiven:
    """The customer got this discount, which replaces any other; `coupon` has its terms."""

    coupon: Terms
    end: int | None
    id: str
    promotion_code: str | None
    start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscountRemoved:
    """The discount was removed."""

    at: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscountEnded:
    """The discount ended."""

    at: int
    id: str


Command = GiveDiscount | RemoveDiscount | EndDiscount
Event = DiscountGiven | DiscountRemoved | DiscountEnded
EVENT_TYPES: dict[str, type] = {
    "customer.discount_given": DiscountGiven,
    "customer.discount_removed": DiscountRemoved,
    "customer.discount_ended": DiscountEnded,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Discount:
    """A discount; without an `end` it is unlimited."""

    id: str
    coupon: Terms
    end: int | None
    promotion_code: str | None
    start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Discounts:
    """The discount of the customer, if any."""

    current: Discount | None = None


NONE = Discounts()


def decide(state: Discounts, command: Command) -> list[Event]:
    """Decide the events of `command`; no events if there is nothing to change."""
    current = state.current
    match command:
        case GiveDiscount():
            months = command.coupon.duration_in_months if command.coupon.duration == "repeating" else None
            given = DiscountGiven(
                coupon=command.coupon,
                end=None if months is None else months_after(command.at, months),
                id=command.id,
                promotion_code=command.promotion_code,
                start=command.at,
            )
            return [given]
        case RemoveDiscount():
            return end(state, command.at)
        case EndDiscount():
            if current is None or current.id != command.id or current.end is None or command.at < current.end:
                return []
            return [DiscountEnded(at=command.at, id=current.id)]
        case _:
            assert_never(command)


def evolve(state: Discounts, event: Event) -> Discounts:
    """Fold one event in."""
    match event:
        case DiscountGiven():
            return Discounts(
                current=Discount(
                    id=event.id,
                    coupon=event.coupon,
                    end=event.end,
                    promotion_code=event.promotion_code,
                    start=event.start,
                )
            )
        case DiscountRemoved() | DiscountEnded():
            return NONE
        case _:
            assert_never(event)


def end(state: Discounts, at: int) -> list[Event]:
    """The events of the deletion of a customer."""
    return [DiscountRemoved(at=at, id=state.current.id)] if state.current is not None else []


def months_after(start: int, months: int) -> int:
    """The same day and time of day so many calendar months later (UTC), or the last day of a month that is shorter."""
    cycles, within = divmod(start, CALENDAR_S)
    moment = datetime.fromtimestamp(within, UTC)
    years, month = divmod(moment.month - 1 + months, 12)
    year = moment.year + years
    day = min(moment.day, monthrange(year, month + 1)[1])
    return cycles * CALENDAR_S + int(moment.replace(year=year, month=month + 1, day=day).timestamp())
