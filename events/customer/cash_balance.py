"""The customer's cash: money it has sent ahead by bank transfer, by currency, and how it is matched to what it owes.

A customer has a cash balance from the moment it is used: funds arrive, or somebody settles how they are reconciled.
From then on the customer cannot be deleted (API reference, delete a customer), unless it is under a test clock that is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, assert_never

from events.errors import Refusal
from events.personal import PERSONAL

KIND = "cash_balance"
AMOUNT_MAX = 999_999_999_999  # minor units; the reference names none

NUMBER_DIGITS = 12  # of a virtual account

Mode = Literal["automatic", "manual"]

# Bank transfers are made in these currencies only, each by its own type of transfer.
TRANSFERS: Mapping[str, str] = {
    "eur": "eu_bank_transfer",
    "gbp": "gb_bank_transfer",
    "jpy": "jp_bank_transfer",
    "mxn": "mx_bank_transfer",
    "usd": "us_bank_transfer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SetReconciliation:
    """Settle how cash is matched to what is owed; None for as the account does."""

    mode: Mode | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FundCashBalance:
    """Take in a bank transfer; `at` is Unix seconds."""

    id: str
    amount: int  # minor units
    at: int
    currency: str
    reference: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVirtualAccount:
    """Have an account that the customer's transfers in a currency go to, of that number unless there is one already."""

    country: str  # ISO 3166, upper case
    currency: str
    number: str  # digits, from which the numbers that are shown are made


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationSet:
    """Cash is matched so from now on; None for as the account does."""

    mode: Mode | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CashBalanceFunded:
    """A bank transfer came in, after which the cash of its currency stood at `ending_balance`."""

    amount: int
    at: int
    currency: str
    ending_balance: int
    id: str
    reference: Annotated[str | None, PERSONAL] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualAccountOpened:
    """The customer's transfers in a currency go to an account of this number from now on, in that country."""

    country: str
    currency: str
    number: Annotated[str, PERSONAL] = "0" * NUMBER_DIGITS  # so once the stream's key is destroyed


Command = SetReconciliation | FundCashBalance | OpenVirtualAccount
Event = ReconciliationSet | CashBalanceFunded | VirtualAccountOpened
EVENT_TYPES: dict[str, type] = {
    "customer.cash_reconciliation_set": ReconciliationSet,
    "customer.cash_balance_funded": CashBalanceFunded,
    "customer.virtual_account_opened": VirtualAccountOpened,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CashBalance:
    """The cash as it stands."""

    available: Mapping[str, int] = field(default_factory=dict)  # currency -> minor units
    mode: Mode | None = None
    used: bool = False
    virtual_accounts: Mapping[tuple[str, str], str] = field(default_factory=dict)  # currency, country -> number


NONE = CashBalance()


def decide(state: CashBalance, command: Command) -> list[Event]:
    """Say what `command` would make happen; nothing when all is so already.

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
    """Raises Refusal: a customer that has a cash balance, of whatever amount, stays."""
    if state.used:
        raise Refusal("This customer has a cash balance and cannot be deleted.")
