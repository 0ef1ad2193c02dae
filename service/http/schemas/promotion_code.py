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
    """Least amount, in the currency's smallest unit."""


class Restrictions(Shape):
    """For which purchases a code may be used."""

    currency_options: dict[str, MinimumAmount] = ABSENT
    """Least amounts in other currencies, by currency; present when they were expanded."""
    first_time_transaction: bool
    """Whether it is only for customers who never paid before."""
    minimum_amount: int | None
    """Least amount of a purchase, in the currency's smallest unit."""
    minimum_amount_currency: str | None
    """Currency of the least amount."""


class PromotionCode(Shape):
    """What customers type to redeem a coupon."""

    id: str
    """Unique identifier of the promotion code."""
    object: Literal["promotion_code"]
    """Type of the object: a promotion code."""
    active: bool
    """Whether it may be redeemed."""
    code: str
    """What customers type."""
    created: int
    """Time of creation, in Unix seconds."""
    customer: "str | Customer | DeletedCustomer | None"
    """The only customer who may redeem it; null for everybody. May be expanded."""
    customer_account: None
    """No account represents a customer here."""
    expires_at: int | None
    """Time after which it cannot be redeemed, in Unix seconds."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    max_redemptions: int | None
    """Maximum number of redemptions by all customers."""
    metadata: dict[str, str]
    """Key-value pairs for your own use."""
    promotion: Promotion
    """What it stands for."""
    restrictions: Restrictions
    """For which purchases it may be used."""
    times_redeemed: int
    """Number of redemptions."""
