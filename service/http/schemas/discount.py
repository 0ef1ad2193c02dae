"""The discount object."""

from typing import TYPE_CHECKING, Literal

from service.http.schemas.schema import Shape

if TYPE_CHECKING:
    from service.http.schemas.coupon import Coupon
    from service.http.schemas.customer import Customer, DeletedCustomer
    from service.http.schemas.promotion_code import PromotionCode


class DiscountSource(Shape):
    """What a discount is of."""

    coupon: "str | Coupon | None"
    """The coupon that was redeemed. Expandable."""
    type: Literal["coupon"]
    """What it is."""


class _Discount(Shape):
    """What a discount shows, there or gone."""

    id: str
    """Unique identifier of the discount."""
    object: Literal["discount"]
    """Type of the object: a discount."""
    checkout_session: None
    """No checkout leads to one here."""
    customer: "str | Customer | DeletedCustomer"
    """Who has it. Expandable."""
    customer_account: None
    """No account represents a customer here."""
    invoice: None
    """It is the customer's, not an invoice's."""
    invoice_item: None
    """It is the customer's, not an invoice item's."""
    promotion_code: "str | PromotionCode | None"
    """The promotion code it was redeemed by, where it was by one. Expandable."""
    source: DiscountSource
    """What it is of."""
    start: int
    """When it began, in Unix seconds."""
    subscription: None
    """It is the customer's, not a subscription's."""
    subscription_item: None
    """It is the customer's, not a subscription item's."""


class Discount(_Discount):
    """What a coupon takes off for one customer."""

    end: int | None
    """When it ends, in Unix seconds; null for never, or for the first time it is used."""


class DeletedDiscount(_Discount):
    """A discount that was just removed."""

    deleted: Literal[True]
    """Says that it is gone."""
