"""A coupon: its commands, events and pure functions; its stream is `coupon-…`.

Callers choose the ids of coupons. So two accounts may have coupons of the same id, and after a deletion an id may be
used again: the stream then continues with another coupon.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, assert_never, cast

from typing_extensions import TypedDict

from events import metadata
from events.decider import Decider
from events.errors import Missing, Refusal
from events.personal import PERSONAL
from events.scope import Scope

KIND = "coupon"

Duration = Literal["forever", "once", "repeating"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms of a coupon: amount and duration. A discount keeps the terms with which it was given."""

    amount_off: int | None = None  # minor units
    currency: str | None = None
    duration: Duration = "once"
    duration_in_months: int | None = None
    id: str
    percent_off: str | None = None  # a decimal without trailing zeros: 12.5


class CouponPatch(TypedDict, total=False):
    """Parsed parameters of a request; a parameter that was not sent is absent."""

    currency_options: dict[str, int]
    metadata: dict[str, str] | None  # "" deletes a key, None all of them
    name: str | None


class Attributes(TypedDict, total=False):
    """Attributes that an event sets, each as a whole; others are absent."""

    currency_options: dict[str, int]  # currency -> amount off
    metadata: Annotated[dict[str, str], PERSONAL]
    name: Annotated[str | None, PERSONAL]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCoupon:
    """Create a coupon; `created` is Unix seconds, `applies_to` are ids of products."""

    created: int
    terms: Terms
    applies_to: tuple[str, ...] = ()
    max_redemptions: int | None = None
    redeem_by: int | None = None
    patch: CouponPatch


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateCoupon:
    """Update attributes."""

    id: str
    patch: CouponPatch


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteCoupon:
    """Delete the coupon; existing discounts are kept."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeemCoupon:
    """Redeem the coupon once, at this time in Unix seconds."""

    id: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireCoupon:
    """Expire it, if its expiry is past at `at`."""

    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponCreated:
    """The coupon was created; an earlier one of the same id may have been deleted."""

    applies_to: tuple[str, ...]
    attributes: Attributes
    created: int
    max_redemptions: int | None
    redeem_by: int | None
    terms: Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponUpdated:
    """These attributes changed, each to its new value as a whole."""

    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponRedeemed:
    """The coupon was redeemed; the number of redemptions so far."""

    times_redeemed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponExpired:
    """The coupon expired."""

    redeem_by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponDeleted:
    """The coupon was deleted."""

    id: str


Command = CreateCoupon | UpdateCoupon | DeleteCoupon | RedeemCoupon | ExpireCoupon
Event = CouponCreated | CouponUpdated | CouponRedeemed | CouponExpired | CouponDeleted
EVENT_TYPES: dict[str, type] = {
    "coupon.created": CouponCreated,
    "coupon.updated": CouponUpdated,
    "coupon.redeemed": CouponRedeemed,
    "coupon.expired": CouponExpired,
    "coupon.deleted": CouponDeleted,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupon:
    """State of a coupon; its id is empty before its first event."""

    applies_to: tuple[str, ...] = ()
    created: int = 0
    currency_options: Mapping[str, int] = field(default_factory=dict)
    deleted: bool = False
    expired: bool = False
    max_redemptions: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    redeem_by: int | None = None
    terms: Terms = Terms(id="")
    times_redeemed: int = 0

    @property
    def id(self) -> str:
        """Its id in the API."""
        return self.terms.id

    @property
    def exists(self) -> bool:
        """Whether it was created and is not deleted."""
        return bool(self.id) and not self.deleted

    @property
    def valid(self) -> bool:
        """Whether it can be redeemed, without regard to the current time."""
        return self.exists and not self.expired and not self.used_up

    @property
    def used_up(self) -> bool:
        """Whether its maximum number of redemptions is reached."""
        return self.max_redemptions is not None and self.times_redeemed >= self.max_redemptions

    def redeemable(self, at: int) -> bool:
        """Whether it can be redeemed at this time."""
        return self.exists and not self.used_up and (self.redeem_by is None or at <= self.redeem_by)


NO_COUPON = Coupon()


def key(scope: Scope, id: str) -> str:
    """Its key among the coupons of all accounts and modes; part of the name of its stream."""
    return f"{scope.account}:{'live' if scope.livemode else 'test'}:{id}"


def decide(state: Coupon, command: Command) -> list[Event]:
    """Decide the events of `command`; no events if there is nothing to change.

    Raises Missing if the coupon does not exist or is deleted, Refusal if its id is taken, it expired or is used up, or
    more than 50 metadata keys would remain.
    """
    match command:
        case CreateCoupon():
            return [_created(state, command)]
        case UpdateCoupon():
            must_exist(state, command.id)
            if command.patch.get("currency_options") and state.terms.amount_off is None:
                raise no_options_of_percent()
            attributes = _changes(state, command.patch)
            return [CouponUpdated(attributes=attributes)] if attributes else []
        case DeleteCoupon():
            must_exist(state, command.id)
            return [CouponDeleted(id=command.id)]
        case RedeemCoupon():
            must_exist(state, command.id)
            if not state.redeemable(command.at):
                raise Refusal(
                    f"Coupon expired: '{command.id}' can no longer be redeemed.", code="coupon_expired", param="coupon"
                )
            return [CouponRedeemed(times_redeemed=state.times_redeemed + 1)]
        case ExpireCoupon():
            over = state.redeem_by is not None and command.at > state.redeem_by
            if not over or state.expired or not state.exists:
                return []
            return [CouponExpired(redeem_by=cast(int, state.redeem_by))]
        case _:
            assert_never(command)


def evolve(state: Coupon, event: Event) -> Coupon:
    """Fold one event in."""
    match event:
        case CouponCreated():
            return Coupon(
                applies_to=event.applies_to,
                created=event.created,
                max_redemptions=event.max_redemptions,
                redeem_by=event.redeem_by,
                terms=event.terms,
                **event.attributes,
            )
        case CouponUpdated():
            return replace(state, **event.attributes)
        case CouponRedeemed():
            return replace(state, times_redeemed=event.times_redeemed)
        case CouponExpired():
            return replace(state, expired=True)
        case CouponDeleted():
            return replace(state, deleted=True)
        case _:
            assert_never(event)


def must_exist(state: Coupon, id: str) -> None:
    """Raises Missing if the coupon does not exist or is deleted."""
    if not state.exists:
        raise Missing(KIND, id)


def no_options_of_percent() -> Refusal:
    """The refusal of amounts in other currencies for a coupon that takes off no amount."""
    return Refusal("Only a coupon with an amount off can have currency options.", param="currency_options")


def _created(state: Coupon, command: CreateCoupon) -> CouponCreated:
    if state.exists:
        raise Refusal("Coupon already exists.", code="resource_already_exists", param="id")
    if command.redeem_by is not None and command.redeem_by <= command.created:
        raise Refusal("The redeem_by of a coupon must be in the future.", param="redeem_by")
    return CouponCreated(
        applies_to=command.applies_to,
        attributes=_changes(NO_COUPON, command.patch),
        created=command.created,
        max_redemptions=command.max_redemptions,
        redeem_by=command.redeem_by,
        terms=command.terms,
    )


def _changes(state: Coupon, patch: CouponPatch) -> Attributes:
    sent: dict[str, Any] = dict(patch)
    if "metadata" in patch:
        sent["metadata"] = metadata.merged(state.metadata, patch["metadata"])
    if "currency_options" in patch:
        sent["currency_options"] = dict(sorted({**state.currency_options, **patch["currency_options"]}.items()))
    return cast(Attributes, {name: new for name, new in sent.items() if new != getattr(state, name)})


COUPON: Decider[Coupon, Command, Event] = Decider(KIND, NO_COUPON, decide, evolve)
