"""One event of every type, with every field set: what the golden files hold."""

from events.api_key import KeyIssued, KeyRevoked
from events.customer import CustomerCreated, CustomerDeleted, CustomerUpdated
from events.customer.profile import Attributes
from events.values import Address, CustomField, InvoiceSettings, RenderingOptions, Shipping
from webhooks import endpoint
from webhooks.endpoint import EndpointCreated, EndpointDeleted, EndpointUpdated

ADDRESS = Address(city="Zürich", country="CH", line1="Langstrasse 1", line2="c/o Jenny", postal_code="8004", state="ZH")
ATTRIBUTES = Attributes(
    address=ADDRESS,
    business_name="Rosen & Söhne",
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
ENDPOINT_ATTRIBUTES = endpoint.Attributes(
    description="Ledger",
    disabled=True,
    enabled_events=("customer.created", "customer.updated"),
    metadata={"team": "blue"},
    url="https://example.com/hook?token=42",
)

SAMPLES: dict[str, object] = {
    "customer.created": CustomerCreated(attributes=ATTRIBUTES, created=1_700_000_000, id="cus_NffrFeUfNV2Hib"),
    "customer.updated": CustomerUpdated(attributes=ATTRIBUTES),
    "customer.deleted": CustomerDeleted(id="cus_NffrFeUfNV2Hib"),
    "api_key.issued": KeyIssued(
        created=1_700_000_000,
        digest="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        id="key_1Mr5jULkdIwHu7",
        name="ledger",
        power="restricted",
        rights=("customers:read", "customers:write"),
        shown="rk_test_…book",
    ),
    "api_key.revoked": KeyRevoked(id="key_1Mr5jULkdIwHu7"),
    "webhook_endpoint.created": EndpointCreated(
        api_version="2026-10-28.endive",
        attributes=ENDPOINT_ATTRIBUTES,
        created_at=1_700_000_000,
        id="we_1Mr5jULkdIwHu7",
        secret="whsec_0123456789abcdefghijABCDEFGHIJ01",
    ),
    "webhook_endpoint.updated": EndpointUpdated(attributes=ENDPOINT_ATTRIBUTES),
    "webhook_endpoint.deleted": EndpointDeleted(id="we_1Mr5jULkdIwHu7"),
}
