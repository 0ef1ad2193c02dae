"""Tax details of customers: a row for each customer with any, from which its attribute `tax` is rendered."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from events.customer.tax import Location, TaxSet, automatic_tax, location
from events.values import Address
from projections.facets import Effects, EventContext, Project

Shown = Mapping[str, Any]

KIND = "tax"  # its id is the customer's


def _set(context: EventContext) -> Effects:
    shown = {"ip_address": context.after.tax.ip_address}
    return Effects(
        resources=(context.resource(kind=KIND, id=context.after.id, created=context.after.created, shown=shown),),
    )


PROJECTS: Mapping[type, Project] = {TaxSet: _set}


def render(customer: Shown, known: Shown | None, payment: Shown | None, collecting: AbstractSet[str]) -> dict[str, Any]:
    """The `tax` of a customer (API reference, the customer object).

    `known` is the stored row, `payment` what the customer pays with, `collecting` the countries in which tax is
    collected.
    """
    where = location_of(customer, payment)
    return {
        "automatic_tax": automatic_tax(where, collecting),
        "ip_address": None if known is None else known["ip_address"],
        "location": None if where is None else {"country": where.country, "source": where.source, "state": where.state},
        "provider": "stripe",
    }


def location_of(customer: Shown, payment: Shown | None) -> Location | None:
    """The tax location of a customer that pays with this."""
    shipping = customer["shipping"]
    return location(
        None if shipping is None else _address(shipping["address"]),
        _address(customer["address"]),
        None if payment is None else _address_of_payment(payment),
    )


def way_to_pay(customer: Shown) -> tuple[str, Any] | None:
    """The kind and id of what the customer pays with, or the object if it is included in full; None if there is
    none.
    """
    method = customer["invoice_settings"]["default_payment_method"]
    if method is not None:
        return "payment_method", method
    source = customer["default_source"]
    return None if source is None else ("source", source)


def _address(shown: Shown | None) -> Address | None:
    return None if shown is None else Address(**shown)


def _address_of_payment(payment: Shown) -> Address:
    """The billing address of a payment method, card or bank account; its country defaults to that of the issuer."""
    if payment["object"] == "payment_method":
        address = payment["billing_details"]["address"] or {}
        issued = payment.get(payment["type"]) or {}
        return Address(
            country=address.get("country") or issued.get("country"),
            postal_code=address.get("postal_code"),
            state=address.get("state"),
        )
    return Address(
        country=payment.get("address_country") or payment.get("country"),
        postal_code=payment.get("address_zip"),
        state=payment.get("address_state"),
    )
