"""The kinds of streams that audits show, by the collections of their paths: how each is named, found and rendered."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from events import coupon
from events.account_tax_id import ACCOUNT_TAX_ID
from events.api_key import API_KEY, ApiKey
from events.audit_trail import AUDIT_TRAIL
from events.coupon import COUPON, Coupon
from events.customer import CUSTOMER
from events.decider import Decider
from events.payment_method import PAYMENT_METHOD
from events.promotion_code import PROMOTION_CODE, PromotionCode
from events.record import Origin
from events.redaction_job import REDACTION_JOB
from events.scope import Scope
from events.testclock import TEST_CLOCK, TestClock
from events.token import TOKEN
from projections import (
    api_keys,
    changes,
    coupons,
    customer_history,
    payment_methods,
    promotion_codes,
    redaction_jobs,
    tax_ids,
    testclocks,
    tokens,
)
from projections.changes import Changed
from service.history import Kind
from webhooks.broker.subscriber import ANY, SUBSCRIBER, Subscriber
from webhooks.endpoints import rendering
from webhooks.endpoints.endpoint import ENDPOINT, Endpoint

Render = Callable[[Any, Scope], dict[str, Any]]


def _coupon(state: Coupon, scope: Scope) -> dict[str, Any]:
    return coupons.render(state, scope.livemode) | {
        "applies_to": {"products": list(state.applies_to)} if state.applies_to else None,
        "currency_options": {name: {"amount_off": amount} for name, amount in state.currency_options.items()},
        "deleted": state.deleted,
    }


def _promotion_code(state: PromotionCode, scope: Scope) -> dict[str, Any]:
    options = {name: {"minimum_amount": least} for name, least in state.restrictions.currency_options.items()}
    return promotion_codes.render(state, scope.livemode) | {"currency_options": options}


def _test_clock(state: TestClock, scope: Scope) -> dict[str, Any]:
    return testclocks.render(state, scope.livemode) | {"customers": list(state.customers), "deleted": state.deleted}


def _endpoint(state: Endpoint, scope: Scope) -> dict[str, Any]:
    return rendering.render(state, scope.livemode) | {
        "cancellations": state.cancellations,
        "deleted": state.deleted,
        "recoveries": state.recoveries,
        "rules": asdict(state.rules),
        "secrets": 1 + len(state.older_secrets),
    }


def _subscriber(state: Subscriber, scope: Scope) -> dict[str, Any]:
    return {
        "name": state.name,
        "object": "subscriber",
        "account": state.account,
        "at": state.at,
        "mode": state.mode,
        "removed": state.removed,
        "types": list(state.types),
    }


def _api_key(state: ApiKey, scope: Scope) -> dict[str, Any]:
    shown = api_keys.render(state, scope)
    return shown | {"permissions": list(shown["permissions"]), "type": shown.pop("key_type")}


def _receives(state: Subscriber, scope: Scope) -> bool:
    """Whether a subscriber has, or had, notices of this account and mode, and never of another account alone."""
    mode = "live" if scope.livemode else "test"
    bindings = {tuple(binding.split(".")[:2]) for binding in (*state.bindings, *state.past)}
    return all(account in (ANY, scope.account) and each in (ANY, mode) for account, each in bindings)


def _kind(name: str, noun: str, prefix: str, decider: Decider[Any, Any, Any], render: Render, **more: Any) -> Kind:
    """A kind whose objects are rendered whole, before an event and after it."""

    def difference(before: Any, after: Any, scope: Scope) -> list[Changed]:
        old = changes.NOTHING if before == decider.initial else render(before, scope)
        return list(changes.changes(old, render(after, scope)))

    def changed(event: Any, before: Any, after: Any, origin: Origin, stream: str, version: int) -> list[Changed]:
        return difference(before, after, origin.scope)

    return Kind(name, noun, prefix, decider, render, changed, difference, **more)


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "customers",
            "customer",
            "cus_",
            CUSTOMER,
            lambda state, scope: customer_history.render(state, scope.livemode),
            customer_history.of_event,
            lambda before, after, scope: list(customer_history.difference(before, after, scope.livemode)),
        ),
        _kind("coupons", "coupon", "", COUPON, _coupon, key=coupon.key),
        _kind("promotion_codes", "promotion code", "promo_", PROMOTION_CODE, _promotion_code),
        _kind(
            "payment_methods",
            "PaymentMethod",
            "pm_",
            PAYMENT_METHOD,
            lambda state, scope: payment_methods.render(state, scope.livemode),
        ),
        _kind("tokens", "token", "tok_", TOKEN, lambda state, scope: tokens.render(state, scope.livemode)),
        _kind(
            "tax_ids",
            "tax id",
            "txi_",
            ACCOUNT_TAX_ID,
            lambda state, scope: tax_ids.render_own(state, scope.livemode) | {"deleted": state.deleted},
        ),
        _kind("test_clocks", "test clock", "clock_", TEST_CLOCK, _test_clock),
        _kind("webhook_endpoints", "webhook endpoint", "we_", ENDPOINT, _endpoint),
        _kind(
            "redaction_jobs",
            "redaction job",
            "prj_",
            REDACTION_JOB,
            lambda state, scope: redaction_jobs.render(state, scope.livemode),
        ),
        _kind("subscribers", "subscriber", "", SUBSCRIBER, _subscriber, visible=_receives),
        _kind("api_keys", "API key", "key_", API_KEY, _api_key),
        _kind("audit_trails", "audit trail", "", AUDIT_TRAIL, lambda state, scope: {"reads": state.reads}),
    )
}
