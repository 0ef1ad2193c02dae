"""Balances as the API shows them: the transactions of a customer's ledgers, and the credit they leave."""

from collections.abc import Mapping
from typing import Any

from events.customer import balance
from events.customer.balance import BalanceAdjusted, BalanceTransactionEdited, Transaction
from projections.facets import Effects, EventContext, Project

KIND = balance.KIND
CREDIT = "invoice_credit_balance"


def render(id: str, transaction: Transaction, customer: str, livemode: bool) -> dict[str, Any]:
    """A transaction (API reference, the customer balance transaction object)."""
    return {
        "id": id,
        "object": KIND,
        "amount": transaction.amount,
        "checkout_session": None,
        "created": transaction.created,
        "credit_note": None,
        "currency": transaction.currency,
        "customer": customer,
        "customer_account": None,
        "description": transaction.description,
        "ending_balance": transaction.ending_balance,
        "invoice": None,
        "livemode": livemode,
        "metadata": dict(transaction.metadata),
        "type": transaction.type,
    }


def credit(ledgers: Mapping[str, int]) -> dict[str, int]:
    """The credit of the customer, by currency: positive where its balance is negative."""
    return {currency: -amount for currency, amount in sorted(ledgers.items())}


def _transaction(context: EventContext) -> Effects:
    event: BalanceAdjusted | BalanceTransactionEdited = context.event
    transaction = context.after.balance.transactions[event.id]
    shown = render(event.id, transaction, context.after.id, context.origin.livemode)
    rows = [context.resource(kind=KIND, id=event.id, created=transaction.created, shown=shown)]
    if isinstance(event, BalanceAdjusted):
        left = credit(context.after.balance.ledgers)
        rows.append(context.resource(kind=CREDIT, id=context.after.id, created=context.after.created, shown=left))
    return Effects(resources=tuple(rows))


PROJECTS: Mapping[type, Project] = {BalanceAdjusted: _transaction, BalanceTransactionEdited: _transaction}
