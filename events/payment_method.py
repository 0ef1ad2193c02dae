"""A payment method: its commands, events and pure functions; its stream is `payment_method-pm_…`.

It is created on its own and attached to one customer. Detaching is final: it cannot be attached again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, assert_never, cast

from typing_extensions import TypedDict

from events import metadata
from events.card import Card, attached
from events.decider import Decider
from events.errors import Missing, Refusal
from events.personal import PERSONAL
from events.values import Address

KIND = "payment_method"
NAME = "PaymentMethod"  # in every message that names one
UNEXPECTED = "payment_method_unexpected_state"
NOWHERE = Address()
TYPES = (
    "acss_debit", "affirm", "afterpay_clearpay", "alipay", "alma", "amazon_pay", "au_becs_debit", "bacs_debit",
    "bancontact", "billie", "bizum", "blik", "boleto", "card", "cashapp", "crypto", "custom", "customer_balance", "eps",
    "fpx", "giropay", "grabpay", "ideal", "kakao_pay", "klarna", "konbini", "kr_card", "link", "mb_way", "mobilepay",
    "multibanco", "naver_pay", "nz_bank_account", "oxxo", "p24", "pay_by_bank", "payco", "paynow", "paypal", "paypay",
    "payto", "pix", "promptpay", "revolut_pay", "samsung_pay", "satispay", "scalapay", "sepa_debit", "sequra", "sofort",
    "sunbit", "swish", "twint", "upi", "us_bank_account", "wechat_pay", "zip",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingDetails:
    """Name, contact and address for billing."""

    address: Address = NOWHERE
    email: str | None = None
    name: str | None = None
    phone: str | None = None
    tax_id: str | None = None


class PaymentMethodPatch(TypedDict, total=False):
    """Parsed parameters of a request; a parameter that was not sent is absent. Hashes are merged by key."""

    allow_redisplay: str
    billing_details: dict[str, Any]  # name -> new value
    card: dict[str, Any]
    details: dict[str, str | None]
    metadata: dict[str, str] | None  # "" deletes a key, None all of them


class Attributes(TypedDict, total=False):
    """Attributes that an event sets, each as a whole; others are absent."""

    allow_redisplay: str
    billing_details: Annotated[BillingDetails, PERSONAL]
    card: Annotated[Card | None, PERSONAL]
    details: Annotated[dict[str, str | None], PERSONAL]
    metadata: Annotated[dict[str, str], PERSONAL]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePaymentMethod:
    """Create a payment method of a type of the API; `created` is Unix seconds, `token` the id of the token used, if
    any.
    """

    id: str
    card: Card | None = None
    created: int
    details: Mapping[str, str | None] = field(default_factory=dict)
    patch: PaymentMethodPatch
    token: str | None = None
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachToCustomer:
    """Attach it to a customer."""

    id: str
    customer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EditPaymentMethod:
    """Change its attributes."""

    id: str
    patch: PaymentMethodPatch


@dataclass(frozen=True, slots=True, kw_only=True)
class DetachFromCustomer:
    """Detach it from its customer, permanently."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasePaymentMethod:
    """Erase what is known of it, for it was this customer's; it is detached by then."""

    id: str
    customer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMethodCreated:
    """The payment method was created with these attributes; others have their defaults."""

    attributes: Attributes
    created: int
    id: str
    token: str | None
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedToCustomer:
    """It was attached to a customer; `checks` are the results of the checks of a card by its issuer."""

    checks: dict[str, str | None]
    customer: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMethodEdited:
    """These attributes changed, each to its new value as a whole."""

    attributes: Attributes
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DetachedFromCustomer:
    """It was detached from this customer."""

    customer: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMethodErased:
    """The key of its personal data was destroyed, with those of the customer who had it."""

    customer: str
    id: str


Command = CreatePaymentMethod | AttachToCustomer | EditPaymentMethod | DetachFromCustomer | ErasePaymentMethod
Event = PaymentMethodCreated | AttachedToCustomer | PaymentMethodEdited | DetachedFromCustomer | PaymentMethodErased
EVENT_TYPES: dict[str, type] = {
    "payment_method.created": PaymentMethodCreated,
    "payment_method.attached": AttachedToCustomer,
    "payment_method.edited": PaymentMethodEdited,
    "payment_method.detached": DetachedFromCustomer,
    "payment_method.erased": PaymentMethodErased,
}
CHECKS = ("address_line1_check", "address_zip_check", "cvc_check")


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMethod:
    """State of a payment method; `id` is empty before its first event.

    Cards have `card`, other types `details`; neither contains a full number.
    """

    id: str = ""
    allow_redisplay: str = "unspecified"
    billing_details: BillingDetails = field(default_factory=BillingDetails)
    card: Card | None = None
    created: int = 0
    customer: str | None = None
    details: Mapping[str, str | None] = field(default_factory=dict)
    erased: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    spent: bool = False  # whether it was detached
    type: str = ""


