"""Parameters of `/v1/coupons`."""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from events import coupon as domain
from events.coupon import CouponPatch, Terms
from events.currencies import CURRENCIES
from events.errors import Refusal
from service.http.params import Parameters
from service.http.params.fields import (
    Array,
    Cleared,
    Currency,
    Expand,
    Id,
    Integer,
    Metadata,
    NotEmpty,
    currency,
    refused,
)
from service.http.params.listing import DatedListing

DECIMAL = re.compile(r"\d{1,3}(\.\d{1,20})?", re.ASCII)
MONTHS_MAX = 1200
PRODUCTS_MAX = 100
PERCENT_CHARACTERS_MAX = 24  # of DECIMAL
PATHS = (".", "..")  # no address ends in these


def _percent(given: Any) -> Any:
    if not isinstance(given, str) or not DECIMAL.fullmatch(given):
        raise refused(f"Invalid decimal: {given}")
    if not 0 < Decimal(given) <= 100:
        raise refused("A percentage off must be greater than 0 and at most 100.")
    return f"{Decimal(given).normalize():f}"


def _id(given: Any) -> Any:
    if isinstance(given, str) and given and (not given.isprintable() or given in PATHS):
        raise refused("Invalid coupon id: only printable characters are allowed.")
    return given


def by_currency(given: Any) -> Any:
    """A hash by currency, in small letters."""
    if not isinstance(given, dict):
        return given
    return {currency(name): value for name, value in given.items()}


class AmountOff(Parameters):
    """Amount of the discount in another currency."""

    amount_off: Annotated[Integer, Field(ge=1)]
    """Amount of the discount, in minor units."""


class AppliesTo(Parameters):
    """Products that the coupon applies to."""

    products: Annotated[tuple[Id, ...], Field(max_length=PRODUCTS_MAX), Array] = ()
    """Ids of the products that the coupon applies to."""


CurrencyOptions = Annotated[
    dict[str, AmountOff], Field(max_length=len(CURRENCIES)), BeforeValidator(by_currency), NotEmpty
]
Name = Annotated[str | None, Field(max_length=40), Cleared]
Percent = Annotated[float, Field(gt=0, le=100)]


class _Attributes(Parameters):
    """What create and update share."""

    currency_options: CurrencyOptions | None = None
    """Amounts of the discount in other currencies, by currency; merged by currency."""
    expand: Expand = ()
    """Paths of the objects to expand in the response."""
    metadata: Metadata = None
    """Key-value pairs for your own use; merged by key, and an empty value deletes its key."""
    name: Name = None
    """Name of the coupon on invoices and receipts."""

    def patch(self) -> CouponPatch:
        """The parsed parameters, as the domain takes them."""
        patch: CouponPatch = {}
        if self.currency_options is not None:
            patch["currency_options"] = {name: option.amount_off for name, option in self.currency_options.items()}
        if "metadata" in self.model_fields_set:
            patch["metadata"] = self.metadata
        if "name" in self.model_fields_set:
            patch["name"] = self.name
        return patch


class CreateCoupon(_Attributes):
    """Parameters of `POST /v1/coupons`."""

    amount_off: Annotated[Integer, Field(ge=1)] | None = None
    """Amount of the discount, in minor units."""
    applies_to: Annotated[AppliesTo, NotEmpty] | None = None
    """Products that the coupon applies to; the default is all."""
    currency: Currency | None = None
    """Currency of `amount_off`, in three letters of ISO 4217."""
    duration: Annotated[Literal["forever", "once", "repeating"], NotEmpty] = "once"
    """Duration of a discount of this coupon."""
    duration_in_months: Annotated[Integer, Field(ge=1, le=MONTHS_MAX)] | None = None
    """Number of months of the discount, if `duration` is `repeating`."""
    id: Annotated[str, Field(max_length=255), BeforeValidator(_id), NotEmpty] | None = None
    """Unique identifier of the coupon; generated unless it is set."""
    max_redemptions: Annotated[Integer, Field(ge=1)] | None = None
    """Maximum number of redemptions by all customers."""
    percent_off: (
        Annotated[
            str,
            Field(max_length=PERCENT_CHARACTERS_MAX),
            BeforeValidator(_percent, json_schema_input_type=Percent),
        ]
        | None
    ) = None
    """Percentage of the discount, above 0 and up to 100; fractions are allowed."""
    redeem_by: Integer | None = None
    """Time after which it cannot be redeemed, in Unix seconds."""

    def offer(self, id: str, created: int) -> domain.CreateCoupon:
        """The coupon that was asked for, called `id` unless it was given one."""
        return domain.CreateCoupon(
            applies_to=self.applies_to.products if self.applies_to is not None else (),
            created=created,
            max_redemptions=self.max_redemptions,
            patch=self.patch(),
            redeem_by=self.redeem_by,
            terms=Terms(
                amount_off=self.amount_off,
                currency=self.currency if self.amount_off is not None else None,
                duration=self.duration,
                duration_in_months=self.duration_in_months,
                id=self.id or id,
                percent_off=self.percent_off,
            ),
        )

    def check(self) -> None:
        """Raises Refusal when what was sent does not go together."""
        if self.amount_off is not None and self.percent_off is not None:
            raise Refusal(
                "You may only specify one of these parameters: amount_off, percent_off.",
                code="parameters_exclusive",
                param="percent_off",
            )
        if self.amount_off is None:
            if self.percent_off is None:
                raise missing("percent_off", "A coupon must have either percent_off or amount_off.")
            if self.currency_options:
                raise Refusal("Only a coupon with an amount off can have currency options.", param="currency_options")
        elif self.currency is None:
            raise missing("currency", "An amount off needs a currency.")
        if self.duration == "repeating" and self.duration_in_months is None:
            raise missing("duration_in_months", "A repeating discount needs duration_in_months.")
        if self.duration != "repeating" and self.duration_in_months is not None:
            raise Refusal("Only a repeating discount can have duration_in_months.", param="duration_in_months")


class UpdateCoupon(_Attributes):
    """Parameters of `POST /v1/coupons/{coupon}`."""


class RetrieveCoupon(Parameters):
    """Parameters of `GET /v1/coupons/{coupon}`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class DeleteCoupon(Parameters):
    """Parameters of `DELETE /v1/coupons/{coupon}`; there is nothing to expand in what is left."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class ListCoupons(DatedListing):
    """Parameters of `GET /v1/coupons`."""


def missing(param: str, why: str) -> Refusal:
    """The refusal of a request without a parameter that others make necessary."""
    return Refusal(f"Missing required param: {param}. {why}", code="parameter_missing", param=param)
