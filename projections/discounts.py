"""The discount of a customer: part of the customer as it is shown, with notices of its own, ended when it expires."""

from collections.abc import Mapping
from typing import Any

from events.customer.discount import Discount, DiscountEnded, DiscountGiven, DiscountRemoved
from projections.facets import Effects, EventContext, Project
from projections.notices import Notification

END = "discount.end"  # the task that is due when a discount's months are over


def render(discount: Discount | None, customer: str) -> dict[str, Any] | None:
    """A customer's discount (API reference, the discount object); null when there is none."""
    if discount is None:
        return None
    return {
        "id": discount.id,
        "object": "discount",
        "checkout_session": None,
        "customer": customer,
        "customer_account": None,
        "end": discount.end,
        "invoice": None,
        "invoice_item": None,
        "promotion_code": discount.promotion_code,
        "source": {"coupon": discount.coupon.id, "type": "coupon"},
        "start": discount.start,
        "subscription": None,
        "subscription_item": None,
    }


def render_deleted(shown: dict[str, Any]) -> dict[str, Any]:
    """A discount, as it was shown, that was just removed: `deleted` in alphabetical order, and no `end`."""
    first = {key: shown[key] for key in ("id", "object")}
    rest = {key: shown[key] for key in shown.keys() - first.keys() - {"end"}} | {"deleted": True}
    return first | dict(sorted(rest.items()))


def _given(context: EventContext) -> Effects:
    was, now = context.before.discounts.current, context.after.discounts.current
    shown = render(now, context.after.id)
    assert now is not None
    assert shown is not None
    due = [] if was is None or was.end is None else [context.due(END, was.id, None)]
    if now.end is not None:
        due.append(context.due(END, now.id, now.end))
    before = render(was, context.after.id)
    notification = Notification(
        "customer.discount.created" if before is None else "customer.discount.updated", shown, before=before
    )
    return Effects(notices=(notification,), due=tuple(due))


def _gone(context: EventContext) -> Effects:
    was = context.before.discounts.current
    shown = render(was, context.after.id)
    assert was is not None
    assert shown is not None
    due = (context.due(END, was.id, None),) if was.end is not None else ()
    return Effects(notices=(Notification("customer.discount.deleted", shown),), due=due)


PROJECTS: Mapping[type, Project] = {DiscountGiven: _given, DiscountRemoved: _gone, DiscountEnded: _gone}
