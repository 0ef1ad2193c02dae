"""The funding instructions object: the bank account that receives a customer's transfers."""

from typing import Literal

from service.http.schemas.schema import ABSENT, Shape


class FinancialAddressOwner(Shape):
    """An address of a bank, or of the holder of an account."""

    city: str | None
    """City, district, suburb, town or village."""
    country: str | None
    """Country, in two letters of ISO 3166-1."""
    line1: str | None
    """Street and number."""
    line2: str | None
    """Flat, suite, unit or building."""
    postal_code: str | None
    """Postal code."""
    state: str | None
    """State, county, province or region."""


class _Account(Shape):
    account_holder_address: FinancialAddressOwner
    """Address of the account holder."""
    account_holder_name: str
    """Name of the account holder."""
    bank_address: FinancialAddressOwner
    """Address of the bank."""


class AbaAddress(_Account):
    """Bank account in the United States."""

    account_number: str
    """Account number."""
    account_type: str
    """Type of the account."""
    bank_name: str
    """Name of the bank."""
    routing_number: str
    """Routing number of the bank."""


class IbanAddress(_Account):
    """Bank account with an IBAN."""

    bic: str
    """BIC of the bank."""
    country: str
    """Country of the account, in two letters of ISO 3166-1."""
    iban: str
    """IBAN of the account."""


class SortCodeAddress(_Account):
    """Bank account in the United Kingdom."""

    account_number: str
    """Account number."""
    sort_code: str
    """Sort code of the bank."""


class SpeiAddress(_Account):
    """Bank account in Mexico."""

    bank_code: str
    """Three-digit code of the bank."""
    bank_name: str
    """Name of the bank."""
    clabe: str
    """CLABE of the account."""


class SwiftAddress(_Account):
    """Bank account for SWIFT transfers."""

    account_number: str
    """Account number."""
    account_type: str
    """Type of the account."""
    bank_name: str
    """Name of the bank."""
    swift_code: str
    """SWIFT code of the bank."""


class ZenginAddress(_Account):
    """Bank account in Japan."""

    account_number: str
    """Account number."""
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
    """A bank account for transfers; the hash that `type` names has its details."""

    aba: AbaAddress = ABSENT
    """Bank account in the United States."""
    iban: IbanAddress = ABSENT
    """Bank account with an IBAN."""
    sort_code: SortCodeAddress = ABSENT
    """Bank account in the United Kingdom."""
    spei: SpeiAddress = ABSENT
    """Bank account in Mexico."""
    supported_networks: list[
        Literal["ach", "bacs", "chaps", "domestic_wire_us", "fps", "sepa", "spei", "swift", "zengin"]
    ]
    """Networks supported for the transfer."""
    swift: SwiftAddress = ABSENT
    """Bank account for SWIFT transfers."""
    type: Literal["aba", "iban", "sort_code", "spei", "swift", "zengin"]
    """Type of the financial address."""
    zengin: ZenginAddress = ABSENT
    """Bank account in Japan."""


class FundingBankTransfer(Shape):
    """Details of the bank transfer."""

    country: str
    """Country of the account, in two letters of ISO 3166-1."""
    financial_addresses: list[FinancialAddress]
    """Financial addresses for the transfer."""
    type: Literal["eu_bank_transfer", "gb_bank_transfer", "jp_bank_transfer", "mx_bank_transfer", "us_bank_transfer"]
    """Type of the transfer."""


class FundingInstructions(Shape):
    """Bank account for the transfers of a customer."""

    object: Literal["funding_instructions"]
    """Type of the object: funding instructions."""
    bank_transfer: FundingBankTransfer
    """Details of the bank transfer."""
    currency: str
    """Currency of the transfer."""
    funding_type: Literal["bank_transfer"]
    """Type of funding."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
