"""The promotion code object."""

from typing import TYPE_CHECKING, Literal

from service.http.schemas.schema import ABSENT, Shape

if TYPE_CHECKING:
    from service.http.schemas.coupon import Coupon
    from service.http.schemas.customer import Customer, DeletedCustomer


class Promotion(Shape):
    """The object that a promotion code redeems."""

    coupon: "str | Coupon | None"
    """The coupon. Expandable."""
    type: Literal["coupon"]
    """Type of the promotion: a coupon."""


class MinimumAmount(Shape):
    """Minimum amount of a purchase in another currency."""

    minimum_amount: int
    """Minimum amount, in minor units."""


class Restrictions(Shape):
    """Restrictions on the redemption of a promotion code."""

    currency_options: dict[str, MinimumAmount] = ABSENT
    """Minimum amounts in other currencies, by currency; present when they were expanded."""
    first_time_transaction: bool
    """Whether it is restricted to first-time customers."""
    minimum_amount: int | None
    """Minimum amount of a purchase, in minor units."""
    minimum_amount_currency: str | None
    """Currency of the minimum amount."""


class PromotionCode(Shape):
    """A code that customers enter to redeem a coupon."""

    id: str
    """Unique identifier of the promotion code."""
    object: Literal["promotion_code"]
    """Type of the object: a promotion code."""
    active: bool
    """Whether it can be redeemed."""
    code: str
    """Code that customers enter."""
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
    """The object that the promotion code redeems."""
    restrictions: Restrictions
    """Restrictions on its redemption."""
    times_redeemed: int
    """Number of redemptions."""
