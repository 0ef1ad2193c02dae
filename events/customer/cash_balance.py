"""The cash balance of a customer: money received by bank transfer, per currency, and its reconciliation mode.

A customer has a cash balance from its first use: a transfer arrives, or the reconciliation mode is set. From then on it
can only be deleted together with its test clock (API reference, delete a customer).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, assert_never

from events.errors import Refusal
from events.personal import PERSONAL

KIND = "cash_balance"
AMOUNT_MAX = 999_999_999_999  # minor units; the reference names none

NUMBER_DIGITS = 12  # digits of a virtual account number

Mode = Literal["automatic", "manual"]

# The currencies of bank transfers, each with its own type of transfer.
TRANSFERS: Mapping[str, str] = {
    "eur": "eu_bank_transfer",
    "gbp": "gb_bank_transfer",
    "jpy": "jp_bank_transfer",
    "mxn": "mx_bank_transfer",
    "usd": "us_bank_transfer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SetReconciliation:
    """Set the reconciliation mode; None for the default of the account."""

    mode: Mode | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FundCashBalance:
    """Record an incoming bank transfer; `at` is Unix seconds."""

    id: str
    amount: int  # minor units
    at: int
    currency: str
    reference: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVirtualAccount:
    """Open a virtual account for the customer's transfers in a currency, with this number, unless there is one."""

    country: str  # ISO 3166, upper case
    currency: str
    number: str  # digits, from which the displayed numbers are computed


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationSet:
    """The reconciliation mode was set; None for the default of the account."""

    mode: Mode | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CashBalanceFunded:
    """A bank transfer arrived; `ending_balance` is the cash of its currency after it."""

    amount: int
    at: int
    currency: str
    ending_balance: int
    id: str
    reference: Annotated[str | None, PERSONAL] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualAccountOpened:
    """A virtual account with this number was opened for transfers in a currency and country."""

    country: str
    currency: str
    number: Annotated[str, PERSONAL] = "0" * NUMBER_DIGITS  # None once the key of the stream is destroyed


Command = SetReconciliation | FundCashBalance | OpenVirtualAccount
Event = ReconciliationSet | CashBalanceFunded | VirtualAccountOpened
EVENT_TYPES: dict[str, type] = {
    "customer.cash_reconciliation_set": ReconciliationSet,
    "customer.cash_balance_funded": CashBalanceFunded,
    "customer.virtual_account_opened": VirtualAccountOpened,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CashBalance:
    """State of the cash balance."""

    available: Mapping[str, int] = field(default_factory=dict)  # currency -> minor units
    mode: Mode | None = None
    used: bool = False
    virtual_accounts: Mapping[tuple[str, str], str] = field(default_factory=dict)  # currency, country -> number


NONE = CashBalance()


def decide(state: CashBalance, command: Command) -> list[Event]:
    """Decide the events of `command`; no events if there is nothing to change.

    Raises Refusal for a currency that no bank transfer is made in, and when an amount is nothing or too much.
    """
    match command:
        case SetReconciliation():
            return [] if state.used and state.mode == command.mode else [ReconciliationSet(mode=command.mode)]
        case FundCashBalance():
            if command.currency not in TRANSFERS:
                raise Refusal(
                    f"Bank transfers do not support {command.currency}; must be one of {', '.join(TRANSFERS)}",
                    param="currency",
                )
            ending_balance = state.available.get(command.currency, 0) + command.amount
            if command.amount <= 0 or ending_balance > AMOUNT_MAX:
                raise Refusal(f"The amount must be at least 1, and cash at most {AMOUNT_MAX}.", param="amount")
            funded = CashBalanceFunded(
                amount=command.amount,
                at=command.at,
                currency=command.currency,
                ending_balance=ending_balance,
                id=command.id,
                reference=command.reference,
            )
            return [funded]
        case OpenVirtualAccount():
            assert command.currency in TRANSFERS, "parameters are checked for it"
            if (command.currency, command.country) in state.virtual_accounts:
                return []
            opened = VirtualAccountOpened(country=command.country, currency=command.currency, number=command.number)
            return [opened]
        case _:
            assert_never(command)


def evolve(state: CashBalance, event: Event) -> CashBalance:
    """Fold one event in."""
    match event:
        case ReconciliationSet():
            return replace(state, mode=event.mode, used=True)
        case CashBalanceFunded():
            return replace(state, available={**state.available, event.currency: event.ending_balance}, used=True)
        case VirtualAccountOpened():
            opened = {**state.virtual_accounts, (event.currency, event.country): event.number}  # a few at most
            return replace(state, virtual_accounts=opened)
        case _:
            assert_never(event)


def must_be_unused(state: CashBalance) -> None:
    """Raises Refusal if the customer has a cash balance, of any amount: it cannot be deleted."""
    if state.used:
        raise Refusal("This customer has a cash balance and cannot be deleted.")
