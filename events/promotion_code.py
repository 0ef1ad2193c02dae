"""A promotion code: its commands, events and pure functions; its stream is `promotion_code-promo_…`.

It redeems a coupon, with restrictions in addition to those of the coupon.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, assert_never, cast

from typing_extensions import TypedDict

from events import metadata
from events.coupon import Coupon
from events.decider import Decider
from events.errors import Missing, Refusal
from events.personal import PERSONAL

KIND = "promotion_code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restrictions:
    """Restrictions on the redemption of the code."""

    currency_options: Mapping[str, int] = field(default_factory=dict)  # currency -> minimum amount
    first_time_transaction: bool = False
    minimum_amount: int | None = None  # minor units
    minimum_amount_currency: str | None = None


class PromotionCodePatch(TypedDict, total=False):
    """Parsed parameters of a request; a parameter that was not sent is absent."""

    active: bool
    currency_options: dict[str, int]
    metadata: dict[str, str] | None  # "" deletes a key, None all of them


class Attributes(TypedDict, total=False):
    """Attributes that an event sets, each as a whole; others are absent."""

    active: bool
    metadata: Annotated[dict[str, str], PERSONAL]
    restrictions: Restrictions


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePromotionCode:
    """Create a code for a coupon; times are Unix seconds, `customer` restricts it to one customer."""

    id: str
    active: bool = True
    code: str
    coupon: Coupon
    created: int
    customer: str | None = None
    expires_at: int | None = None
    max_redemptions: int | None = None
    metadata: Mapping[str, str] | None = None
    restrictions: Restrictions = Restrictions()


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatePromotionCode:
    """Update attributes, at this time; the state of the `coupon` decides whether the code can be reactivated."""

    id: str
    at: int
    coupon: Coupon
    patch: PromotionCodePatch


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeemPromotionCode:
    """Redeem the code once for a customer, at this time; `has_paid` is whether the customer ever paid."""

    id: str
    at: int
    customer: str
    has_paid: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpirePromotionCode:
    """Expire it, if its expiry is past at `at`."""

    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionCodeCreated:
    """The code was created."""

    attributes: Attributes
    code: str
    coupon: str
    created: int
    customer: str | None
    expires_at: int | None
    id: str
    max_redemptions: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionCodeUpdated:
    """These attributes changed, each to its new value as a whole."""

    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionCodeRedeemed:
    """The code was redeemed by this customer; the number of redemptions so far."""

    customer: str
    times_redeemed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionCodeExpired:
    """The code expired."""

    expires_at: int


Command = CreatePromotionCode | UpdatePromotionCode | RedeemPromotionCode | ExpirePromotionCode
Event = PromotionCodeCreated | PromotionCodeUpdated | PromotionCodeRedeemed | PromotionCodeExpired
EVENT_TYPES: dict[str, type] = {
    "promotion_code.created": PromotionCodeCreated,
    "promotion_code.updated": PromotionCodeUpdated,
    "promotion_code.redeemed": PromotionCodeRedeemed,
    "promotion_code.expired": PromotionCodeExpired,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionCode:
    """State of a promotion code; `id` is empty before its first event."""

    id: str = ""
    active: bool = True  # as set by its owner: see `open`
    code: str = ""
    coupon: str = ""
    created: int = 0
    customer: str | None = None
    expired: bool = False
    expires_at: int | None = None
    max_redemptions: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    restrictions: Restrictions = Restrictions()
    times_redeemed: int = 0

    @property
    def open(self) -> bool:
        """Whether it is shown as active: set by its owner, and not expired or exhausted as far as events show."""
        return self.active and not self.expired and not self.used_up

    @property
    def used_up(self) -> bool:
        """Whether its maximum number of redemptions is reached."""
        return self.max_redemptions is not None and self.times_redeemed >= self.max_redemptions

    def over(self, at: int) -> bool:
        """Whether it has expired at this time."""
        return self.expires_at is not None and at > self.expires_at


NO_CODE = PromotionCode()


def decide(state: PromotionCode, command: Command) -> list[Event]:
    """Decide the events of `command`; no events if there is nothing to change.

    Raises Missing if the code does not exist, Refusal when a rule forbids it.
    """
    match command:
        case CreatePromotionCode():
            return [_created(state, command)]
        case UpdatePromotionCode():
            must_exist(state, command.id)
            attributes = _changes(state, command.patch)
            if attributes.get("active") and (state.used_up or state.over(command.at) or not command.coupon.valid):
                raise Refusal("A promotion code that can no longer be redeemed cannot be made active.", param="active")
            return [PromotionCodeUpdated(attributes=attributes)] if attributes else []
        case RedeemPromotionCode():
            must_exist(state, command.id)
            _must_be_redeemable(state, command)
            return [PromotionCodeRedeemed(customer=command.customer, times_redeemed=state.times_redeemed + 1)]
        case ExpirePromotionCode():
            if state.expired or not state.over(command.at):
                return []
            return [PromotionCodeExpired(expires_at=cast(int, state.expires_at))]
        case _:
            assert_never(command)


def evolve(state: PromotionCode, event: Event) -> PromotionCode:
    """Fold one event in."""
    match event:
        case PromotionCodeCreated():
            return PromotionCode(
                id=event.id,
                code=event.code,
                coupon=event.coupon,
                created=event.created,
                customer=event.customer,
                expires_at=event.expires_at,
                max_redemptions=event.max_redemptions,
                **event.attributes,
            )
        case PromotionCodeUpdated():
            return replace(state, **event.attributes)
        case PromotionCodeRedeemed():
            return replace(state, times_redeemed=event.times_redeemed)
        case PromotionCodeExpired():
            return replace(state, expired=True)
        case _:
            assert_never(event)


def must_exist(state: PromotionCode, id: str) -> None:
    """Raises Missing if the code does not exist."""
    if not state.id:
        raise Missing("promotion code", id)


def _created(state: PromotionCode, command: CreatePromotionCode) -> PromotionCodeCreated:
    assert not state.id, "ids of new promotion codes are fresh"
    coupon = command.coupon
    if not coupon.redeemable(command.created):
        raise Refusal(
            f"Coupon expired: '{coupon.id}' can no longer be redeemed.", code="coupon_expired", param="coupon"
        )
    if command.expires_at is not None:
        if command.expires_at <= command.created:
            raise Refusal("A promotion code must expire in the future.", param="expires_at")
        if coupon.redeem_by is not None and command.expires_at > coupon.redeem_by:
            raise Refusal("A promotion code must not expire after its coupon's redeem_by.", param="expires_at")
    most = coupon.max_redemptions
    if command.max_redemptions is not None and most is not None and command.max_redemptions > most:
        raise Refusal(f"Its coupon can be redeemed at most {most} times.", param="max_redemptions")
    attributes: Attributes = {}
    if not command.active:
        attributes["active"] = False
    if kept := metadata.merged({}, command.metadata):
        attributes["metadata"] = kept
    if command.restrictions != Restrictions():
        attributes["restrictions"] = command.restrictions
    return PromotionCodeCreated(
        attributes=attributes,
        code=command.code,
        coupon=coupon.id,
        created=command.created,
        customer=command.customer,
        expires_at=command.expires_at,
        id=command.id,
        max_redemptions=command.max_redemptions,
    )


def _changes(state: PromotionCode, patch: PromotionCodePatch) -> Attributes:
    sent: dict[str, Any] = dict(patch)
    if "metadata" in patch:
        sent["metadata"] = metadata.merged(state.metadata, patch["metadata"])
    if "currency_options" in patch:
        options = dict(sorted({**state.restrictions.currency_options, **sent.pop("currency_options")}.items()))
        sent["restrictions"] = replace(state.restrictions, currency_options=options)
    return cast(Attributes, {name: new for name, new in sent.items() if new != getattr(state, name)})


def _must_be_redeemable(state: PromotionCode, command: RedeemPromotionCode) -> None:
    if state.used_up or state.over(command.at):
        raise Refusal(
            f"This promotion code has expired or has reached its maximum number of redemptions: '{command.id}'.",
            code="coupon_expired",
            param="promotion_code",
        )
    if not state.active:
        raise Refusal(f"This promotion code is inactive: '{command.id}'.", param="promotion_code")
    if state.customer not in (None, command.customer):
        raise Refusal("This promotion code is for another customer.", param="promotion_code")
    if state.restrictions.first_time_transaction and command.has_paid:
        raise Refusal(
            "This promotion code is for first-time customers, and this customer has paid before.",
            param="promotion_code",
        )


PROMOTION_CODE: Decider[PromotionCode, Command, Event] = Decider(KIND, NO_CODE, decide, evolve)
