"""The cash balance object, and that of its transactions."""

from typing import TYPE_CHECKING, Literal

from service.http.schemas.schema import ABSENT, Shape

if TYPE_CHECKING:
    from service.http.schemas.customer import Customer, DeletedCustomer


class CashBalanceSettings(Shape):
    """Settings of the reconciliation of cash."""

    reconciliation_mode: Literal["automatic", "manual"]
    """Automatic or manual reconciliation."""
    using_merchant_default: bool
    """Whether it is the account's default or set for the customer."""


class CashBalance(Shape):
    """Cash that a customer paid in advance."""

    object: Literal["cash_balance"]
    """Type of the object: a cash balance."""
    available: dict[str, int] | None
    """Available cash by currency, in minor units; null if there is none."""
    customer: str
    """Customer that owns it."""
    customer_account: None
    """Always null: no account represents a customer."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    settings: CashBalanceSettings
    """Settings of the reconciliation of cash."""


class EuBankTransfer(Shape):
    """A transfer in the European Union."""

    bic: str | None
    """BIC of the sender's bank."""
    iban_last4: str | None
    """Last four digits of the sender's IBAN."""
    sender_name: str | None
    """Name of the sender."""


class GbBankTransfer(Shape):
    """A transfer in the United Kingdom."""

    account_number_last4: str | None
    """Last four digits of the sender's account."""
    sender_name: str | None
    """Name of the sender."""
    sort_code: str | None
    """Sort code of the sender's bank."""


class JpBankTransfer(Shape):
    """A transfer in Japan."""

    sender_bank: str | None
    """Name of the sender's bank."""
    sender_branch: str | None
    """Name of the bank's branch."""
    sender_name: str | None
    """Name of the sender."""


class UsBankTransfer(Shape):
    """A transfer in the United States."""

    network: Literal["ach", "domestic_wire_us", "swift"]
    """Network of the transfer."""
    sender_name: str | None
    """Name of the sender."""


class BankTransfer(Shape):
    """A bank transfer; the hash that `type` names has its details."""

    eu_bank_transfer: EuBankTransfer = ABSENT
    """Details of a transfer in the European Union."""
    gb_bank_transfer: GbBankTransfer = ABSENT
    """Details of a transfer in the United Kingdom."""
    jp_bank_transfer: JpBankTransfer = ABSENT
    """Details of a transfer in Japan."""
    reference: str | None
    """Reference that the sender gave."""
    type: Literal["eu_bank_transfer", "gb_bank_transfer", "jp_bank_transfer", "mx_bank_transfer", "us_bank_transfer"]
    """Type of the transfer."""
    us_bank_transfer: UsBankTransfer = ABSENT
    """Details of a transfer in the United States."""


class Funded(Shape):
    """Details of the funding of a cash balance."""

    bank_transfer: BankTransfer
    """Details of the transfer."""


class CashBalanceTransaction(Shape):
    """A change of a customer's cash."""

    id: str
    """Unique identifier of the transaction."""
    object: Literal["customer_cash_balance_transaction"]
    """Type of the object: a transaction of a cash balance."""
    created: int
    """Time of creation, in Unix seconds."""
    currency: str
    """Currency of the amount."""
    customer: "str | Customer | DeletedCustomer"
    """Customer that owns it. Expandable."""
    customer_account: None
    """Always null: no account represents a customer."""
    ending_balance: int
    """Cash balance after the transaction, in minor units."""
    funded: Funded
    """Details of the funding."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    net_amount: int
    """Amount of the transaction, in minor units."""
    type: Literal["funded"]
    """Type of the transaction."""
