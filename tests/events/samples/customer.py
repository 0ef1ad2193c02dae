"""The customer's own events."""

from events.customer import CustomerCreated, CustomerDeleted, CustomerUpdated
from events.customer.profile import Attributes
from events.customer.testclock import ClockJoined
from events.values import Address, CustomField, InvoiceSettings, RenderingOptions, Shipping

ADDRESS = Address(city="Zürich", country="CH", line1="Langstrasse 1", line2="c/o Jenny", postal_code="8004", state="ZH")
ATTRIBUTES = Attributes(
    address=ADDRESS,
    business_name="Rosen & Söhne",
    default_payment_method="pm_1Mr5jULkdIwHu7",
    description="Our first customer",
    email="jenny@example.com",
    individual_name="Jenny Rosen",
    invoice_prefix="ROSEN",
    invoice_settings=InvoiceSettings(
        custom_fields=(CustomField(name="PO", value="42"), CustomField(name="Attn", value="Jenny")),
        footer="Thank you",
        rendering_options=RenderingOptions(amount_tax_display="exclude_tax", template="inrtem_123"),
    ),
    metadata={"team": "blue", "tier": "gold", "ключ": "значение"},
    name="Jenny Rosen",
    next_invoice_sequence=7,
    phone="+41 44 123 45 67",
    preferred_locales=("de-CH", "en"),
    shipping=Shipping(address=ADDRESS, name="Jenny Rosen", phone="+41 44 765 43 21"),
    tax_exempt="reverse",
)

SAMPLES = (
    CustomerCreated(attributes=ATTRIBUTES, created=1_700_000_000, id="cus_NffrFeUfNV2Hib"),
    CustomerUpdated(attributes=ATTRIBUTES),
    CustomerDeleted(id="cus_NffrFeUfNV2Hib"),
    ClockJoined(test_clock="clock_1Mr5jULkdIwHu7"),
)
