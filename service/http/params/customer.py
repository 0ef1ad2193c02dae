"""Parameters of `/v1/customers`."""

import ipaddress
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from events import values
from events.customer.profile import InvoiceSettingsPatch, ProfilePatch
from events.customer.tax_id import COUNT_MAX
from service.commands.customer import Facet, NewCustomer
from service.commands.customer.balance import BringBalance
from service.commands.customer.discount import ApplyCoupon, ApplyPromotionCode, DropDiscount
from service.commands.customer.payment_method import BringPaymentMethod
from service.commands.customer.source import BringSource, ChooseDefaultSource
from service.commands.customer.tax import RecogniseLocation, RememberAddress
from service.commands.customer.tax_ids import BringTaxIds
from service.commands.customer.testclock import LiveUnder
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
    """Phone number of the recipient, including extension."""

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
    """Custom fields of invoices; replaced as a whole."""
    default_payment_method: ClearableText = None
    """Id of the attached payment method that is the default for invoices."""
    footer: ClearableText = None
    """Text at the foot of every invoice."""
    rendering_options: Annotated[RenderingOptions | None, Cleared] = None
    """How invoices are rendered; replaced as a whole."""

    def patch(self) -> InvoiceSettingsPatch:
        """The parsed attributes of the request."""
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


LOCALES_MAX = 50
# A language tag (RFC 5646), which has 35 characters where it is long; what it says is not looked into.
Locale = Annotated[str, Field(max_length=100)]
PREFIX_CHARACTERS_MAX = 12
PREFIX = re.compile(rf"[A-Z0-9]{{1,{PREFIX_CHARACTERS_MAX}}}")
_PREFIX = Field(max_length=PREFIX_CHARACTERS_MAX, json_schema_extra={"pattern": f"^{PREFIX.pattern}$"})


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
    """IP address of the customer, IPv4 or IPv6."""

    def facets(self, patch: ProfilePatch, when: str) -> Iterator[Facet]:
        """What was asked for; `when` is when the location must be recognised."""
        if "ip_address" in self.model_fields_set:
            yield RememberAddress(self.ip_address)
        if when == "immediately":
            yield RecogniseLocation(patch)


class CreateTax(_Tax):
    """Tax details of the customer."""

    validate_location: Annotated[Literal["deferred", "immediately"], NotEmpty] = "deferred"
    """When the location of the customer is validated."""


class UpdateTax(_Tax):
    """Tax details of the customer."""

    validate_location: Annotated[Literal["auto", "deferred", "immediately"], NotEmpty] = "auto"
    """When the location of the customer is validated; `auto` is equivalent to `deferred`."""


class _Profile(Parameters):
    """What create and update share."""

    address: Annotated[Address | None, Cleared] = None
    """Postal address; replaced as a whole."""
    balance: Amount | None = None
    """Balance to set, in minor units of the currency of the customer; a negative balance is a credit."""
    business_name: Annotated[str | None, Field(max_length=150), Cleared] = None
    """Name of the customer's business."""
    cash_balance: Annotated[CashBalance | None, NotEmpty] = None
    """Settings of the cash balance."""
    description: ClearableText = None
    """Description for internal use."""
    email: Email = None
    """Email address of the customer; need not be unique."""
    expand: Expand = ()
    """Paths of the objects to expand in the response."""
    individual_name: Annotated[str | None, Field(max_length=150), Cleared] = None
    """Name of the individual."""
    invoice_prefix: Annotated[str | None, AfterValidator(_prefix), NotEmpty, _PREFIX] = None
    """Prefix of the invoice numbers of the customer: 1 to 12 uppercase letters or digits, unique within the account."""
    invoice_settings: Annotated[InvoiceSettings | None, NotEmpty] = None
    """Defaults for invoices; merged by sub-key."""
    metadata: Metadata = None
    """Key-value pairs for your own use; merged by key, and an empty value deletes its key."""
    name: Annotated[str | None, Field(max_length=256), Cleared] = None
    """Full name, or name of the business."""
    next_invoice_sequence: Annotated[Integer | None, Field(ge=1)] = None
    """Number of the customer's next invoice; it can only increase."""
    phone: Annotated[str | None, Field(max_length=20), Cleared] = None
    """Phone number, as free text."""
    preferred_locales: Annotated[tuple[Locale, ...], Field(max_length=LOCALES_MAX), ClearableArray] = ()
    """Preferred languages of the customer, in order of preference; replaced as a whole."""
    shipping: Annotated[Shipping | None, Cleared] = None
    """Shipping address and recipient; replaced as a whole."""
    tax_exempt: Annotated[Literal["none", "exempt", "reverse"], _EMPTIED] = "none"
    """Tax exemption status; `reverse` means that the customer accounts for the tax."""
    validate_: Annotated[Boolean | None, Field(alias="validate")] = None
    """Whether to validate the payment source; accepted, without effect."""

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

    def _balances(self, type: Literal["initial", "adjustment"]) -> Iterator[Facet]:
        if self.balance is not None:
            yield BringBalance(self.balance, type)
        if self.cash_balance is not None and (reconcile := self.cash_balance.reconcile()) is not None:
            yield reconcile


