"""Cash balances as the API shows them, their transfers, and the notices of those."""

from collections.abc import Mapping
from typing import Any

from events.customer import cash_balance
from events.customer.cash_balance import (
    NONE,
    TRANSFERS,
    CashBalance,
    CashBalanceFunded,
    ReconciliationSet,
    VirtualAccountOpened,
)
from projections.facets import Effects, EventContext, Project
from projections.notices import Notification

KIND = cash_balance.KIND
TRANSACTION = "customer_cash_balance_transaction"

# What is known of a transfer that a test brought about: its kind and network, and nothing of who sent it.
_OF_TRANSFER: Mapping[str, Mapping[str, str | None]] = {
    "eu_bank_transfer": {"bic": None, "iban_last4": None, "sender_name": None},
    "gb_bank_transfer": {"account_number_last4": None, "sender_name": None, "sort_code": None},
    "jp_bank_transfer": {"sender_bank": None, "sender_branch": None, "sender_name": None},
    "us_bank_transfer": {"network": "ach", "sender_name": None},
}


def render(cash: CashBalance, customer: str, livemode: bool) -> dict[str, Any]:
    """A customer's cash (API reference, the cash balance object); of who never used it, the settings it would have."""
    return {
        "object": KIND,
        "available": dict(sorted(cash.available.items())) or None,
        "customer": customer,
        "customer_account": None,
        "livemode": livemode,
        "settings": {"reconciliation_mode": cash.mode or "automatic", "using_merchant_default": cash.mode is None},
    }


def unused(customer: str, livemode: bool) -> dict[str, Any]:
    """The cash of a customer who never used it."""
    return render(NONE, customer, livemode)


def render_transaction(event: CashBalanceFunded, customer: str, livemode: bool) -> dict[str, Any]:
    """A transfer (API reference, the cash balance transaction object)."""
    transfer = TRANSFERS[event.currency]
    details = {transfer: dict(_OF_TRANSFER[transfer])} if transfer in _OF_TRANSFER else {}
    funded = {"bank_transfer": {**details, "reference": event.reference, "type": transfer}}
    return {
        "id": event.id,
        "object": TRANSACTION,
        "created": event.at,
        "currency": event.currency,
        "customer": customer,
        "customer_account": None,
        "ending_balance": event.ending_balance,
        "funded": {"bank_transfer": dict(sorted(funded["bank_transfer"].items()))},
        "livemode": livemode,
        "net_amount": event.amount,
        "type": "funded",
    }


def _set(context: EventContext) -> Effects:
    shown = render(context.after.cash_balance, context.after.id, context.origin.livemode)
    return Effects(
        resources=(context.resource(kind=KIND, id=context.after.id, created=context.after.created, shown=shown),)
    )


def _funded(context: EventContext) -> Effects:
    event: CashBalanceFunded = context.event
    shown = render(context.after.cash_balance, context.after.id, context.origin.livemode)
    transfer = render_transaction(event, context.after.id, context.origin.livemode)
    return Effects(
        resources=(
            context.resource(kind=TRANSACTION, id=event.id, created=event.at, shown=transfer),
            context.resource(kind=KIND, id=context.after.id, created=context.after.created, shown=shown),
        ),
        notices=(
            Notification("customer_cash_balance_transaction.created", transfer),
            Notification("cash_balance.funds_available", shown),
        ),
    )


def _opened(context: EventContext) -> Effects:
    """Virtual accounts are shown in answers alone: see projections/funding_instructions.py."""
    return Effects()


PROJECTS: Mapping[type, Project] = {
    ReconciliationSet: _set,
    CashBalanceFunded: _funded,
    VirtualAccountOpened: _opened,
}
