"""Events of customers' discounts."""

from events.customer.discount import DiscountEnded, DiscountGiven, DiscountRemoved
from tests.events.samples.coupon import TERMS

SAMPLES = (
    DiscountGiven(
        coupon=TERMS,
        end=1_707_948_800,
        id="di_1Mr5jULkdIwHu7",
        promotion_code="promo_1Mr5jULkdIwHu7",
        start=1_700_000_000,
    ),
    DiscountRemoved(at=1_700_000_001, id="di_1Mr5jULkdIwHu7"),
    DiscountEnded(at=1_707_948_800, id="di_1Mr5jULkdIwHu7"),
)
