"""Subscriptions of customers: their representation in the API, and their events.

What a billing service does not report is shown with its default (API reference, the subscription object).
"""

from collections.abc import Mapping
from typing import Any

from events import ids
from events.customer.subscription import (
    PaymentRetryRequested,
    Price,
    Subscription,
    SubscriptionCanceled,
    SubscriptionRemoved,
    SubscriptionReported,
    canceled_at,
)
from projections.facets import Effects, EventContext, Project
from projections.notices import Notification

KIND = "subscription"
RETRY_REQUESTED = "invoice.payment_retry_requested"  # an event type of our own: see params.webhook_endpoint


def render(one: Subscription, customer: str, test_clock: str | None, livemode: bool) -> dict[str, Any]:
    """A subscription in its default representation."""
    return {
        "id": one.id,
        "object": KIND,
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": _first(one.billing_cycle_anchor, one.start_date, one.created),
        "billing_cycle_anchor_config": None,
        "billing_mode": {"flexible": None, "type": "classic"},
        "billing_schedules": [],
        "billing_thresholds": None,
        "cancel_at": one.cancel_at,
        "cancel_at_period_end": one.cancel_at_period_end,
        "canceled_at": one.canceled_at,
        "cancellation_details": {"comment": None, "feedback": None, "feedback_option": None, "reason": None},
        "collection_method": one.collection_method,
        "created": one.created,
        "currency": one.currency,
        "customer": customer,
        "customer_account": None,
        "days_until_due": one.days_until_due,
        "default_payment_method": one.default_payment_method,
        "default_source": one.default_source,
        "default_tax_rates": [],
        "description": one.description,
        "discounts": [],
        "ended_at": one.ended_at,
        "invoice_settings": {
            "account_tax_ids": None,
            "custom_fields": None,
            "description": None,
            "footer": None,
            "issuer": {"type": "self"},
        },
        "items": {
            "object": "list",
            "data": _items(one, livemode),
            "has_more": False,
            "url": f"/v1/subscription_items?subscription={one.id}",
        },
        "latest_invoice": one.latest_invoice.id if one.latest_invoice else None,
        "livemode": livemode,
        "managed_payments": None,
        "metadata": dict(one.metadata),
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": _first(one.start_date, one.created),
        "status": one.status,
        "test_clock": test_clock,
        "transfer_data": None,
        "trial_end": one.trial_end,
        "trial_settings": None,
        "trial_start": one.trial_start,
    }


def render_deleted(id: str) -> dict[str, Any]:
    """A deleted subscription."""
    return {"id": id, "object": KIND, "deleted": True}


def _items(one: Subscription, livemode: bool) -> list[dict[str, Any]]:
    return [
        {
            "id": item.id,
            "object": "subscription_item",
            "billing_thresholds": None,
            "created": _first(item.created, one.created),
            "current_period_end": one.current_period_end,
            "current_period_start": one.current_period_start,
            "current_trial": None,
            "discounts": [],
            "metadata": {},
            "plan": _plan(item.price, one, livemode),
            "price": _price(item.price, one, livemode),
            "quantity": item.quantity,
            "subscription": one.id,
            "tax_rates": [],
        }
        for item in one.items
    ]


def _price(price: Price, one: Subscription, livemode: bool) -> dict[str, Any]:
    """The price of an item (API reference, the price object)."""
    return {
        "id": price.id,
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "created": _first(price.created, one.created),
        "currency": one.currency,
        "custom_unit_amount": None,
        "livemode": livemode,
        "lookup_key": None,
        "metadata": {},
        "nickname": price.nickname,
        "product": price.product,
        "recurring": {
            "interval": price.interval,
            "interval_count": price.interval_count,
            "meter": None,
            "trial_period_days": None,
            "usage_type": "licensed",
        },
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "recurring",
        "unit_amount": price.unit_amount,
        "unit_amount_decimal": None if price.unit_amount is None else str(price.unit_amount),
    }


def _plan(price: Price, one: Subscription, livemode: bool) -> dict[str, Any]:
    """The same price as a plan, its older form (API reference, the plan object)."""
    return {
        "id": price.id,
        "object": "plan",
        "active": True,
        "amount": price.unit_amount,
        "amount_decimal": None if price.unit_amount is None else str(price.unit_amount),
        "billing_scheme": "per_unit",
        "created": _first(price.created, one.created),
        "currency": one.currency,
        "interval": price.interval,
        "interval_count": price.interval_count,
        "livemode": livemode,
        "metadata": {},
        "meter": None,
        "nickname": price.nickname,
        "product": price.product,
        "tiers_mode": None,
        "transform_usage": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }


def _first(*values: int | None) -> int | None:
    """The first value that is not None."""
    return next((value for value in values if value is not None), None)


def _reported(context: EventContext) -> Effects:
    """The event of a report: created, updated, or deleted when it is canceled (API reference, types of events)."""
    before = context.before.subscriptions.by_id.get(context.event.id)
    after = context.after.subscriptions.by_id[context.event.id]
    shown = _shown(context, after)
    if before is None:
        notification = Notification("customer.subscription.created", shown)
    elif after.canceled and not before.canceled:
        notification = Notification("customer.subscription.deleted", shown)
    else:
        notification = Notification("customer.subscription.updated", shown, _shown(context, before))
    same = before is not None and notification.before == shown  # a report may change what is not shown
    return _effects(context, after, () if same else (notification,))


def _canceled(context: EventContext) -> Effects:
    after = context.after.subscriptions.by_id[context.event.id]
    return _effects(context, after, (Notification("customer.subscription.deleted", _shown(context, after)),))


def _removed(context: EventContext) -> Effects:
    """The event of a removal, unless the subscription had ended before."""
    last = context.before.subscriptions.by_id[context.event.id]
    over = canceled_at(last, context.event.at)
    notifications = () if last.canceled else (Notification("customer.subscription.deleted", _shown(context, over)),)
    return _effects(context, over, notifications, deleted=True)


def _retry_requested(context: EventContext) -> Effects:
    """The event that asks the billing service to retry an invoice, outside of its own schedule."""
    event = context.event
    return Effects(
        notices=(
            Notification(
                RETRY_REQUESTED,
                {
                    "id": ids.derived("prr", context.stream, context.version),
                    "object": "payment_retry_request",
                    "automatic": False,
                    "created": event.at,
                    "customer": context.after.id,
                    "invoice": event.invoice,
                    "livemode": context.origin.livemode,
                    "subscription": event.subscription,
                },
            ),
        )
    )


def _effects(
    context: EventContext, one: Subscription, notifications: tuple[Notification, ...], *, deleted: bool = False
) -> Effects:
    row = context.resource(
        kind=KIND,
        id=one.id,
        created=one.created,
        shown=_shown(context, one),
        deleted=deleted,
        facts={"canceled": one.canceled, "ended": one.ended, "status": one.status},
    )
    return Effects(resources=(row,), notices=notifications)


def _shown(context: EventContext, one: Subscription) -> dict[str, Any]:
    return render(one, context.after.id, context.after.test_clock, context.origin.livemode)


PROJECTS: Mapping[type, Project] = {
    SubscriptionReported: _reported,
    SubscriptionCanceled: _canceled,
    SubscriptionRemoved: _removed,
    PaymentRetryRequested: _retry_requested,
}
