"""Parameters of `/v1/payment_methods` and `/v1/customers/{customer}/payment_methods`."""

from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, create_model

from events.errors import Refusal
from events.payment_method import TYPES, BillingDetails, PaymentMethodPatch
from service.commands import cards
from service.commands.cards import NewExpiry
from service.commands.payment_methods import CardChange, NewPaymentMethod
from service.http.params import Parameters
from service.http.params.card import Hidden, Networks, Unshown
from service.http.params.customer import Address
from service.http.params.fields import (
    ClearableText,
    Cleared,
    Email,
    Expand,
    Metadata,
    NotEmpty,
    RequiredText,
    Text,
    refused,
)
from service.http.params.listing import Listing

BANKS: Mapping[str, frozenset[str]] = {
    type: frozenset(banks)
    for type, *banks in map(
        str.split,
        resources.files("service.http.params").joinpath("payment_method_banks.txt").read_text("ascii").splitlines(),
    )
}
Type = Annotated[
    str,
    AfterValidator(lambda given: _one_of(given, TYPES)),
    Field(max_length=max(map(len, TYPES)), json_schema_extra={"enum": list(TYPES)}),
]
Redisplay = Literal["always", "limited", "unspecified"]


def _one_of(given: str, allowed: Any) -> str:
    if given not in allowed:
        raise refused(f"Invalid value: must be one of {', '.join(sorted(allowed))}")
    return given


def _bank(type: str) -> Any:
    banks: list[Any] = sorted(BANKS[type])
    return Annotated[
        str | None,
        AfterValidator(lambda given: given if given is None else _one_of(given, BANKS[type])),
        Field(
            default=None,
            max_length=max(map(len, banks)),
            json_schema_extra={"enum": banks},
            description="Bank of the customer.",
        ),
        Cleared,
    ]


class Billing(Parameters):
    """Billing details; merged by sub-key."""

    address: Annotated[Address | None, Cleared] = None
    """Postal address; replaced as a whole."""
    email: Email = None
    """Billing email address."""
    name: ClearableText = None
    """Full name."""
    phone: ClearableText = None
    """Phone number, including extension."""
    tax_id: ClearableText = None
    """Tax id of the payer, if the type requires one."""

    def patch(self) -> dict[str, Any]:
        """The parsed parameters, as the domain takes them."""
        sent: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        if "address" in sent:
            sent["address"] = self.address.value() if self.address is not None else BillingDetails().address
        return sent


class Empty(Parameters):
    """A payment method type without parameters."""


class NewCard(Unshown):
    """Token, or a hash of a card."""

    cvc: ClearableText = None
    """Security code (CVC); not stored."""
    exp_month: Hidden | None = None
    """Expiration month."""
    exp_year: Hidden | None = None
    """Expiration year, of two or four digits."""
    networks: Annotated[Networks, NotEmpty] | None = None
    """Preferred networks of a co-branded card."""
    number: Hidden | None = None
    """Card number; not stored."""
    token: Annotated[Text, NotEmpty] | None = None
    """Token of the card, instead of the other fields."""

    def check(self) -> None:
        """Raises Refusal when neither a token nor all of a card was sent, or something of both."""
        if self.token is not None:
            for name in ("number", "exp_month", "exp_year", "cvc"):
                if getattr(self, name) is not None:
                    raise Refusal(
                        f"You may only specify one of these parameters: card[{name}], card[token].",
                        code="parameters_exclusive",
                        param=f"card[{name}]",
                    )
            return
        for name in ("number", "exp_month", "exp_year"):
            if getattr(self, name) is None:
                param = f"card[{name}]"
                raise Refusal(f"Missing required param: {param}.", code="parameter_missing", param=param)

    def value(self) -> cards.NewCard | str:
        """The token, or the card in full; it was checked."""
        if self.token is not None:
            return self.token
        assert self.number is not None
        assert self.exp_month is not None
        assert self.exp_year is not None
        return cards.NewCard(
            number=self.number,
            exp_month=self.exp_month,
            exp_year=self.exp_year,
            cvc=self.cvc,
            preferred_network=self.networks.preferred if self.networks is not None else None,
        )


class AcssDebit(Unshown):
    """A bank account in Canada."""

    account_number: Hidden
    """Account number; not stored."""
    institution_number: Hidden
    """Three-digit number of the bank."""
    transit_number: Hidden
    """Five-digit number of the branch."""


class AuBecsDebit(Unshown):
    """A bank account in Australia."""

    account_number: Hidden
    """Account number; not stored."""
    bsb_number: Hidden
    """Six-digit number of the branch."""


class BacsDebit(Unshown):
    """A bank account in the United Kingdom."""

    account_number: Hidden | None = None
    """Account number; not stored."""
    sort_code: Hidden | None = None
    """Sort code of the branch."""


class Boleto(Parameters):
    """Details of a Boleto payer in Brazil."""

    tax_id: RequiredText
    """CPF or CNPJ of the payer."""


