"""Value objects of events: plain, frozen, and validated by the parser that created them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A postal address; a part never sent is None, a part sent empty is the empty string."""

    city: str | None = None
    country: str | None = None
    line1: str | None = None
    line2: str | None = None
    postal_code: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipping:
    """A shipping address and its recipient."""

    address: Address
    name: str
    phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomField:
    """One line that the customer wants on every invoice."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderingOptions:
    """How invoices are rendered for the customer."""

    amount_tax_display: str | None = None
    template: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceSettings:
    """The customer's defaults for invoices."""

    custom_fields: tuple[CustomField, ...] | None = None
    footer: str | None = None
    rendering_options: RenderingOptions | None = None
