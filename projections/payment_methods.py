"""Payment methods: their representation in the API, and the events of those that are attached."""

from collections.abc import Mapping
from typing import Any

from events import payment_method
from events.card import NO_CARD, Card
from events.decider import Change
from events.payment_method import BillingDetails, PaymentMethod
from projections.notices import Notification, notices_of
from projections.rows import Rows, resource_row
from projections.sources import in_order

KIND = payment_method.KIND

# The attributes shown of each type other than a card (API reference, the payment method object); of other types none.
SHOWN: Mapping[str, tuple[str, ...]] = {
    "acss_debit": ("bank_name", "fingerprint", "institution_number", "last4", "transit_number"),
    "au_becs_debit": ("bsb_number", "fingerprint", "last4"),
    "bacs_debit": ("fingerprint", "last4", "sort_code"),
    "bizum": ("buyer_id",),
    "blik": ("buyer_id",),
    "boleto": ("tax_id",),
    "cashapp": ("buyer_id", "cashtag"),
    "custom": ("display_name", "logo", "type"),
    "eps": ("bank",),
    "fpx": ("account_holder_type", "bank"),
    "ideal": ("bank", "bic"),
    "klarna": ("dob",),
    "kr_card": ("brand", "last4"),
    "link": ("email",),
    "naver_pay": ("buyer_id", "funding"),
    "nz_bank_account": ("account_holder_name", "bank_code", "bank_name", "branch_code", "last4", "suffix"),
    "p24": ("bank",),
    "paypal": ("country", "payer_email", "payer_id"),
    "payto": ("bsb_number", "last4", "pay_id"),
    "pix": ("fingerprint",),
    "sepa_debit": ("bank_code", "branch_code", "country", "fingerprint", "generated_from", "last4"),
    "sofort": ("country",),
    "upi": ("vpa",),
    "us_bank_account": (
        "account_holder_type",
        "account_type",
        "bank_name",
        "financial_connections_account",
        "fingerprint",
        "last4",
        "networks",
        "routing_number",
        "status_details",
    ),
}


def render(state: PaymentMethod, livemode: bool) -> dict[str, Any]:
    """A payment method (API reference, the payment method object)."""
    shown = {
        "id": state.id,
        "object": KIND,
        "allow_redisplay": state.allow_redisplay,
        "billing_details": _billing_details(state.billing_details),
        "created": state.created,
        "customer": state.customer,
        "customer_account": None,
        "livemode": livemode,
        "metadata": dict(state.metadata),
        "type": state.type,
    }
    if state.type == "card":
        shown["card"] = _card(state.card or NO_CARD)
    else:
        shown[state.type] = {name: state.details.get(name) for name in SHOWN.get(state.type, ())}
    return in_order(shown)


class PaymentMethodProjection:
    """Projects changes of payment methods to rows and events, rendered in `api_version`."""

    def __init__(self, api_version: str) -> None:
        self._api_version = api_version

    def rows(self, change: Change[PaymentMethod]) -> Rows:
        """The rows after the change; an attached payment method belongs to its customer."""
        state, origin = change.after, change.origin
        row = resource_row(
            origin,
            change.version,
            kind=KIND,
            id=state.id,
            created=state.created,
            shown=render(state, origin.livemode),
            parent=state.customer or "",
            facts={"allow_redisplay": state.allow_redisplay, "type": state.type},
        )
        return Rows(resources=(row,), notices=notices_of(change, self._api_version, _notification))


def _notification(
    event: payment_method.Event, before: PaymentMethod, after: PaymentMethod, livemode: bool
) -> Notification | None:
    match event:
        case payment_method.AttachedToCustomer():
            return Notification("payment_method.attached", render(after, livemode))
        case payment_method.PaymentMethodEdited():
            return Notification("payment_method.updated", render(after, livemode), render(before, livemode))
        case payment_method.DetachedFromCustomer():
            return Notification("payment_method.detached", render(after, livemode), render(before, livemode))
        case _:
            return None


def _card(card: Card) -> dict[str, Any]:
    brand = "cartes_bancaires" if card.preferred_network == "cartes_bancaires" else card.brand
    return {
        "brand": card.brand,
        "checks": {
            "address_line1_check": card.address_line1_check,
            "address_postal_code_check": card.address_zip_check,
            "cvc_check": card.cvc_check,
        },
        "country": card.country,
        "display_brand": brand,
        "exp_month": card.exp_month,
        "exp_year": card.exp_year,
        "fingerprint": card.fingerprint,
        "funding": card.funding,
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": card.preferred_network},
        "regulated_status": None,
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def _billing_details(details: BillingDetails) -> dict[str, Any]:
    address = details.address
    return {
        "address": {
            "city": address.city,
            "country": address.country,
            "line1": address.line1,
            "line2": address.line2,
            "postal_code": address.postal_code,
            "state": address.state,
        },
        "email": details.email,
        "name": details.name,
        "phone": details.phone,
        "tax_id": details.tax_id,
    }
