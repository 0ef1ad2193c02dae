"""The funding instructions object: where a customer's bank transfers go."""

from typing import Literal

from service.http.schemas.schema import ABSENT, Shape


class FinancialAddressOwner(Shape):
    """An address of a bank, or of the holder of an account."""

    city: str | None
    """City, district or the like."""
    country: str | None
    """Country, as two letters."""
    line1: str | None
    """Street and number."""
    line2: str | None
    """Flat, floor or the like."""
    postal_code: str | None
    """Postal code."""
    state: str | None
    """State, county or the like."""


class _Account(Shape):
    account_holder_address: FinancialAddressOwner
    """Address of the account holder."""
    account_holder_name: str
    """Name of the account holder."""
    bank_address: FinancialAddressOwner
    """Address of the bank."""


class AbaAddress(_Account):
    """An account in the United States."""

    account_number: str
    """Number of the account."""
    account_type: str
    """Type of the account."""
    bank_name: str
    """Name of the bank."""
    routing_number: str
    """The bank's routing number."""


class IbanAddress(_Account):
    """An account with an IBAN."""

    bic: str
    """BIC of the bank."""
    country: str
    """Country of the account, as two letters."""
    iban: str
    """IBAN of the account."""


class SortCodeAddress(_Account):
    """An account in the United Kingdom."""

    account_number: str
    """Number of the account."""
    sort_code: str
    """Sort code of the bank."""


class SpeiAddress(_Account):
    """An account in Mexico."""

    bank_code: str
    """Code of the bank, three digits."""
    bank_name: str
    """Name of the bank."""
    clabe: str
    """CLABE of the account."""


class SwiftAddress(_Account):
    """An account that transfers by SWIFT go to."""

    account_number: str
    """Number of the account."""
    account_type: str
    """Type of the account."""
    bank_name: str
    """Name of the bank."""
    swift_code: str
    """SWIFT code of the bank."""


class ZenginAddress(_Account):
    """An account in Japan."""

    account_number: str
    """Number of the account."""
    account_type: str
    """Type of the account: `futsu` or `toza`."""
    bank_code: str
    """Code of the bank."""
    bank_name: str
    """Name of the bank."""
    branch_code: str
    """Code of the branch."""
    branch_name: str
    """Name of the branch."""


class FinancialAddress(Shape):
    """An account that a transfer may go to; its type decides which hash there is."""

    aba: AbaAddress = ABSENT
    """An account in the United States."""
    iban: IbanAddress = ABSENT
    """An account with an IBAN."""
    sort_code: SortCodeAddress = ABSENT
    """An account in the United Kingdom."""
    spei: SpeiAddress = ABSENT
    """An account in Mexico."""
    supported_networks: list[
        Literal["ach", "bacs", "chaps", "domestic_wire_us", "fps", "sepa", "spei", "swift", "zengin"]
    ]
    """Networks that a transfer may come by."""
    swift: SwiftAddress = ABSENT
    """An account that transfers by SWIFT go to."""
    type: Literal["aba", "iban", "sort_code", "spei", "swift", "zengin"]
    """Which kind of address it is."""
    zengin: ZenginAddress = ABSENT
    """An account in Japan."""


class FundingBankTransfer(Shape):
    """The bank transfer to make."""

    country: str
    """Country of the account, as two letters."""
    financial_addresses: list[FinancialAddress]
    """Where the transfer may go."""
    type: Literal["eu_bank_transfer", "gb_bank_transfer", "jp_bank_transfer", "mx_bank_transfer", "us_bank_transfer"]
    """Which kind of transfer it is."""


class FundingInstructions(Shape):
    """Where a customer's bank transfers go."""

    object: Literal["funding_instructions"]
    """Says that these are funding instructions."""
    bank_transfer: FundingBankTransfer
    """The bank transfer to make."""
    currency: str
    """Currency of the transfer."""
    funding_type: Literal["bank_transfer"]
    """How the customer pays."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
