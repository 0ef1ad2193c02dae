"""Arbitrary values, patches, events and histories, as the parameters allow them."""

from collections.abc import Mapping
from typing import get_args

from hypothesis import strategies as st

from events.api_key import KeyIssued
from events.customer import CustomerCreated, CustomerUpdated
from events.customer.profile import Attributes, InvoiceSettingsPatch, ProfilePatch
from events.values import Address, CustomField, InvoiceSettings, RenderingOptions, Shipping
from service.wiring import codec
from webhooks.endpoints import endpoint
from webhooks.endpoints.endpoint import EndpointCreated, EndpointUpdated

# Any text that UTF-8 and Postgres can store.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
keys = st.text(st.characters(codec="utf-8", exclude_characters="\0[]"), min_size=1, max_size=8)
maybe = st.none() | texts
counts = st.integers(min_value=0, max_value=2**53)
ids = st.text("abcXYZ019", min_size=1, max_size=8)
languages = st.lists(texts, max_size=3).map(tuple)
exemptions = st.sampled_from(["none", "exempt", "reverse"])

addresses = st.builds(Address, city=maybe, country=maybe, line1=maybe, line2=maybe, postal_code=maybe, state=maybe)
shippings = st.builds(Shipping, address=addresses, name=texts, phone=maybe)
custom_fields = st.none() | st.lists(st.builds(CustomField, name=texts, value=texts), max_size=4).map(tuple)
rendering_options = st.none() | st.builds(RenderingOptions, amount_tax_display=maybe, template=maybe)
invoice_settings = st.builds(
    InvoiceSettings, custom_fields=custom_fields, footer=maybe, rendering_options=rendering_options
)
metadata = st.dictionaries(keys, texts.filter(bool), max_size=5)

_plain = {
    "address": st.none() | addresses,
    "business_name": maybe,
    "default_payment_method": st.none(),
    "description": maybe,
    "email": maybe,
    "individual_name": maybe,
    "invoice_prefix": ids,
    "name": maybe,
    "next_invoice_sequence": st.integers(min_value=1, max_value=5),
    "phone": maybe,
    "preferred_locales": languages,
    "shipping": st.none() | shippings,
    "tax_exempt": exemptions,
}
attributes: st.SearchStrategy[Attributes] = st.fixed_dictionaries(  # type: ignore[assignment]  # the same keys
    {}, optional={**_plain, "invoice_settings": invoice_settings, "metadata": metadata}
)
invoice_settings_patches: st.SearchStrategy[InvoiceSettingsPatch] = st.fixed_dictionaries(  # type: ignore[assignment]  # the same keys
    {}, optional={"custom_fields": custom_fields, "footer": maybe, "rendering_options": rendering_options}
)
patches: st.SearchStrategy[ProfilePatch] = st.fixed_dictionaries(  # type: ignore[assignment]  # the same keys
    {},
    optional={
        **_plain,
        "invoice_settings": invoice_settings_patches,
        "metadata": st.none() | st.dictionaries(st.sampled_from(["a", "b", "é", "z"]) | keys, texts, max_size=4),
    },
)

_endpoint_attributes: st.SearchStrategy[endpoint.Attributes] = st.fixed_dictionaries(  # type: ignore[assignment]  # the same keys
    {},
    optional={
        "description": maybe,
        "disabled": st.booleans(),
        "enabled_events": languages,
        "metadata": metadata,
        "url": texts,
    },
)

st.register_type_strategy(int, st.integers(min_value=-(2**53), max_value=2**53))
st.register_type_strategy(str, texts)
st.register_type_strategy(Mapping, lambda mapping: st.dictionaries(*map(st.from_type, get_args(mapping)), max_size=3))

EVENTS: dict[str, st.SearchStrategy[object]] = {
    name: st.from_type(known.cls) for name, known in codec().types.items()
} | {
    "customer.created": st.builds(CustomerCreated, attributes=attributes, created=counts, id=ids),
    "customer.updated": st.builds(CustomerUpdated, attributes=attributes),
    "api_key.issued": st.builds(
        KeyIssued,
        created=counts,
        digest=ids,
        id=ids,
        name=texts,
        key_type=st.sampled_from(["secret", "restricted", "publishable"]),
        permissions=languages,
        shown=texts,
    ),
    "webhook_endpoint.created": st.builds(
        EndpointCreated, api_version=maybe, attributes=_endpoint_attributes, created_at=counts, id=ids, secret=texts
    ),
    "webhook_endpoint.updated": st.builds(EndpointUpdated, attributes=_endpoint_attributes),
}
any_event = st.sampled_from(sorted(EVENTS)).flatmap(EVENTS.__getitem__)
