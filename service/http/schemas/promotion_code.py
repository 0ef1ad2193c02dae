"""The promotion code object."""

from typing import TYPE_CHECKING, Literal

from service.http.schemas.schema import ABSENT, Shape

if TYPE_CHECKING:
    from service.http.schemas.coupon import Coupon
    from service.http.schemas.customer import Customer, DeletedCustomer


class Promotion(Shape):
    """What a code stands for."""

    coupon: "str | Coupon | None"
    """The coupon. Expandable."""
    type: Literal["coupon"]
    """What it is."""


class MinimumAmount(Shape):
    """What a purchase in another currency must come to."""

    minimum_amount: int
    """Minimum amount, in minor units."""


class Restrictions(Shape):
    """For which purchases a code may be used."""

    currency_options: dict[str, MinimumAmount] = ABSENT
    """Minimum amounts in other currencies, by currency; present when they were expanded."""
    first_time_transaction: bool
    """Whether it is restricted to first-time customers."""
    minimum_amount: int | None
    """Minimum amount of a purchase, in minor units."""
    minimum_amount_currency: str | None
    """Currency of the minimum amount."""


class PromotionCode(Shape):
    """What customers type to redeem a coupon."""

    id: str
    """Unique identifier of the promotion code."""
    object: Literal["promotion_code"]
    """Type of the object: a promotion code."""
    active: bool
    """Whether it can be redeemed."""
    code: str
    """What customers type."""
    created: int
    """Time of creation, in Unix seconds."""
    customer: "str | Customer | DeletedCustomer | None"
    """Customer that it is restricted to; null if there is no restriction. Expandable."""
    customer_account: None
    """Always null: no account represents a customer."""
    expires_at: int | None
    """Time after which it cannot be redeemed, in Unix seconds."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    max_redemptions: int | None
    """Maximum number of redemptions by all customers."""
    metadata: dict[str, str]
    """Key-value pairs for your own use."""
    promotion: Promotion
    """Object that is promoted."""
    restrictions: Restrictions
    """Restrictions on its redemption."""
    times_redeemed: int
    """Number of redemptions."""
