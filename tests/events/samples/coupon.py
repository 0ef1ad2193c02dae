"""Events of coupons."""

from events.coupon import Attributes, CouponCreated, CouponDeleted, CouponExpired, CouponRedeemed, CouponUpdated, Terms

TERMS = Terms(
    amount_off=500,
    currency="usd",
    duration="repeating",
    duration_in_months=3,
    id="SUMMER",
    percent_off="12.5",
)
ATTRIBUTES = Attributes(currency_options={"chf": 450, "eur": 400}, metadata={"team": "blue"}, name="Summer sale")

SAMPLES = (
    CouponCreated(
        applies_to=("prod_1", "prod_2"),
        attributes=ATTRIBUTES,
        created=1_700_000_000,
        max_redemptions=10,
        redeem_by=1_800_000_000,
        terms=TERMS,
    ),
    CouponUpdated(attributes=ATTRIBUTES),
    CouponRedeemed(times_redeemed=7),
    CouponExpired(redeem_by=1_800_000_000),
    CouponDeleted(id="SUMMER"),
)
