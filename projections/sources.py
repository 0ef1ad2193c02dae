"""Cards and bank accounts of customers: their representation in the API, and their events."""

from collections.abc import Mapping
from typing import Any, assert_never

from events.card import BankAccount, Card
from events.customer.source import (
    BankAccountAttached,
    BankAccountVerificationFailed,
    BankAccountVerified,
    CardAttached,
    CardExpiring,
    Source,
    SourceEdited,
    SourceRemoved,
)
from projections.facets import Effects, EventContext, Project
from projections.notices import Notification
from projections.rows import DueRow

KIND = "source"
EXPIRING = "source.expiring"  # the job that is due when a card is about to expire

# Names of card brands in the API of sources.
BRANDS: Mapping[str, str] = {
    "amex": "American Express",
    "diners": "Diners Club",
    "discover": "Discover",
    "eftpos_au": "Eftpos Australia",
    "jcb": "JCB",
    "mastercard": "MasterCard",
    "unionpay": "UnionPay",
    "visa": "Visa",
}


def render(source: Source, customer: str) -> dict[str, Any]:
    """A card or bank account of a customer (API reference, the card object, the bank account object)."""
    match source.kept:
        case Card():
            shown = render_card(source.kept, source.id)
        case BankAccount():
            shown = render_bank_account(source.kept, source.id)
        case _:
            assert_never(source.kept)
    return in_order(shown | {"customer": customer, "metadata": dict(source.metadata)})


def render_card(card: Card, id: str) -> dict[str, Any]:
    """Attributes of a card, in a source or a token."""
    address = card.address
    return {
        "id": id,
        "object": "card",
        "address_city": address.city,
        "address_country": address.country,
        "address_line1": address.line1,
        "address_line1_check": card.address_line1_check,
        "address_line2": address.line2,
        "address_state": address.state,
        "address_zip": address.postal_code,
        "address_zip_check": card.address_zip_check,
        "brand": BRANDS.get(card.brand, "Unknown"),
        "country": card.country,
        "cvc_check": card.cvc_check,
        "dynamic_last4": None,
        "exp_month": card.exp_month,
        "exp_year": card.exp_year,
        "fingerprint": card.fingerprint,
        "funding": card.funding,
        "last4": card.last4,
        "name": card.name,
        "regulated_status": None,
        "tokenization_method": None,
    }


def render_bank_account(account: BankAccount, id: str) -> dict[str, Any]:
    """Attributes of a bank account, in a source or a token."""
    return {
        "id": id,
        "object": "bank_account",
        "account_holder_name": account.account_holder_name,
        "account_holder_type": account.account_holder_type,
        "account_type": account.account_type,
        "bank_name": account.bank_name,
        "country": account.country,
        "currency": account.currency,
        "fingerprint": account.fingerprint,
        "last4": account.last4,
        "routing_number": account.routing_number,
        "status": account.status,
    }


def render_deleted(source: Source) -> dict[str, Any]:
    """A deleted source."""
    return {"id": source.id, "object": source.object, "deleted": True}


def in_order(shown: dict[str, Any]) -> dict[str, Any]:
    """The keys in the API's order: `id` and `object` first, the rest alphabetical."""
    first = {key: shown[key] for key in ("id", "object")}
    return first | {key: shown[key] for key in sorted(shown.keys() - first.keys())}


def _attached(context: EventContext) -> Effects:
    source = context.after.sources.by_id[context.event.id]
    return _facts(context, source, "customer.source.created", due=_due(context, source))


def _edited(context: EventContext) -> Effects:
    before, after = (state.sources.by_id[context.event.id] for state in (context.before, context.after))
    due = () if before.expiring_at == after.expiring_at else _due(context, after)
    return _facts(context, after, "customer.source.updated", before=before, due=due)


def _not_verified(context: EventContext) -> Effects:
    """Wrong amounts are not shown before there were too many."""
    before, after = (state.sources.by_id[context.event.id] for state in (context.before, context.after))
    return Effects() if before.kept == after.kept else _edited(context)


def _removed(context: EventContext) -> Effects:
    source = context.before.sources.by_id[context.event.id]
    due = (context.due(EXPIRING, source.id, None),) if source.expiring_at is not None else ()
    return _facts(context, source, "customer.source.deleted", deleted=True, due=due)


def _expiring(context: EventContext) -> Effects:
    source = context.after.sources.by_id[context.event.id]
    return _facts(context, source, "customer.source.expiring", due=(context.due(EXPIRING, source.id, None),))


def _facts(
    context: EventContext,
    source: Source,
    type: str,
    *,
    before: Source | None = None,
    deleted: bool = False,
    due: tuple[DueRow, ...] = (),
) -> Effects:
    customer = context.after.id
    shown = render(source, customer)
    row = context.resource(
        kind=KIND, id=source.id, created=source.created, shown=shown, deleted=deleted, facts={"object": source.object}
    )
    notification = Notification(type, shown, before=None if before is None else render(before, customer))
    return Effects(resources=(row,), notices=(notification,), due=due)


def _due(context: EventContext, source: Source) -> tuple[DueRow, ...]:
    return () if source.expiring_at is None else (context.due(EXPIRING, source.id, source.expiring_at),)


PROJECTS: Mapping[type, Project] = {
    CardAttached: _attached,
    BankAccountAttached: _attached,
    SourceEdited: _edited,
    SourceRemoved: _removed,
    BankAccountVerified: _edited,
    BankAccountVerificationFailed: _not_verified,
    CardExpiring: _expiring,
}
