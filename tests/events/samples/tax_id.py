"""Events of tax ids, customers' and the account's own, and of what is known for tax."""

from events.account_tax_id import TaxIdCreated, TaxIdDeleted
from events.customer.tax import TaxSet
from events.customer.tax_id import TaxIdAdded, TaxIdRemoved, TaxIdVerified

SAMPLES = (
    TaxIdAdded(
        at=1_700_000_000,
        country="DE",
        id="txi_1Mr5jULkdIwHu7",
        status="pending",
        type="eu_vat",
        value="DE123456789",
    ),
    TaxIdVerified(
        id="txi_1Mr5jULkdIwHu7",
        status="verified",
        verified_address="Unter den Linden 1, Berlin",
        verified_name="Ada GmbH",
    ),
    TaxIdRemoved(id="txi_1Mr5jULkdIwHu7"),
    TaxSet(ip_address="203.0.113.7"),
    TaxIdCreated(
        country="GB",
        created=1_700_000_000,
        id="txi_1Mr5jULkdIwHu8",
        type="gb_vat",
        value="GB123456789",
    ),
    TaxIdDeleted(id="txi_1Mr5jULkdIwHu8"),
)