NO_METHOD = PaymentMethod()


def decide(state: PaymentMethod, command: Command) -> list[Event]:
    """Decide the events of `command`; no events if there is nothing to change.

    Raises Missing if the payment method does not exist, Declined for a declined card, Refusal if it is attached to
    another customer, was detached, or is not attached.
    """
    match command:
        case CreatePaymentMethod():
            assert not state.id, "ids of new payment methods are fresh"
            made = replace(state, card=command.card, details=command.details)
            attributes = _changes(made, command.patch)
            if command.card is not None:
                attributes.setdefault("card", command.card)
            if command.details:
                attributes.setdefault("details", dict(command.details))
            return [
                PaymentMethodCreated(
                    attributes=attributes,
                    created=command.created,
                    id=command.id,
                    token=command.token,
                    type=command.type,
                )
            ]
        case AttachToCustomer():
            return _attach(_known(state, command.id), command.customer)
        case EditPaymentMethod():
            known = _known(state, command.id)
            if known.customer is None:
                raise Refusal(
                    "You must attach this PaymentMethod to a customer before you can update it.", code=UNEXPECTED
                )
            attributes = _changes(known, command.patch)
            return [PaymentMethodEdited(attributes=attributes, id=known.id)] if attributes else []
        case DetachFromCustomer():
            known = _known(state, command.id)
            if known.customer is None:
                raise Refusal(
                    "The payment method you provided is not attached to a customer so detachment is impossible.",
                    code=UNEXPECTED,
                )
            return [DetachedFromCustomer(customer=known.customer, id=known.id)]
        case ErasePaymentMethod():
            known = _known(state, command.id)
            return [] if known.erased else [PaymentMethodErased(customer=command.customer, id=known.id)]
        case _:
            assert_never(command)


def evolve(state: PaymentMethod, event: Event) -> PaymentMethod:
    """Fold one event in."""
    match event:
        case PaymentMethodCreated():
            return PaymentMethod(id=event.id, created=event.created, type=event.type, **event.attributes)
        case AttachedToCustomer():
            checks: dict[str, Any] = dict(event.checks)
            card = replace(state.card, **checks) if state.card is not None else None
            return replace(state, card=card, customer=event.customer)
        case PaymentMethodEdited():
            return replace(state, **event.attributes)
        case DetachedFromCustomer():
            return replace(state, customer=None, spent=True)
        case PaymentMethodErased():
            return replace(state, billing_details=BillingDetails(), card=None, details={}, erased=True, metadata={})
        case _:
            assert_never(event)


def _attach(state: PaymentMethod, customer: str) -> list[Event]:
    if state.customer == customer:
        return []
    if state.customer is not None:
        raise Refusal("The payment method you provided has already been attached to a customer.", code=UNEXPECTED)
    if state.spent:
        raise Refusal(
            "This PaymentMethod was previously used with a customer and was detached from it, and may not be used "
            "again. To use a PaymentMethod multiple times, it must stay attached to a customer.",
            code=UNEXPECTED,
        )
    card = None if state.card is None else attached(state.card)
    checks = {name: getattr(card, name) for name in CHECKS} if card is not None else {}
    return [AttachedToCustomer(checks=checks, customer=customer, id=state.id)]


def _changes(state: PaymentMethod, patch: PaymentMethodPatch) -> Attributes:
    """The attributes that `patch` changes, each as a whole."""
    sent: dict[str, Any] = dict(patch)
    for name in ("card", "details"):
        if name in patch and (state.card is not None) != (name == "card"):
            raise Refusal(f"This PaymentMethod is of type {state.type}, and has no such details.", param=name)
    if "billing_details" in patch:
        sent["billing_details"] = replace(state.billing_details, **patch["billing_details"])
    if "card" in patch:
        sent["card"] = replace(cast(Card, state.card), **patch["card"])
    if "details" in patch:
        sent["details"] = {**state.details, **patch["details"]}
    if "metadata" in patch:
        sent["metadata"] = metadata.merged(state.metadata, patch["metadata"])
    return cast(Attributes, {name: new for name, new in sorted(sent.items()) if new != getattr(state, name)})


def _known(state: PaymentMethod, id: str) -> PaymentMethod:
    if not state.id:
        raise Missing(NAME, id)
    return state


PAYMENT_METHOD: Decider[PaymentMethod, Command, Event] = Decider(KIND, NO_METHOD, decide, evolve, erasable=True)
