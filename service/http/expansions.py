"""The expandable properties of each resource (API reference, expanding responses)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Reference:
    """The property holds the id of an object of that kind, or null; deleted ones are shown as they last were."""

    kind: str


@dataclass(frozen=True, slots=True)
class Hash:
    """The property is a hash, never an id: only what is within it may be expanded, unless it `stands` by itself."""

    within: Mapping[str, "Node"]
    stands: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """The property is added: a list object of what belongs to the object and holds `facts`, its newest first."""

    kind: str
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """The property is added: one more stored hash of the object, of the kind of that name and the object's own id.

    `show` makes what is shown out of the object and the stored hash, None where there is none. A property that is not
    `nullable` is left out rather than shown as null.
    """

    kind: str
    show: Callable[[dict[str, Any], Any], Any]
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Tax:
    """The property is added: where the customer is for tax; see projections/tax.py."""


@dataclass(frozen=True, slots=True)
class Older:
    """What older versions show whole where now something is named by `path`: only what is within it may be expanded.

    Which version a request asks for makes no difference, as with parameters that are spelled in two ways.
    """

    path: tuple[str, ...]


Node = Reference | Hash | Items | Part | Tax | Older


def _or_null(_: dict[str, Any], part: Any) -> Any:
    return part


def _or_empty(_: dict[str, Any], part: Any) -> Any:
    return {} if part is None else part


DISCOUNT: Mapping[str, Node] = {
    "coupon": Older(("source", "coupon")),
    "customer": Reference("customer"),
    "promotion_code": Reference("promotion_code"),
    "source": Hash({"coupon": Reference("coupon")}),
}

# Kind of object -> property -> what it is.
OF_KIND: Mapping[str, Mapping[str, Node]] = {
    "customer": {
        "cash_balance": Part("cash_balance", _or_null),
        "default_source": Reference("source"),
        "discount": Hash(DISCOUNT, stands=True),
        "invoice_credit_balance": Part("invoice_credit_balance", _or_empty),
        "invoice_settings": Hash({"default_payment_method": Reference("payment_method")}),
        "sources": Items("source"),
        "subscriptions": Items("subscription", {"canceled": False}),
        "tax": Tax(),
        "tax_ids": Items("tax_id"),
        "test_clock": Reference("test_helpers.test_clock"),
    },
    "coupon": {
        "applies_to": Part("coupon.applies_to", _or_null, nullable=False),
        "currency_options": Part("coupon.currency_options", _or_empty),
    },
    "customer_balance_transaction": {"customer": Reference("customer")},
    "customer_cash_balance_transaction": {"customer": Reference("customer")},
    "discount": DISCOUNT,
    "payment_method": {"customer": Reference("customer")},
    "privacy.redaction_job": {"objects": Part("privacy.redaction_job_objects", _or_null)},
    "promotion_code": {
        "coupon": Older(("promotion", "coupon")),
        "customer": Reference("customer"),
        "promotion": Hash({"coupon": Reference("coupon")}),
        "restrictions": Hash({"currency_options": Part("promotion_code.currency_options", _or_empty)}),
    },
    "source": {"customer": Reference("customer")},
    "subscription": {
        "customer": Reference("customer"),
        "default_payment_method": Reference("payment_method"),
        "default_source": Reference("source"),
        "items": Hash({"data": Hash({}, stands=True)}, stands=True),
        "latest_invoice": Hash({}, stands=True),
        "test_clock": Reference("test_helpers.test_clock"),
    },
    "tax_id": {"customer": Reference("customer"), "owner": Hash({"customer": Reference("customer")})},
}