ATTRIBUTES = frozenset(ProfilePatch.__annotations__)
ATTRIBUTES_ALONE = ATTRIBUTES | {"expand", "validate_"}  # what no facet is made of


class CreateCustomer(_Profile, GivenSource):
    """Parameters of `POST /v1/customers`."""

    coupon: Annotated[Text, NotEmpty] | None = None
    """Id of a coupon to redeem for a discount."""
    payment_method: Annotated[Text, NotEmpty] | None = None
    """Id of a payment method to attach."""
    promotion_code: PromotionCode | None = None
    """Id of a promotion code to redeem for a discount."""
    tax: Annotated[CreateTax, NotEmpty] | None = None
    """Tax details of the customer."""
    tax_id_data: Annotated[tuple[TaxId, ...], Field(max_length=COUNT_MAX), Array, NotEmpty] = ()
    """Tax ids to create with the customer."""
    test_clock: Annotated[Text, NotEmpty] | None = None
    """Id of the test clock to attach the customer to."""

    def command(self) -> NewCustomer:
        """The parameters of the new customer."""
        patch = self.patch()
        if self.model_fields_set <= ATTRIBUTES_ALONE:
            return NewCustomer(patch)
        return NewCustomer(patch, tuple(self._facets(patch)), self.test_clock, self.payment_method)

    def _facets(self, patch: ProfilePatch) -> Iterator[Facet]:
        if self.test_clock is not None:
            yield LiveUnder(self.test_clock)
        yield from self._balances("initial")
        if (source := self.given()) is not None:
            yield BringSource(source, replaces=False)
        if self.payment_method is not None:
            yield BringPaymentMethod(self.payment_method)
        if self.coupon is not None:
            yield ApplyCoupon(self.coupon)
        elif self.promotion_code is not None:
            yield ApplyPromotionCode(self.promotion_code)
        if self.tax_id_data:
            yield BringTaxIds([given.number() for given in self.tax_id_data])
        if self.tax is not None:
            yield from self.tax.facets(patch, self.tax.validate_location)


class UpdateCustomer(_Profile, GivenByAnyName):
    """Parameters of `POST /v1/customers/{customer}`."""

    coupon: Text | None = None
    """Id of a coupon to redeem; replaces the discount of the customer. Empty removes the discount."""
    default_source: Annotated[str, Field(max_length=500), NotEmpty] | None = None
    """Id of the customer's card or bank account to use as the default source."""
    promotion_code: PromotionCode | None = None
    """Id of a promotion code to redeem; replaces the discount of the customer."""
    tax: Annotated[UpdateTax, NotEmpty] | None = None
    """Tax details of the customer; merged by sub-key."""

    def facets(self, patch: ProfilePatch) -> tuple[Facet, ...]:
        """The facets of the request, besides the attributes in `patch`, in the order in which they are applied."""
        return () if self.model_fields_set <= ATTRIBUTES_ALONE else tuple(self._facets(patch))

    def _facets(self, patch: ProfilePatch) -> Iterator[Facet]:
        yield from self._balances("adjustment")
        if (source := self.given()) is not None:
            yield BringSource(source, replaces=True)
        if self.default_source is not None:
            yield ChooseDefaultSource(self.default_source)
        if self.coupon == "":
            yield DropDiscount()
        elif self.coupon is not None:
            yield ApplyCoupon(self.coupon)
        elif self.promotion_code is not None:
            yield ApplyPromotionCode(self.promotion_code)
        if self.tax is not None:
            yield from self.tax.facets(patch, self.tax.validate_location)


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
    """Filter by email address; an exact, case-sensitive match."""
    test_clock: Annotated[Text, NotEmpty] | None = None
    """Filter by test clock; without it, only customers without a test clock are listed."""
