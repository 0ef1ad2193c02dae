"""The coupon object."""

from typing import Literal

from service.http.schemas.schema import ABSENT, Deleted, Shape


class AppliesTo(Shape):
    """What a coupon is for."""

    products: list[str]
    """Ids of the products it takes something off."""


class AmountOff(Shape):
    """What a coupon takes off in another currency."""

    amount_off: int
    """Amount to take off, in the currency's smallest unit."""


class Coupon(Shape):
    """A percentage or an amount off, to be redeemed by customers."""

    id: str
    """What the coupon is called by."""
    object: Literal["coupon"]
    """Says that this is a coupon."""
    amount_off: int | None
    """Amount to take off, in the currency's smallest unit."""
    applies_to: AppliesTo = ABSENT
    """What the coupon is for; there when it was expanded and the coupon is not for everything."""
    created: int
    """When it was created, in Unix seconds."""
    currency: str | None
    """Currency of the amount to take off."""
    currency_options: dict[str, AmountOff] = ABSENT
    """Amounts to take off in other currencies, by currency; there when they were expanded."""
    duration: Literal["forever", "once", "repeating"]
    """How long a discount of this coupon lasts."""
    duration_in_months: int | None
    """How many months it lasts when it repeats."""
    livemode: bool
    """Whether it is of live mode, or of test mode."""
    max_redemptions: int | None
    """How often it may be redeemed, by all customers together."""
    metadata: dict[str, str]
    """Keys and values of the caller's own."""
    name: str | None
    """What the coupon is called on invoices and receipts."""
    percent_off: float | None
    """Percentage to take off."""
    redeem_by: int | None
    """Last moment to redeem it, in Unix seconds."""
    times_redeemed: int
    """How often it was redeemed."""
    valid: bool
    """Whether it may still be redeemed."""


class DeletedCoupon(Deleted):
    """What is left to show of a deleted coupon."""

    object: Literal["coupon"]
    """Says that this was a coupon."""
