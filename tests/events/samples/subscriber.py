"""Events of subscribers."""

from webhooks.broker.subscriber import SubscriberAdded, SubscriberRemoved

SAMPLES = (
    SubscriberAdded(
        account="acct_1", at=1_700_000_000, mode="live", name="ledger", types=("customer.created", "coupon.*")
    ),
    SubscriberRemoved(name="ledger"),
)
