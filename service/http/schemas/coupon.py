"""The coupon object."""

from typing import Literal

from service.http.schemas.schema import ABSENT, Deleted, Shape


class AppliesTo(Shape):
    """Products that a coupon applies to."""

    products: list[str]
    """Ids of the products that the coupon applies to."""


class AmountOff(Shape):
    """Amount of the discount in another currency."""

    amount_off: int
    """Amount of the discount, in minor units."""


class Coupon(Shape):
    """A percentage or an amount off, to be redeemed by customers."""

    id: str
    """Unique identifier of the coupon."""
    object: Literal["coupon"]
    """Type of the object: a coupon."""
    amount_off: int | None
    """Amount of the discount, in minor units."""
    applies_to: AppliesTo = ABSENT
    """Products that the coupon applies to; present when it was expanded and the coupon is limited to some."""
    created: int
    """Time of creation, in Unix seconds."""
    currency: str | None
    """Currency of `amount_off`."""
    currency_options: dict[str, AmountOff] = ABSENT
    """Amounts of the discount in other currencies, by currency; present when they were expanded."""
    duration: Literal["forever", "once", "repeating"]
    """Duration of a discount of this coupon."""
    duration_in_months: int | None
    """Number of months of the discount, if `duration` is `repeating`."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    max_redemptions: int | None
    """Maximum number of redemptions by all customers."""
    metadata: dict[str, str]
    """Key-value pairs for your own use."""
    name: str | None
    """Name of the coupon on invoices and receipts."""
    percent_off: float | None
    """Percentage of the discount."""
    redeem_by: int | None
    """Time after which it cannot be redeemed, in Unix seconds."""
    times_redeemed: int
    """Number of redemptions."""
    valid: bool
    """Whether it can still be redeemed."""


class DeletedCoupon(Deleted):
    """A deleted coupon."""

    object: Literal["coupon"]
    """Type of the object: a coupon."""
