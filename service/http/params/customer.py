"""Parameters of `/v1/customers`."""

import ipaddress
import re
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from events import values
from events.customer.profile import InvoiceSettingsPatch, ProfilePatch
from events.customer.tax_id import COUNT_MAX
from service.http.params import Parameters
from service.http.params.balance import Amount, CashBalance
from service.http.params.fields import (
    Array,
    Boolean,
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
    shortened,
)
from service.http.params.listing import DatedListing
from service.http.params.source import GivenByAnyName, GivenSource
from service.http.params.tax_id import TaxId


class Address(Parameters):
    """A postal address. A part sent empty is kept as the empty string."""

    city: Text | None = None
    """City, district, suburb, town or village."""
    country: Text | None = None
    """Country, as free text; tax needs the two letters of ISO 3166-1."""
    line1: Text | None = None
    """Street and number, or post office box."""
    line2: Text | None = None
    """Flat, suite, unit or building."""
    postal_code: Text | None = None
    """ZIP or postal code."""
    state: Text | None = None
    """State, county, province or region."""

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
    """Shipping address and recipient."""

    address: Annotated[Address, NotEmpty]
    """Shipping address."""
    name: RequiredText
    """Name of the recipient."""
    phone: ClearableText = None
    """Telephone number of who receives them, extension included."""

    def value(self) -> values.Shipping:
        """As the events have it."""
        return values.Shipping(address=self.address.value(), name=self.name, phone=self.phone)


class CustomField(Parameters):
    """A custom field of invoices."""

    name: Annotated[str, Field(max_length=40), NotEmpty]
    """Name of the custom field."""
    value: Annotated[str, Field(max_length=140), NotEmpty]
    """Value of the custom field."""


class RenderingOptions(Parameters):
    """How invoices are rendered."""

    amount_tax_display: Annotated[Literal["exclude_tax", "include_inclusive_tax"] | None, Cleared] = None
    """Whether the amounts of line items include tax."""
    template: ClearableText = None
    """Id of the template that invoices are rendered with."""


class InvoiceSettings(Parameters):
    """Defaults for invoices; merged by sub-key."""

    custom_fields: Annotated[tuple[CustomField, ...] | None, Field(max_length=4), Array, Cleared] = None
    """Lines for every invoice; replaced as a whole."""
    default_payment_method: ClearableText = None
    """Id of the attached payment method that invoices are charged to unless told otherwise."""
    footer: ClearableText = None
    """Text at the foot of every invoice."""
    rendering_options: Annotated[RenderingOptions | None, Cleared] = None
    """How invoices are rendered; replaced as a whole."""

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


PREFIX = re.compile(r"[A-Z0-9]{1,12}")
_PREFIX = Field(json_schema_extra={"pattern": f"^{PREFIX.pattern}$"})


def _prefix(given: str) -> str:
    if not PREFIX.fullmatch(given):
        raise refused("Invalid invoice prefix: it must be 1 to 12 uppercase letters or numbers.")
    return given


def _none_when_empty(given: Any) -> Any:
    return "none" if given == "" else given


_EMPTIED = BeforeValidator(_none_when_empty, json_schema_input_type=Literal["", "none", "exempt", "reverse"])


def _alone(given: str, info: ValidationInfo) -> str:
    if info.data.get("coupon") is not None:
        raise refused(
            "You may only specify one of these parameters: coupon, promotion_code.", code="parameters_exclusive"
        )
    return given


PromotionCode = Annotated[Text, AfterValidator(_alone), NotEmpty]


def _ip_address(given: str | None) -> str | None:
    if given is not None:
        try:
            scoped = "%" in str(ipaddress.ip_address(given))
        except ValueError:
            scoped = True
        if scoped:
            raise refused(f"Invalid IP address: {shortened(given)}")
    return given


class _Tax(Parameters):
    """What create and update share."""

    ip_address: Annotated[Text | None, AfterValidator(_ip_address), Cleared] = None
    """The IP address the customer comes from, of either version."""


class CreateTax(_Tax):
    """What is known for tax alone."""

    validate_location: Annotated[Literal["deferred", "immediately"], NotEmpty] = "deferred"
    """Whether the customer's location must be recognised now, or may be later."""


class UpdateTax(_Tax):
    """What is known for tax alone."""

    validate_location: Annotated[Literal["auto", "deferred", "immediately"], NotEmpty] = "auto"
    """Whether the customer's location must be recognised now, or may be later; `auto` defers it like `deferred`."""


