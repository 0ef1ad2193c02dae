"""Parameters of `/v1/promotion_codes`."""

import re
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field

from events import promotion_code as domain
from events.currencies import CURRENCIES
from events.errors import Refusal
from events.promotion_code import PromotionCodePatch
from service.commands.promotion_codes import NewPromotionCode
from service.http.params import Parameters
from service.http.params.coupon import by_currency, missing
from service.http.params.fields import Boolean, Currency, Expand, Integer, Metadata, NotEmpty, Text, refused
from service.http.params.listing import DatedListing

CODE = re.compile(r"[A-Za-z0-9-]+", re.ASCII)


def _code(given: str) -> str:
    if not CODE.fullmatch(given):
        raise refused("Invalid promotion code: only letters, digits and dashes are allowed.")
    return given


class MinimumAmount(Parameters):
    """Minimum amount of a purchase in another currency."""

    minimum_amount: Annotated[Integer, Field(ge=1)] | None = None
    """Minimum amount, in minor units."""


CurrencyOptions = Annotated[
    dict[str, MinimumAmount], Field(max_length=len(CURRENCIES)), BeforeValidator(by_currency), NotEmpty
]


def _minimums(options: dict[str, MinimumAmount] | None) -> dict[str, int]:
    return {
        name: option.minimum_amount for name, option in (options or {}).items() if option.minimum_amount is not None
    }


class Promotion(Parameters):
    """Promotion of the code."""

    coupon: Annotated[Text, NotEmpty] | None = None
    """Id of the coupon."""
    type: Annotated[Literal["coupon"], NotEmpty]
    """Type of the object."""


class Restrictions(Parameters):
    """Restrictions on the redemption of the promotion code."""

    currency_options: CurrencyOptions | None = None
    """Minimum amounts in other currencies, by currency."""
    first_time_transaction: Boolean = False
    """Whether it is restricted to first-time customers."""
    minimum_amount: Annotated[Integer, Field(ge=1)] | None = None
    """Minimum amount of a purchase, in minor units."""
    minimum_amount_currency: Currency | None = None
    """Currency of the minimum amount, in three letters of ISO 4217."""

    def value(self) -> domain.Restrictions:
        """As the events have it."""
        return domain.Restrictions(
            currency_options=_minimums(self.currency_options),
            first_time_transaction=self.first_time_transaction,
            minimum_amount=self.minimum_amount,
            minimum_amount_currency=self.minimum_amount_currency,
        )


class ChangedRestrictions(Parameters):
    """Restrictions that can be updated."""

    currency_options: CurrencyOptions | None = None
    """Minimum amounts in other currencies, by currency; merged by currency."""


class CouponReference(NamedTuple):
    """A coupon as a request named it, and by which parameter."""

    id: str
    param: str


class CreatePromotionCode(Parameters):
    """Parameters of `POST /v1/promotion_codes`."""

    active: Boolean = True
    """Whether it can be redeemed."""
    code: Annotated[str, Field(max_length=500), AfterValidator(_code), NotEmpty] | None = None
    """Code that customers enter; unique among active codes, case-insensitive. Generated unless it is set."""
    coupon: Annotated[Text, NotEmpty] | None = None
    """Id of the coupon of the code; newer API versions use `promotion`."""
    customer: Annotated[Text, NotEmpty] | None = None
    """Id of the customer that it is restricted to; the default is no restriction."""
    expand: Expand = ()
    """Paths of the objects to expand in the response."""
    expires_at: Integer | None = None
    """Time after which it cannot be redeemed, in Unix seconds."""
    max_redemptions: Annotated[Integer, Field(ge=1)] | None = None
    """Maximum number of redemptions by all customers."""
    metadata: Metadata = None
    """Key-value pairs for your own use."""
    promotion: Annotated[Promotion, NotEmpty] | None = None
    """Promotion of the code."""
    restrictions: Annotated[Restrictions, NotEmpty] | None = None
    """Restrictions on its redemption."""

    def command(self) -> NewPromotionCode:
        """The parameters of the new promotion code. Raises Refusal for contradictory parameters."""
        named = self._named()
        return NewPromotionCode(
            active=self.active,
            code=self.code,
            coupon=named.id,
            customer=self.customer,
            expires_at=self.expires_at,
            max_redemptions=self.max_redemptions,
            metadata=self.metadata,
            param=named.param,
            restrictions=self.restrictions.value() if self.restrictions else domain.Restrictions(),
        )

    def _named(self) -> CouponReference:
        """The coupon of the code. Raises Refusal if none or two were sent, or restrictions are incomplete."""
        if self.restrictions is not None:
            amount, currency = self.restrictions.minimum_amount, self.restrictions.minimum_amount_currency
            if amount is not None and currency is None:
                raise missing("restrictions[minimum_amount_currency]", "A minimum amount needs a currency.")
            if currency is not None and amount is None:
                raise missing("restrictions[minimum_amount]", "A currency needs a minimum amount.")
        if self.coupon is not None and self.promotion is not None:
            raise Refusal(
                "You may only specify one of these parameters: coupon, promotion.",
                code="parameters_exclusive",
                param="coupon",
            )
        if self.coupon is not None:
            return CouponReference(self.coupon, "coupon")
        if self.promotion is None:
            raise missing("promotion", "A promotion code must have a coupon.")
        if self.promotion.coupon is None:
            raise missing("promotion[coupon]", "A promotion code must have a coupon.")
        return CouponReference(self.promotion.coupon, "promotion[coupon]")


class UpdatePromotionCode(Parameters):
    """Parameters of `POST /v1/promotion_codes/{promotion_code}`."""

    active: Boolean | None = None
    """Whether it can be redeemed; an expired or exhausted code cannot be reactivated."""
    expand: Expand = ()
    """Paths of the objects to expand in the response."""
    metadata: Metadata = None
    """Key-value pairs for your own use; merged by key, and an empty value deletes its key."""
    restrictions: Annotated[ChangedRestrictions, NotEmpty] | None = None
    """Restrictions to update."""

    def patch(self) -> PromotionCodePatch:
        """The parsed parameters, as the domain takes them."""
        patch: PromotionCodePatch = {}
        if self.active is not None:
            patch["active"] = self.active
        if "metadata" in self.model_fields_set:
            patch["metadata"] = self.metadata
        if self.restrictions is not None:
            patch["currency_options"] = _minimums(self.restrictions.currency_options)
        return patch


class RetrievePromotionCode(Parameters):
    """Parameters of `GET /v1/promotion_codes/{promotion_code}`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class ListPromotionCodes(DatedListing):
    """Parameters of `GET /v1/promotion_codes`."""

    active: Boolean | None = None
    """Filter by `active`."""
    code: Annotated[Text, NotEmpty] | None = None
    """Filter by code, case-insensitive."""
    coupon: Annotated[Text, NotEmpty] | None = None
    """Filter by the id of the coupon."""
    customer: Annotated[Text, NotEmpty] | None = None
    """Filter by the id of the customer."""

    def facts(self) -> dict[str, object]:
        """The facts to filter by, other than the code."""
        given: dict[str, object | None] = {
            "active": self.active,
            "coupon": self.coupon,
            "customer": self.customer,
        }
        return {name: value for name, value in given.items() if value is not None}
