"""Parameters of `/v1/customers/{customer}/funding_instructions`."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from events.customer.cash_balance import TRANSFERS
from events.errors import Refusal
from projections.funding_instructions import COUNTRIES, REQUESTABLE
from service.http.params import Parameters
from service.http.params.fields import Array, Currency, Expand, NotEmpty, RequiredText

Type = Literal["eu_bank_transfer", "gb_bank_transfer", "jp_bank_transfer", "mx_bank_transfer", "us_bank_transfer"]
AddressType = Literal["iban", "sort_code", "spei", "zengin"]
ADDRESS_TYPES_MAX = len(get_args(AddressType))


class EuBankTransfer(Parameters):
    """A transfer in the European Union."""

    country: RequiredText
    """Country of the account: BE, DE, ES, FR, IE or NL."""


class BankTransfer(Parameters):
    """A bank transfer, by its type."""

    eu_bank_transfer: EuBankTransfer | None = None
    """Details of an account in the European Union; required for `eu_bank_transfer` only."""
    requested_address_types: Annotated[tuple[AddressType, ...] | None, Field(max_length=ADDRESS_TYPES_MAX), Array] = (
        None
    )
    """Types of the financial addresses to return; the default is all."""
    type: Annotated[Type, NotEmpty]
    """Type of the transfer; must match the currency."""


class CreateFundingInstructions(Parameters):
    """Parameters of `POST /v1/customers/{customer}/funding_instructions`."""

    bank_transfer: BankTransfer
    """Details of the bank transfer."""
    currency: Currency
    """Currency of the transfer: `eur`, `gbp`, `jpy`, `mxn` or `usd`."""
    expand: Expand = ()
    """Paths of the objects to expand in the response."""
    funding_type: Annotated[Literal["bank_transfer"], NotEmpty]
    """Type of funding."""

    def country(self) -> str:
        """Where the account is. Raises Refusal where currency, type, country and addresses do not go together."""
        transfer = self.bank_transfer
        if self.currency not in TRANSFERS:
            raise Refusal(
                f"Bank transfers do not support {self.currency}; must be one of {', '.join(TRANSFERS)}",
                param="currency",
            )
        if TRANSFERS[self.currency] != transfer.type:
            raise Refusal(
                f"Transfers in {self.currency} must have the type {TRANSFERS[self.currency]}.",
                param="bank_transfer[type]",
            )
        for type in transfer.requested_address_types or ():
            if type not in REQUESTABLE[transfer.type]:
                raise Refusal(
                    f"A {transfer.type} has no address of the type {type}.",
                    param="bank_transfer[requested_address_types]",
                )
        countries = COUNTRIES[transfer.type]
        if transfer.type != "eu_bank_transfer":
            if transfer.eu_bank_transfer is not None:
                raise Refusal(
                    f"A {transfer.type} is not available in the European Union.",
                    param="bank_transfer[eu_bank_transfer]",
                )
            return countries[0]
        if transfer.eu_bank_transfer is None:
            param = "bank_transfer[eu_bank_transfer]"
            raise Refusal(f"Missing required param: {param}.", code="parameter_missing", param=param)
        country = transfer.eu_bank_transfer.country.upper()
        if country not in countries:
            raise Refusal(
                f"Invalid country: must be one of {', '.join(countries)}",
                param="bank_transfer[eu_bank_transfer][country]",
            )
        return country
