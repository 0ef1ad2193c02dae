"""Coupons as the API shows them; a redemption changes the row without a notice."""

from typing import Any

from events import coupon
from events.coupon import Coupon
from events.decider import Change
from projections.notices import notice
from projections.rows import DueRow, NoticeRow, ResourceRow, Rows, due_row, resource_row

APPLIES_TO = "coupon.applies_to"  # what is shown only when it is asked for has rows of its own, under the coupon's id
CURRENCY_OPTIONS = "coupon.currency_options"
EXPIRE = "coupon.expire"  # the task that is due when the last moment to redeem a coupon is over
CLOSE = "coupon.close_codes"  # the task that is due when a coupon is valid no longer: nor are its promotion codes


def render(state: Coupon, livemode: bool) -> dict[str, Any]:
    """A coupon in its default representation (API reference, the coupon object)."""
    terms = state.terms
    return {
        "id": state.id,
        "object": "coupon",
        "amount_off": terms.amount_off,
        "created": state.created,
        "currency": terms.currency,
        "duration": terms.duration,
        "duration_in_months": terms.duration_in_months,
        "livemode": livemode,
        "max_redemptions": state.max_redemptions,
        "metadata": dict(state.metadata),
        "name": state.name,
        "percent_off": number(terms.percent_off),
        "redeem_by": state.redeem_by,
        "times_redeemed": state.times_redeemed,
        "valid": state.valid,
    }


def render_deleted(id: str) -> dict[str, Any]:
    """The answer to its deletion."""
    return {"id": id, "object": "coupon", "deleted": True}


def number(decimal: str | None) -> float | int | None:
    """A decimal as the number of JSON that it is written as: 25.5, and 25 rather than 25.0."""
    if decimal is None:
        return None
    return float(decimal) if "." in decimal else int(decimal)


class CouponProjection:
    """Turns changes of coupons into their rows and notices, rendered in `api_version`."""

    def __init__(self, api_version: str) -> None:
        self._api_version = api_version

    def rows(self, change: Change[Coupon]) -> Rows:
        """The rows as the change left them; a deleted coupon's keep showing it to those who have a discount of it."""
        state, origin = change.after, change.origin
        shown = render(state, origin.livemode)

        def row(kind: str, body: object) -> ResourceRow:
            return resource_row(
                origin,
                change.version,
                kind=kind,
                id=state.id,
                created=state.created,
                shown=body,
                deleted=state.deleted,
            )

        return Rows(
            resources=(
                row(coupon.KIND, shown),
                row(APPLIES_TO, {"products": state.applies_to} if state.applies_to else None),
                row(CURRENCY_OPTIONS, {name: {"amount_off": n} for name, n in state.currency_options.items()}),
            ),
            notices=self._told(change, shown),
            due=_due(change),
        )

    def _told(self, change: Change[Coupon], shown: dict[str, Any]) -> tuple[NoticeRow, ...]:
        """One notice a change: what is done to a coupon at once is of one kind."""
        before = None
        match change.steps[-1][0]:
            case coupon.CouponCreated():
                type = "coupon.created"
            case coupon.CouponUpdated():
                type, before = "coupon.updated", render(change.before, change.origin.livemode)
            case coupon.CouponDeleted():
                type = "coupon.deleted"
            case _:
                return ()
        return (
            notice(
                type,
                shown,
                before=before,
                stream=change.stream,
                version=change.version,
                event=len(change.steps) - 1,
                origin=change.origin,
                api_version=self._api_version,
            ),
        )


def _due(change: Change[Coupon]) -> tuple[DueRow, ...]:
    """A second after the last moment it is too late; a coupon that is gone has that no longer before it."""
    state, before = change.after, change.before
    due = []
    last = before.redeem_by if state.deleted else state.redeem_by
    if last is not None and (before.exists != state.exists or before.expired != state.expired):
        due.append(_work(change, EXPIRE, last + 1 if state.exists and not state.expired else None))
    if before.valid and not state.valid:
        due.append(_work(change, CLOSE, int(change.origin.at.timestamp())))
    return tuple(due)


def _work(change: Change[Coupon], task: str, due_at: int | None) -> DueRow:
    state, origin = change.after, change.origin
    return due_row(origin, task, due_at, kind=coupon.KIND, id=coupon.key(origin.scope, state.id), subject=state.id)
