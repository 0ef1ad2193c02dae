"""The discount object."""

from typing import TYPE_CHECKING, Literal

from service.http.schemas.schema import Shape

if TYPE_CHECKING:
    from service.http.schemas.coupon import Coupon
    from service.http.schemas.customer import Customer, DeletedCustomer
    from service.http.schemas.promotion_code import PromotionCode


class DiscountSource(Shape):
    """Source of a discount."""

    coupon: "str | Coupon | None"
    """Coupon of the discount. Expandable."""
    type: Literal["coupon"]
    """Type of the source: a coupon."""


class _Discount(Shape):
    """What a discount shows, there or gone."""

    id: str
    """Unique identifier of the discount."""
    object: Literal["discount"]
    """Type of the object: a discount."""
    checkout_session: None
    """Always null: there are no checkout sessions."""
    customer: "str | Customer | DeletedCustomer"
    """Customer that has the discount. Expandable."""
    customer_account: None
    """Always null: no account represents a customer."""
    invoice: None
    """Always null: the discount belongs to a customer."""
    invoice_item: None
    """Always null: the discount belongs to a customer."""
    promotion_code: "str | PromotionCode | None"
    """Promotion code that was redeemed, if any. Expandable."""
    source: DiscountSource
    """Source of the discount."""
    start: int
    """Start of the discount, in Unix seconds."""
    subscription: None
    """Always null: the discount belongs to a customer."""
    subscription_item: None
    """Always null: the discount belongs to a customer."""


class Discount(_Discount):
    """A discount of a customer, by redeeming a coupon."""

    end: int | None
    """End of the discount, in Unix seconds; null if its duration is `forever` or `once`."""


class DeletedDiscount(_Discount):
    """A deleted discount."""

    deleted: Literal[True]
    """Always true: the object was deleted."""
