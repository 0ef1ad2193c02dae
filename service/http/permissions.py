"""Permissions of restricted keys for expanded objects and for further objects that a request writes.

The rule of restricted keys is that every object needs the permission of its own resource, wherever it is shown or
changed: reading it where it is expanded, writing it where a parameter creates or changes it.
"""

from collections.abc import Mapping
from types import MappingProxyType

# Permissions needed in addition to the operation's: by parameter, if it is sent; under ALWAYS, in any case.
Beside = Mapping[str, tuple[str, ...]]
NOTHING: Beside = MappingProxyType({})
ALWAYS = ""


def always(*permissions: str) -> Beside:
    """Permissions that an operation needs for any parameters."""
    return MappingProxyType({ALWAYS: permissions})


# Kind of object, or of a stored part of one -> resource that permissions name.
RESOURCES: Mapping[str, str] = MappingProxyType(
    {
        "cash_balance": "customers",
        "coupon": "coupons",
        "coupon.applies_to": "coupons",
        "coupon.currency_options": "coupons",
        "customer": "customers",
        "invoice_credit_balance": "customers",
        "payment_method": "payment_methods",
        "privacy.redaction_job_objects": "privacy",
        "promotion_code": "promotion_codes",
        "promotion_code.currency_options": "promotion_codes",
        "source": "sources",
        "subscription": "subscriptions",
        "tax_id": "tax_ids",
        "test_helpers.test_clock": "test_clocks",
    }
)


def to_read(kind: str) -> str:
    """The permission to read objects of a kind."""
    return f"{RESOURCES[kind]}:read"
