"""The current customers, as the API shows them: exactly these keys, `id` and `object` first, the rest alphabetical."""

from typing import Any

import orjson

from events import customer
from events.customer import Customer, CustomerCreated, CustomerDeleted, CustomerUpdated
from events.decider import Change, Decider
from events.values import Address, InvoiceSettings, Shipping
from projections.notices import notice
from projections.rows import CustomerRow, NoticeRow, Rows

CUSTOMER = Decider(customer.KIND, customer.NOBODY, customer.decide, customer.evolve)


def render(state: Customer, livemode: bool) -> dict[str, Any]:
    """A living customer in its default representation (API reference, the customer object)."""
    profile = state.profile
    shown: dict[str, Any] = {
        "id": state.id,
        "object": "customer",
        "address": _address(profile.address),
        "balance": 0,
        "business_name": profile.business_name,
        "created": state.created,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": profile.description,
        "discount": None,
        "email": profile.email,
        "individual_name": profile.individual_name,
        "invoice_prefix": profile.invoice_prefix,
        "invoice_settings": _invoice_settings(profile.invoice_settings),
        "livemode": livemode,
        "metadata": dict(profile.metadata),
        "name": profile.name,
        "next_invoice_sequence": profile.next_invoice_sequence,
        "phone": profile.phone,
        "preferred_locales": profile.preferred_locales,
        "shipping": _shipping(profile.shipping),
        "tax_exempt": profile.tax_exempt,
        "test_clock": None,
    }
    for never_null in ("business_name", "individual_name"):
        if shown[never_null] is None:
            del shown[never_null]
    return shown


def render_deleted(id: str) -> dict[str, Any]:
    """What is left to show of a deleted customer."""
    return {"id": id, "object": "customer", "deleted": True}


def body(state: Customer, livemode: bool) -> bytes:
    """A customer, living or deleted, as the bytes the API sends."""
    return dumps(render_deleted(state.id) if state.deleted else render(state, livemode))


def dumps(shown: dict[str, Any]) -> bytes:
    """JSON as the API sends it, indented by two spaces."""
    return orjson.dumps(shown, option=orjson.OPT_INDENT_2)


class CustomerProjection:
    """Turns changes of customers into their row and their notices, told in `api_version`."""

    def __init__(self, api_version: str) -> None:
        self._api_version = api_version

    def rows(self, change: Change[Customer]) -> Rows:
        """The row as the change left it, and a notice for each of its events."""
        livemode = change.origin.livemode
        shown = render(change.before, livemode) if change.before.exists else None
        notices: list[NoticeRow] = []
        first = change.version - len(change.steps) + 1
        for place, (event, after) in enumerate(change.steps):
            before, shown = shown, shown if isinstance(event, CustomerDeleted) else render(after, livemode)
            assert shown is not None, "a customer is created before it is deleted"
            notices.append(
                notice(
                    _TYPES[type(event)],
                    shown,
                    before=before if isinstance(event, CustomerUpdated) else None,
                    stream=change.stream,
                    version=first + place,
                    event=place,
                    origin=change.origin,
                    api_version=self._api_version,
                )
            )
        return Rows(customers=(self.row(change, shown),), notices=tuple(notices))

    @staticmethod
    def row(change: Change[Customer], shown: dict[str, Any] | None = None) -> CustomerRow:
        """The row alone, as the change left it."""
        after = change.after
        if after.deleted:
            shown = render_deleted(after.id)
        return CustomerRow(
            account=change.origin.account,
            livemode=change.origin.livemode,
            id=after.id,
            created=after.created,
            version=change.version,
            deleted=after.deleted,
            email=None if after.deleted else after.profile.email,
            invoice_prefix=None if after.deleted else after.profile.invoice_prefix,
            body=dumps(shown or render(after, change.origin.livemode)),
        )


_TYPES = {
    CustomerCreated: "customer.created",
    CustomerUpdated: "customer.updated",
    CustomerDeleted: "customer.deleted",
}


def _address(address: Address | None) -> dict[str, str | None] | None:
    if address is None:
        return None
    return {
        "city": address.city,
        "country": address.country,
        "line1": address.line1,
        "line2": address.line2,
        "postal_code": address.postal_code,
        "state": address.state,
    }


def _shipping(shipping: Shipping | None) -> dict[str, Any] | None:
    if shipping is None:
        return None
    return {"address": _address(shipping.address), "name": shipping.name, "phone": shipping.phone}


def _invoice_settings(settings: InvoiceSettings) -> dict[str, Any]:
    options = settings.rendering_options
    return {
        "custom_fields": None
        if settings.custom_fields is None
        else [{"name": field.name, "value": field.value} for field in settings.custom_fields],
        "default_payment_method": None,
        "footer": settings.footer,
        "rendering_options": None
        if options is None
        else {"amount_tax_display": options.amount_tax_display, "template": options.template},
    }