class Custom(Parameters):
    """A custom payment method type of the account."""

    type: RequiredText
    """Id of the custom payment method type."""


class Fpx(Parameters):
    """Details of an FPX payer in Malaysia."""

    account_holder_type: Annotated[Literal["company", "individual"] | None, Cleared] = None
    """Whether the holder is a company or an individual."""
    bank: _bank("fpx")  # type: ignore[valid-type]  # made for each type


class Eps(Parameters):
    """Details of an EPS payer in Austria."""

    bank: _bank("eps")  # type: ignore[valid-type]  # made for each type


class Ideal(Parameters):
    """Details of an iDEAL payer in the Netherlands."""

    bank: _bank("ideal")  # type: ignore[valid-type]  # made for each type


class P24(Parameters):
    """Details of a P24 payer in Poland."""

    bank: _bank("p24")  # type: ignore[valid-type]  # made for each type


class DateOfBirth(Unshown):
    """Date of birth."""

    day: Hidden
    """Day of the month."""
    month: Hidden
    """Month, from 1 to 12."""
    year: Hidden
    """Year, of four digits."""


class Klarna(Unshown):
    """Details of a Klarna payer."""

    dob: Annotated[DateOfBirth | None, Cleared] = None
    """Date of birth; not stored."""


class NaverPay(Parameters):
    """Details of a Naver Pay payer in Korea."""

    funding: Annotated[Literal["card", "points"] | None, Cleared] = None
    """Type of the funding instrument; the default is a card."""


class NzBankAccount(Unshown):
    """A bank account in New Zealand."""

    account_number: Hidden
    """Account number; not stored."""
    bank_code: Hidden
    """Number of the bank."""
    branch_code: Hidden
    """Number of the branch."""
    suffix: Hidden
    """Suffix of the account number."""
    account_holder_name: ClearableText = None
    """Full name of the holder."""
    reference: ClearableText = None
    """Reference on the account statement; without effect."""


class Payto(Unshown):
    """A bank account in Australia, or its PayID."""

    account_number: Hidden | None = None
    """Account number; not stored."""
    bsb_number: Hidden | None = None
    """Six-digit number of the branch."""
    pay_id: Hidden | None = None
    """PayID of the account, instead of its numbers."""


class SepaDebit(Unshown):
    """A bank account in Europe."""

    iban: Hidden
    """IBAN of the account; not stored."""


class Sofort(Parameters):
    """Details of a Sofort payer."""

    country: Literal["AT", "BE", "DE", "ES", "IT", "NL"]
    """Country of the bank."""


class UsBankAccount(Unshown):
    """A bank account in the United States."""

    account_holder_type: Annotated[Literal["company", "individual"] | None, Cleared] = None
    """Whether the holder is a company or an individual."""
    account_number: Hidden | None = None
    """Account number; not stored."""
    account_type: Annotated[Literal["checking", "savings"] | None, Cleared] = None
    """Type of the account; the default is a checking account."""
    routing_number: Hidden | None = None
    """Routing number of the bank."""


HASHES: Mapping[str, type[Parameters]] = {
    "acss_debit": AcssDebit,
    "au_becs_debit": AuBecsDebit,
    "bacs_debit": BacsDebit,
    "boleto": Boleto,
    "card": NewCard,
    "custom": Custom,
    "eps": Eps,
    "fpx": Fpx,
    "ideal": Ideal,
    "klarna": Klarna,
    "naver_pay": NaverPay,
    "nz_bank_account": NzBankAccount,
    "p24": P24,
    "payto": Payto,
    "sepa_debit": SepaDebit,
    "sofort": Sofort,
    "us_bank_account": UsBankAccount,
}
# Those of which there is nothing without their hash.
NEEDED = frozenset(HASHES) - {"eps", "ideal", "klarna", "naver_pay", "p24", "payto"}


class RadarOptions(Parameters):
    """Radar options for fraud detection; without effect."""

    session: ClearableText = None
    """Id of the browser session (Radar)."""


