"""Parameters of cards and bank accounts: their details, or a token.

No error message quotes them, and no repr shows their fields.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from events.values import Address
from service.commands import cards
from service.http.params import Parameters
from service.http.params.fields import ClearableText, Cleared, Metadata, NotEmpty, Text, refused

Hidden = Annotated[Text, NotEmpty]
HolderType = Annotated[Literal["company", "individual"] | None, Cleared]


class Unshown(Parameters):
    """A hash of which nothing is shown where it is printed."""

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return ()


class Networks(Parameters):
    """Preferred networks of a co-branded card."""

    preferred: Annotated[Literal["cartes_bancaires", "mastercard", "visa"] | None, Cleared] = None
    """Preferred network of the customer."""


class CardAddress(Unshown):
    """Who a card belongs to, and where bills for it go."""

    address_city: ClearableText = None
    """City, district, suburb, town or village of the billing address."""
    address_country: ClearableText = None
    """Country of the billing address."""
    address_line1: ClearableText = None
    """Street and number, or post office box, of the billing address."""
    address_line2: ClearableText = None
    """Flat, suite, unit or building of the billing address."""
    address_state: ClearableText = None
    """State, county, province or region of the billing address."""
    address_zip: ClearableText = None
    """ZIP or postal code of the billing address."""
    name: ClearableText = None
    """Full name of the holder."""

    def address(self) -> dict[str, str | None]:
        """The parts of the address that were sent, as the events call them."""
        sent = self.model_fields_set
        return {part: getattr(self, name) for name, part in ADDRESS.items() if name in sent}


ADDRESS = {
    "address_city": "city",
    "address_country": "country",
    "address_line1": "line1",
    "address_line2": "line2",
    "address_state": "state",
    "address_zip": "postal_code",
}


class Card(CardAddress):
    """Details of a card; its number and security code are not stored."""

    number: Hidden
    """Card number; not stored."""
    exp_month: Hidden
    """Expiration month."""
    exp_year: Hidden
    """Expiration year, of two or four digits."""
    currency: ClearableText = None
    """Currency of payouts to the card; accepted, without effect."""
    cvc: ClearableText = None
    """Security code (CVC); not stored."""
    metadata: Metadata = None
    """Key-value pairs for your own use."""
    networks: Annotated[Networks, NotEmpty] | None = None
    """Preferred networks of a co-branded card."""
    object: Literal["card"] = "card"
    """Type of the object: a card."""

    def value(self) -> cards.NewCard:
        """As the commands have it."""
        return cards.NewCard(
            number=self.number,
            exp_month=self.exp_month,
            exp_year=self.exp_year,
            cvc=self.cvc,
            address=Address(**self.address()),
            name=self.name,
            preferred_network=self.networks.preferred if self.networks is not None else None,
        )


class BankAccount(Unshown):
    """Details of a bank account; its number is not stored."""

    account_number: Hidden
    """Account number; not stored."""
    country: Hidden
    """Country of the bank, in two letters of ISO 3166-1."""
    account_holder_name: ClearableText = None
    """Full name of the holder."""
    account_holder_type: HolderType = None
    """Whether the holder is a company or an individual."""
    account_type: Annotated[Literal["checking", "futsu", "savings", "toza"] | None, Cleared] = None
    """Type of the account."""
    currency: Annotated[str | None, Field(max_length=3), Cleared] = None
    """Currency of the account; the default is that of its country."""
    metadata: Metadata = None
    """Key-value pairs for your own use."""
    object: Literal["bank_account"] = "bank_account"
    """Type of the object: a bank account."""
    routing_number: ClearableText = None
    """Routing number of the bank, if the country requires one."""

    def value(self) -> cards.NewBankAccount:
        """As the commands have it."""
        return cards.NewBankAccount(
            account_number=self.account_number,
            country=self.country,
            account_holder_name=self.account_holder_name,
            account_holder_type=self.account_holder_type,
            account_type=self.account_type,
            currency=self.currency,
            routing_number=self.routing_number,
        )


def _typed(given: Any) -> Any:
    if isinstance(given, dict) and given.get("object") not in ("bank_account", "card"):
        if "object" not in given:
            raise refused("You must supply the `object` (the type) of a source that is sent as a hash.")
        raise refused("Invalid object: must be one of bank_account, card")
    return given


def _source(given: Any) -> str:
    return f"<{given['object']}>" if isinstance(given, dict) else "<token>"


def _card(given: Any) -> str:
    return "<card>" if isinstance(given, dict) else "<token>"


def _bank_account(given: Any) -> str:
    return "<bank_account>" if isinstance(given, dict) else "<token>"


_Token = Annotated[Text, NotEmpty, Tag("<token>")]
_Card = Annotated[Card, Tag("<card>")]
_BankAccount = Annotated[BankAccount, Tag("<bank_account>")]
SourceOrToken = Annotated[_Token | _Card | _BankAccount, Discriminator(_source), BeforeValidator(_typed)]
CardOrToken = Annotated[_Token | _Card, Discriminator(_card)]
BankAccountOrToken = Annotated[_Token | _BankAccount, Discriminator(_bank_account)]
Given = str | Card | BankAccount