class _Profile(Parameters):
    """What create and update share."""

    address: Annotated[Address | None, Cleared] = None
    """Postal address; replaced as a whole."""
    balance: Amount | None = None
    """Where the customer's balance is to stand, in minor units of its currency: negative for credit."""
    business_name: Annotated[str | None, Field(max_length=150), Cleared] = None
    """Name of the customer's business."""
    cash_balance: Annotated[CashBalance | None, NotEmpty] = None
    """How the customer's cash is matched to what it owes."""
    description: ClearableText = None
    """Description for internal use."""
    email: Email = None
    """Where the customer is written to; need not be unique."""
    expand: Expand = ()
    """Paths of the objects to expand in the response."""
    individual_name: Annotated[str | None, Field(max_length=150), Cleared] = None
    """Name of the individual."""
    invoice_prefix: Annotated[str | None, AfterValidator(_prefix), NotEmpty, _PREFIX] = None
    """What the customer's invoice numbers begin with: 1 to 12 uppercase letters or digits, unique in the account."""
    invoice_settings: Annotated[InvoiceSettings | None, NotEmpty] = None
    """Defaults for invoices; merged by sub-key."""
    metadata: Metadata = None
    """Key-value pairs for your own use; merged by key, and an empty value deletes its key."""
    name: Annotated[str | None, Field(max_length=256), Cleared] = None
    """Full name, or name of the business."""
    next_invoice_sequence: Annotated[Integer | None, Field(ge=1)] = None
    """Number of the customer's next invoice; never runs backwards."""
    phone: Annotated[str | None, Field(max_length=20), Cleared] = None
    """Telephone number, as free text."""
    preferred_locales: Annotated[tuple[Text, ...], ClearableArray] = ()
    """Languages the customer reads, the dearest first; replaced as a whole."""
    shipping: Annotated[Shipping | None, Cleared] = None
    """Where, and to whom, things are sent; replaced as a whole."""
    tax_exempt: Annotated[Literal["none", "exempt", "reverse"], _EMPTIED] = "none"
    """Tax exemption status; `reverse` means that the customer accounts for the tax."""
    validate_: Annotated[Boolean | None, Field(alias="validate")] = None
    """Whether a payment source is to be validated; accepted, and without effect."""

    def patch(self) -> ProfilePatch:
        """What was sent of the attributes, as the events have it."""
        sent: dict[str, Any] = {}
        for name in self.model_fields_set & ATTRIBUTES:
            value = getattr(self, name)
            match value:
                case Address() | Shipping():
                    sent[name] = value.value()
                case InvoiceSettings():
                    if settings := value.patch():
                        sent[name] = settings
                    if "default_payment_method" in value.model_fields_set:
                        sent["default_payment_method"] = value.default_payment_method
                case _:
                    sent[name] = value
        return cast(ProfilePatch, sent)


ATTRIBUTES = frozenset(ProfilePatch.__annotations__)


class CreateCustomer(_Profile, GivenSource):
    """Parameters of `POST /v1/customers`."""

    coupon: Annotated[Text, NotEmpty] | None = None
    """Id of a coupon to redeem for a discount."""
    payment_method: Annotated[Text, NotEmpty] | None = None
    """Id of a payment method to attach."""
    promotion_code: PromotionCode | None = None
    """Id of a promotion code to redeem for a discount."""
    tax: Annotated[CreateTax, NotEmpty] | None = None
    """What is known for tax alone."""
    tax_id_data: Annotated[tuple[TaxId, ...], Field(max_length=COUNT_MAX), Array, NotEmpty] = ()
    """Tax ids that the customer has from the beginning."""
    test_clock: Annotated[Text, NotEmpty] | None = None
    """Id of the test clock on whose time the customer lives."""


class UpdateCustomer(_Profile, GivenByAnyName):
    """Parameters of `POST /v1/customers/{customer}`."""

    coupon: Text | None = None
    """Id of a coupon to redeem for a discount in place of any other; empty to remove the discount."""
    default_source: Annotated[str, Field(max_length=500), NotEmpty] | None = None
    """Id of the card or bank account, one of the customer's own, that is charged by default."""
    promotion_code: PromotionCode | None = None
    """Id of a promotion code to redeem for a discount in place of any other."""
    tax: Annotated[UpdateTax, NotEmpty] | None = None
    """What is known for tax alone; merged by sub-key."""


class RetrieveCustomer(Parameters):
    """Parameters of `GET /v1/customers/{customer}`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class DeleteCustomer(Parameters):
    """Parameters of `DELETE /v1/customers/{customer}`; there is nothing to expand in what is left."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class ListCustomers(DatedListing):
    """Parameters of `GET /v1/customers`."""

    email: Annotated[str, Field(max_length=512), NotEmpty] | None = None
    """Only customers of exactly this address; capitals and small letters differ."""
    test_clock: Annotated[Text, NotEmpty] | None = None
    """Only customers that live on this test clock's time; without it, only those that live on everybody's."""
