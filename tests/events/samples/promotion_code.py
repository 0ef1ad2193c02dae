"""Events of promotion codes."""

from events.promotion_code import (
    Attributes,
    PromotionCodeCreated,
    PromotionCodeExpired,
    PromotionCodeRedeemed,
    PromotionCodeUpdated,
    Restrictions,
)

ATTRIBUTES = Attributes(
    active=False,
    metadata={"team": "blue"},
    restrictions=Restrictions(
        currency_options={"chf": 4500, "eur": 4000},
        first_time_transaction=True,
        minimum_amount=5000,
        minimum_amount_currency="usd",
    ),
)

SAMPLES = (
    PromotionCodeCreated(
        attributes=ATTRIBUTES,
        code="Summer26",
        coupon="SUMMER",
        created=1_700_000_000,
        customer="cus_NffrFeUfNV2Hib",
        expires_at=1_750_000_000,
        id="promo_1Mr5jULkdIwHu7",
        max_redemptions=5,
    ),
    PromotionCodeUpdated(attributes=ATTRIBUTES),
    PromotionCodeRedeemed(customer="cus_NffrFeUfNV2Hib", times_redeemed=3),
    PromotionCodeExpired(expires_at=1_750_000_000),
)