class _Create(Parameters):
    """What every payment method may have."""

    type: Type
    """Type of the payment method; the hash of the same name holds its details."""
    allow_redisplay: Redisplay = "unspecified"
    """Whether it may be shown to the customer again for reuse."""
    billing_details: Annotated[Billing, NotEmpty] | None = None
    """Billing contact details."""
    expand: Expand = ()
    """Paths of the objects to expand in the response."""
    metadata: Metadata = None
    """Key-value pairs for your own use."""
    radar_options: Annotated[RadarOptions, NotEmpty] | None = None
    """Radar options for fraud detection; without effect."""

    @property
    def details(self) -> Parameters | None:
        """The hash of its type, where one was sent."""
        given: Parameters | None = getattr(self, self.type)
        return given

    def check(self) -> None:
        """Raises Refusal when the hash of the type is missing, or one of another type was sent."""
        for name in sorted(self.model_fields_set & set(TYPES)):
            if name != self.type:
                raise Refusal(f"If you specify the '{name}' parameter, the type must be '{name}'.", param=name)
        if self.details is None and self.type in NEEDED:
            raise Refusal(f"Missing required param: {self.type}.", code="parameter_missing", param=self.type)
        if isinstance(self.details, NewCard):
            self.details.check()

    def patch(self) -> PaymentMethodPatch:
        """What was sent of the attributes, as the events have it."""
        patch: PaymentMethodPatch = {"allow_redisplay": self.allow_redisplay}
        if self.billing_details is not None:
            patch["billing_details"] = self.billing_details.patch()
        if "metadata" in self.model_fields_set:
            patch["metadata"] = self.metadata
        return patch

    def command(self) -> NewPaymentMethod:
        """The parameters of the new payment method. Raises Refusal."""
        self.check()
        given = self.details
        return NewPaymentMethod(
            type=self.type,
            patch=self.patch(),
            card=given.value() if isinstance(given, NewCard) else None,
            details={} if given is None else given.model_dump(exclude_none=True),
        )


_hashes: dict[str, Any] = {
    type: (
        Annotated[HASHES.get(type, Empty), NotEmpty if type in NEEDED else Cleared] | None
        if type in NEEDED
        else Annotated[HASHES.get(type, Empty) | None, Cleared],
        Field(default=None, description=f"Details of the payment method type {type}."),
    )
    for type in TYPES
}
CreatePaymentMethod = create_model(
    "CreatePaymentMethod", __base__=_Create, __doc__="Parameters of `POST /v1/payment_methods`.", **_hashes
)


class CardEdit(Unshown):
    """Fields of a card to update."""

    exp_month: Hidden | None = None
    """Expiration month."""
    exp_year: Hidden | None = None
    """Expiration year."""
    networks: Annotated[Networks, NotEmpty] | None = None
    """Preferred networks of a co-branded card."""

    def change(self) -> CardChange:
        """The changes of the payment method."""
        preferred = self.networks.preferred if self.networks is not None else None
        return CardChange(NewExpiry(self.exp_month, self.exp_year), self.networks is not None, preferred)


class UsBankAccountEdit(Parameters):
    """Fields of a US bank account to update."""

    account_holder_type: Literal["company", "individual"] | None = None
    """Whether the holder is a company or an individual."""
    account_type: Literal["checking", "savings"] | None = None
    """Type of the account."""


class UpdatePaymentMethod(Parameters):
    """Parameters of `POST /v1/payment_methods/{payment_method}`."""

    allow_redisplay: Redisplay | None = None
    """Whether it may be shown to the customer again for reuse."""
    billing_details: Annotated[Billing, NotEmpty] | None = None
    """Billing details; merged by sub-key."""
    card: Annotated[CardEdit, NotEmpty] | None = None
    """Fields of a card to update."""
    expand: Expand = ()
    """Paths of the objects to expand in the response."""
    metadata: Metadata = None
    """Key-value pairs for your own use; merged by key, and an empty value deletes its key."""
    us_bank_account: Annotated[UsBankAccountEdit, NotEmpty] | None = None
    """Fields of a US bank account to update."""

    def patch(self) -> PaymentMethodPatch:
        """What was sent but for the card, as the events have it."""
        patch: PaymentMethodPatch = {}
        if self.allow_redisplay is not None:
            patch["allow_redisplay"] = self.allow_redisplay
        if self.billing_details is not None:
            patch["billing_details"] = self.billing_details.patch()
        if "metadata" in self.model_fields_set:
            patch["metadata"] = self.metadata
        if self.us_bank_account is not None:
            patch["details"] = self.us_bank_account.model_dump(exclude_none=True)
        return patch


class RetrievePaymentMethod(Parameters):
    """Parameters of `GET /v1/payment_methods/{payment_method}` and of the same below a customer."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class AttachPaymentMethod(Parameters):
    """Parameters of `POST /v1/payment_methods/{payment_method}/attach`."""

    customer: Annotated[Text, NotEmpty]
    """Id of the customer to attach it to."""
    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class DetachPaymentMethod(Parameters):
    """Parameters of `POST /v1/payment_methods/{payment_method}/detach`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class ListOfCustomer(Listing):
    """Parameters of `GET /v1/customers/{customer}/payment_methods`."""

    allow_redisplay: Redisplay | None = None
    """Filter by `allow_redisplay`."""
    type: Type | None = None
    """Filter by type."""

    def facts(self) -> dict[str, object]:
        """What those to list have in common."""
        wanted = {"allow_redisplay": self.allow_redisplay, "type": self.type}
        return {name: value for name, value in wanted.items() if value is not None}


class ListPaymentMethods(ListOfCustomer):
    """Parameters of `GET /v1/payment_methods`."""

    customer: Annotated[Text, NotEmpty] | None = None
    """Filter by the id of the customer."""
