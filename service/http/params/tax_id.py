"""Parameters of `/v1/customers/{customer}/tax_ids` and `/v1/tax_ids`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from events import tax_id_types
from events.errors import Refusal
from service.commands import tax_id_formats
from service.commands.customer.tax_ids import NewTaxId
from service.http.params import Parameters
from service.http.params.fields import Expand, NotEmpty, RequiredText, Text, refused, shortened
from service.http.params.listing import Listing

TYPES = sorted(tax_id_types.SHAPES)


def _known(given: str) -> str:
    if given not in tax_id_types.SHAPES:
        raise refused(f"Invalid type: {shortened(given)}; must be one of {', '.join(TYPES)}")
    return given


class TaxId(Parameters):
    """A number and its type."""

    type: Annotated[RequiredText, AfterValidator(_known), Field(json_schema_extra={"enum": list(TYPES)})]
    """Type of the tax id, such as `eu_vat` or `us_ein`."""
    value: RequiredText
    """Value of the tax id."""

    @field_validator("value")
    @classmethod
    def _is_one(cls, given: str, info: ValidationInfo) -> str:
        type = info.data.get("type")  # absent when it is at fault itself
        if type is not None and tax_id_formats.number(type, given) is None:
            raise refused(f"Invalid value for {type}.", code="tax_id_invalid")
        return given

    def number(self) -> NewTaxId:
        """The normalized value, and its type."""
        number = tax_id_formats.number(self.type, self.value)
        assert number is not None, "the value was looked at when it was parsed"
        return NewTaxId(self.type, number)


class CreateTaxId(TaxId):
    """Parameters of `POST /v1/customers/{customer}/tax_ids`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class RetrieveTaxId(Parameters):
    """Parameters of `GET /v1/customers/{customer}/tax_ids/{tax_id}` and `GET /v1/tax_ids/{tax_id}`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class DeleteTaxId(Parameters):
    """Parameters of `DELETE /v1/customers/{customer}/tax_ids/{tax_id}` and `DELETE /v1/tax_ids/{tax_id}`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class ListTaxIds(Listing):
    """Parameters of `GET /v1/customers/{customer}/tax_ids`."""


class Owner(Parameters):
    """Owner of a tax id."""

    type: Annotated[Literal["account", "application", "customer", "self"], NotEmpty]
    """Type of the owner: `self` for the account, or `customer`."""
    account: Annotated[Text, NotEmpty] | None = None
    """Id of the connected account; there are none."""
    customer: Annotated[Text, NotEmpty] | None = None
    """Id of the customer that owns it."""
    customer_account: Annotated[Text, NotEmpty] | None = None
    """Id of the account that represents the customer; there are none."""

    def customer_id(self) -> str | None:
        """The customer it is of; None for the account's own. Raises Refusal for owners that there cannot be."""
        if self.type in ("account", "application"):
            message = (
                f"Tax IDs that belong to an {self.type} are not supported: the owner must be 'self' or 'customer'."
            )
            raise Refusal(message, param="owner[type]")
        for name in ("account", "customer_account"):
            if getattr(self, name) is not None:
                raise Refusal(f"The owner of a tax ID cannot be specified with '{name}' here.", param=f"owner[{name}]")
        if self.type == "self":
            if self.customer is not None:
                raise Refusal("owner[customer] requires the owner type 'customer'.", param="owner[customer]")
            return None
        if self.customer is None:
            message = "Missing required param: owner[customer]."
            raise Refusal(message, code="parameter_missing", param="owner[customer]")
        return self.customer


class _Owned(Parameters):
    """The owner of the tax ids to list."""

    owner: Annotated[Owner, NotEmpty] | None = None
    """Filter by owner; the default is the account itself."""

    def customer_id(self) -> str | None:
        """The customer they are of; None for the account's own. Raises Refusal for owners that there cannot be."""
        return self.owner.customer_id() if self.owner is not None else None


class CreateOwnedTaxId(CreateTaxId, _Owned):
    """Parameters of `POST /v1/tax_ids`."""


class ListOwnedTaxIds(ListTaxIds, _Owned):
    """Parameters of `GET /v1/tax_ids`."""
