"""Promotion codes as the API shows them; an active one's code, in capitals, is unique in its account and mode."""

from typing import Any

from events import promotion_code
from events.decider import Change
from events.promotion_code import PromotionCode
from projections.notices import notice
from projections.rows import DueRow, NoticeRow, Rows, due_row, dumps, resource_row

CURRENCY_OPTIONS = "promotion_code.currency_options"  # shown only when asked for: a row of its own, under the code's id
EXPIRE = "promotion_code.expire"  # the task that is due when a code's time is over
UNIQUE = "resource_lookup"  # the constraint that keeps the codes of active ones unique


def render(state: PromotionCode, livemode: bool) -> dict[str, Any]:
    """A promotion code in its default representation (API reference, the promotion code object)."""
    restrictions = state.restrictions
    return {
        "id": state.id,
        "object": "promotion_code",
        "active": state.open,
        "code": state.code,
        "created": state.created,
        "customer": state.customer,
        "customer_account": None,
        "expires_at": state.expires_at,
        "livemode": livemode,
        "max_redemptions": state.max_redemptions,
        "metadata": dict(state.metadata),
        "promotion": {"coupon": state.coupon, "type": "coupon"},
        "restrictions": {
            "first_time_transaction": restrictions.first_time_transaction,
            "minimum_amount": restrictions.minimum_amount,
            "minimum_amount_currency": restrictions.minimum_amount_currency,
        },
        "times_redeemed": state.times_redeemed,
    }


class PromotionCodeProjection:
    """Turns changes of promotion codes into their rows and notices, rendered in `api_version`."""

    def __init__(self, api_version: str) -> None:
        self._api_version = api_version

    def rows(self, change: Change[PromotionCode]) -> Rows:
        """The rows as the change left them."""
        state, origin = change.after, change.origin
        shown = render(state, origin.livemode)
        mode = "live" if origin.livemode else "test"
        options = {name: {"minimum_amount": least} for name, least in state.restrictions.currency_options.items()}
        row = resource_row(
            origin,
            change.version,
            kind=promotion_code.KIND,
            id=state.id,
            created=state.created,
            shown=shown,
            parent=state.code.upper(),  # what customers type is looked up as what belongs to an object is
            lookup=f"{origin.account}/{mode}/{state.code.upper()}" if state.open else None,
            facts={"active": state.open, "coupon": state.coupon, "customer": state.customer},
        )
        part = row._replace(kind=CURRENCY_OPTIONS, lookup=None, body=dumps(options), facts="{}")
        return Rows(resources=(row, part), notices=self._told(change, shown), due=_due(change))

    def _told(self, change: Change[PromotionCode], shown: dict[str, Any]) -> tuple[NoticeRow, ...]:
        """One notice a change: what is done to a code at once is of one kind."""
        before = None
        match change.steps[-1][0]:
            case promotion_code.PromotionCodeCreated():
                type = "promotion_code.created"
            case promotion_code.PromotionCodeUpdated():
                type, before = "promotion_code.updated", render(change.before, change.origin.livemode)
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


def _due(change: Change[PromotionCode]) -> tuple[DueRow, ...]:
    """A second after its last moment it is too late."""
    state, origin = change.after, change.origin
    if state.expires_at is None or (change.before.id and change.before.expired == state.expired):
        return ()
    return (
        due_row(
            origin,
            EXPIRE,
            None if state.expired else state.expires_at + 1,
            kind=promotion_code.KIND,
            id=state.id,
            subject=state.id,
        ),
    )
