"""Events of a customer's subscriptions."""

from events.customer.subscription import (
    Attributes,
    Invoice,
    Item,
    PaymentRetryRequested,
    Price,
    SubscriptionCanceled,
    SubscriptionRemoved,
    SubscriptionReported,
)

ID = "sub_1Mr5jULkdIwHu7"

SAMPLES = (
    SubscriptionReported(
        at=1_700_000_000,
        attributes=Attributes(
            billing_cycle_anchor=1_700_000_000,
            cancel_at=1_800_000_000,
            cancel_at_period_end=True,
            canceled_at=1_700_000_100,
            collection_method="send_invoice",
            created=1_700_000_000,
            currency="usd",
            current_period_end=1_702_592_000,
            current_period_start=1_700_000_000,
            days_until_due=30,
            default_payment_method="pm_1Mr5jULkdIwHu7",
            default_source="card_1Mr5jULkdIwHu7",
            description="The gold plan",
            ended_at=1_702_592_000,
            items=(
                Item(
                    id="si_1Mr5jULkdIwHu7",
                    created=1_700_000_000,
                    price=Price(
                        id="price_1Mr5jULkdIwHu7",
                        created=1_690_000_000,
                        interval="year",
                        interval_count=2,
                        nickname="Gold",
                        product="prod_1Mr5jULkdIwHu7",
                        unit_amount=2000,
                    ),
                    quantity=3,
                ),
            ),
            latest_invoice=Invoice(id="in_1Mr5jULkdIwHu7", auto_advance=True, status="open"),
            metadata={"seat": "12"},
            start_date=1_700_000_000,
            status="canceled",
            trial_end=1_701_000_000,
            trial_start=1_700_000_000,
        ),
        id=ID,
    ),
    SubscriptionRemoved(at=1_700_000_000, id=ID),
    SubscriptionCanceled(at=1_700_000_000, id=ID),
    PaymentRetryRequested(at=1_700_000_000, invoice="in_1Mr5jULkdIwHu7", subscription=ID),
)
