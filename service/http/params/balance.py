"""Parameters of balances: `/v1/customers/{customer}/balance_transactions`, `cash_balance` and what goes with them."""

from typing import Annotated, Literal, cast

from pydantic import Field

from events.customer.balance import AMOUNT_MAX, TransactionPatch
from events.customer.cash_balance import Mode
from service.commands.customer.cash_balance import Reconcile
from service.http.params import Parameters
from service.http.params.fields import Cleared, Currency, Expand, Integer, Metadata, NotEmpty, Text
from service.http.params.listing import DatedListing, Listing

Amount = Annotated[Integer, Field(ge=-AMOUNT_MAX, le=AMOUNT_MAX)]


class _Attributes(Parameters):
    """What may be said of a transaction, now and later."""

    description: Annotated[str | None, Field(max_length=350), Cleared] = None
    """Description of the transaction."""
    expand: Expand = ()
    """Paths of the objects to expand in the response."""
    metadata: Metadata = None
    """Key-value pairs for your own use; merged by key, and an empty value deletes its key."""

    def patch(self) -> TransactionPatch:
        """The parsed parameters, as the domain takes them."""
        names = self.model_fields_set & TransactionPatch.__annotations__.keys()
        return cast(TransactionPatch, {name: getattr(self, name) for name in names})


class CreateBalanceTransaction(_Attributes):
    """Parameters of `POST /v1/customers/{customer}/balance_transactions`."""

    amount: Amount
    """Amount of the transaction in minor units; a negative amount is a credit."""
    currency: Currency
    """Currency of the amount; the first one becomes the currency of the customer."""


class UpdateBalanceTransaction(_Attributes):
    """Parameters of `POST /v1/customers/{customer}/balance_transactions/{transaction}`."""


class RetrieveBalanceTransaction(Parameters):
    """Parameters of `GET /v1/customers/{customer}/balance_transactions/{transaction}`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class ListBalanceTransactions(DatedListing):
    """Parameters of `GET /v1/customers/{customer}/balance_transactions`."""

    invoice: Annotated[Text, NotEmpty] | None = None
    """Filter by invoice; there are no invoices, so nothing matches."""


class CashBalanceSettings(Parameters):
    """Settings of the reconciliation of cash."""

    reconciliation_mode: Annotated[Literal["automatic", "manual", "merchant_default"], NotEmpty] | None = None
    """Reconciliation mode: automatic, manual, or the default of the account."""

    def mode(self) -> Mode | None:
        """As the events have it: None for as the account does."""
        return None if self.reconciliation_mode == "merchant_default" else self.reconciliation_mode


class CashBalance(Parameters):
    """The cash balance of a new or changed customer."""

    settings: CashBalanceSettings | None = None
    """Settings of the reconciliation of cash."""

    def reconcile(self) -> Reconcile | None:
        """The reconciliation mode, if it was sent."""
        if self.settings is None or self.settings.reconciliation_mode is None:
            return None
        return Reconcile(self.settings.mode())


class UpdateCashBalance(CashBalance):
    """Parameters of `POST /v1/customers/{customer}/cash_balance`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class RetrieveCashBalance(Parameters):
    """Parameters of `GET /v1/customers/{customer}/cash_balance`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class RetrieveCashBalanceTransaction(Parameters):
    """Parameters of `GET /v1/customers/{customer}/cash_balance_transactions/{transaction}`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class ListCashBalanceTransactions(Listing):
    """Parameters of `GET /v1/customers/{customer}/cash_balance_transactions`."""


class FundCashBalance(Parameters):
    """Parameters of `POST /v1/test_helpers/customers/{customer}/fund_cash_balance`."""

    amount: Annotated[Integer, Field(ge=1, le=AMOUNT_MAX)]
    """Amount of the transfer, in minor units."""
    currency: Currency
    """Currency of the amount; must be supported for bank transfers."""
    expand: Expand = ()
    """Paths of the objects to expand in the response."""
    reference: Annotated[Text, NotEmpty] | None = None
    """Reference of the sender."""
