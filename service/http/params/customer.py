"""Parameters of `/v1/customers`."""

import re
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Field

from events import values
from events.customer.profile import InvoiceSettingsPatch, ProfilePatch
from service.http.params import Parameters
from service.http.params.kinds import (
    Array,
    ClearableArray,
    ClearableText,
    Cleared,
    Email,
    Expand,
    Integer,
    Metadata,
    NotEmpty,
    RequiredText,
    Text,
    refused,
)
from service.http.params.listing import DatedListing


class Address(Parameters):
    """A postal address. A part sent empty is kept as the empty string."""

    city: Text | None = None
    country: Text | None = None
    line1: Text | None = None
    line2: Text | None = None
    postal_code: Text | None = None
    state: Text | None = None

    def value(self) -> values.Address:
        """As the events have it."""
        return values.Address(
            city=self.city,
            country=self.country,
            line1=self.line1,
            line2=self.line2,
            postal_code=self.postal_code,
            state=self.state,
        )


class Shipping(Parameters):
    """Where, and to whom, things are sent."""

    address: Annotated[Address, NotEmpty]
    name: RequiredText
    phone: ClearableText = None

    def value(self) -> values.Shipping:
        """As the events have it."""
        return values.Shipping(address=self.address.value(), name=self.name, phone=self.phone)


class CustomField(Parameters):
    """One line for every invoice."""

    name: Annotated[str, Field(max_length=40), NotEmpty]
    value: Annotated[str, Field(max_length=140), NotEmpty]


class RenderingOptions(Parameters):
    """How invoices are rendered."""

    amount_tax_display: Annotated[Literal["exclude_tax", "include_inclusive_tax"] | None, Cleared] = None
    template: ClearableText = None


class InvoiceSettings(Parameters):
    """Defaults for invoices; merged by sub-key."""

    custom_fields: Annotated[tuple[CustomField, ...] | None, Field(max_length=4), Array, Cleared] = None
    footer: ClearableText = None
    rendering_options: Annotated[RenderingOptions | None, Cleared] = None

    def patch(self) -> InvoiceSettingsPatch:
        """What was sent of it."""
        patch: InvoiceSettingsPatch = {}
        if "custom_fields" in self.model_fields_set:
            lines = self.custom_fields
            patch["custom_fields"] = (
                tuple(values.CustomField(name=line.name, value=line.value) for line in lines) if lines else None
            )
        if "footer" in self.model_fields_set:
            patch["footer"] = self.footer
        if "rendering_options" in self.model_fields_set:
            options = self.rendering_options
            patch["rendering_options"] = (
                values.RenderingOptions(amount_tax_display=options.amount_tax_display, template=options.template)
                if options
                else None
            )
        return patch


def _prefix(given: str) -> str:
    if not re.fullmatch(r"[A-Z0-9]{1,12}", given):
        raise refused("Invalid invoice prefix: it must be 1 to 12 uppercase letters or numbers.")
    return given


def _none_when_empty(given: Any) -> Any:
    return "none" if given == "" else given


class _Profile(Parameters):
    """What create and update share."""

    address: Annotated[Address | None, Cleared] = None
    business_name: Annotated[str | None, Field(max_length=150), Cleared] = None
    description: ClearableText = None
    email: Email = None
    expand: Expand = ()
    individual_name: Annotated[str | None, Field(max_length=150), Cleared] = None
    invoice_prefix: Annotated[str | None, AfterValidator(_prefix), NotEmpty] = None
    invoice_settings: Annotated[InvoiceSettings | None, NotEmpty] = None
    metadata: Metadata = None
    name: Annotated[str | None, Field(max_length=256), Cleared] = None
    next_invoice_sequence: Annotated[Integer | None, Field(ge=1)] = None
    phone: Annotated[str | None, Field(max_length=20), Cleared] = None
    preferred_locales: Annotated[tuple[Text, ...], ClearableArray] = ()
    shipping: Annotated[Shipping | None, Cleared] = None
    tax_exempt: Annotated[Literal["none", "exempt", "reverse"], BeforeValidator(_none_when_empty)] = "none"

    def patch(self) -> ProfilePatch:
        """What was sent, as the events have it."""
        sent: dict[str, Any] = {}
        for name in self.model_fields_set:
            value = getattr(self, name)
            match value:
                case Address() | Shipping():
                    sent[name] = value.value()
                case InvoiceSettings():
                    sent[name] = value.patch()
                case _:
                    sent[name] = value
        sent.pop("expand", None)
        return cast(ProfilePatch, sent)


class CreateCustomer(_Profile):
    """Parameters of `POST /v1/customers`."""


class UpdateCustomer(_Profile):
    """Parameters of `POST /v1/customers/{customer}`."""


class RetrieveCustomer(Parameters):
    """Parameters of `GET /v1/customers/{customer}`."""

    expand: Expand = ()


class DeleteCustomer(Parameters):
    """Parameters of `DELETE /v1/customers/{customer}`; there is nothing to expand in what is left."""

    expand: Expand = ()


class ListCustomers(DatedListing):
    """Parameters of `GET /v1/customers`."""

    email: Annotated[str, Field(max_length=512), NotEmpty] | None = None
