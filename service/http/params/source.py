"""Parameters of `/v1/customers/{customer}/sources`, and of `cards` and `bank_accounts` in its place."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from events.customer.source import SourcePatch
from events.errors import Refusal
from service.commands.cards import NewExpiry
from service.commands.customer.source import NewSource
from service.http.params import Parameters
from service.http.params.card import (
    BankAccountOrToken,
    CardAddress,
    CardOrToken,
    Given,
    Hidden,
    HolderType,
    SourceOrToken,
)
from service.http.params.fields import Array, Boolean, ClearableText, Expand, Integer, Metadata, NotEmpty, refused
from service.http.params.listing import Listing

NAMES = ("bank_account", "card", "source")


class GivenSource(Parameters):
    """A card or bank account."""

    source: SourceOrToken | None = None
    """Token, or a hash of a card or bank account with its `object`."""

    def given(self, metadata: Mapping[str, str] | None = None) -> NewSource | None:
        """What was sent, with more metadata than its own."""
        for name in NAMES:
            if name in self.model_fields_set:
                given: Given = getattr(self, name)
                if isinstance(given, str):
                    return NewSource(name, given, metadata or {})
                return NewSource(name, given.value(), {**(given.metadata or {}), **(metadata or {})})
        return None


class GivenByAnyName(GivenSource):
    """A card or bank account, by any of its three names; by one at most."""

    card: CardOrToken | None = None
    """Token, or a hash of a card."""
    bank_account: BankAccountOrToken | None = None
    """Token, or a hash of a bank account."""

    @field_validator("card", "bank_account")
    @classmethod
    def _alone(cls, given: Given, info: ValidationInfo) -> Given:
        others = [name for name in NAMES if info.data.get(name) is not None]
        if others:
            raise refused(
                f"You may only specify one of these parameters: {', '.join((*others, str(info.field_name)))}.",
                code="parameters_exclusive",
            )
        return given


class CreateSource(GivenByAnyName):
    """Parameters of `POST /v1/customers/{customer}/sources`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""
    metadata: Metadata = None
    """Key-value pairs for your own use."""
    validate_: Annotated[Boolean | None, Field(alias="validate")] = None
    """Whether to validate the source; accepted, without effect."""

    def required(self) -> NewSource:
        """The source that was sent. Raises Refusal unless it is exactly one."""
        given = self.given(self.metadata)
        if given is None:
            raise Refusal("Missing required param: source.", code="parameter_missing", param="source")
        return given


class UpdateSource(CardAddress):
    """Parameters of `POST /v1/customers/{customer}/sources/{id}`."""

    account_holder_name: ClearableText = None
    """Full name of the holder of a bank account."""
    account_holder_type: HolderType = None
    """Whether the holder of a bank account is a company or an individual."""
    exp_month: Hidden | None = None
    """Expiration month of a card."""
    exp_year: Hidden | None = None
    """Expiration year of a card, of two or four digits."""
    expand: Expand = ()
    """Paths of the objects to expand in the response."""
    metadata: Metadata = None
    """Key-value pairs for your own use; merged by key, and an empty value deletes its key."""

    def patch(self) -> SourcePatch:
        """The parsed attributes, without the expiry."""
        sent = self.model_fields_set
        patch: SourcePatch = {}
        if "account_holder_name" in sent:
            patch["account_holder_name"] = self.account_holder_name
        if "account_holder_type" in sent:
            patch["account_holder_type"] = self.account_holder_type
        if "metadata" in sent:
            patch["metadata"] = self.metadata
        if "name" in sent:
            patch["name"] = self.name
        if address := self.address():
            patch["address"] = address
        return patch

    def expiry(self) -> NewExpiry:
        """When the card is to expire."""
        return NewExpiry(self.exp_month, self.exp_year)


class RetrieveSource(Parameters):
    """Parameters of `GET /v1/customers/{customer}/sources/{id}`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class DeleteSource(Parameters):
    """Parameters of `DELETE /v1/customers/{customer}/sources/{id}`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class VerifySource(Parameters):
    """Parameters of `POST /v1/customers/{customer}/sources/{id}/verify`."""

    amounts: Annotated[tuple[Integer, ...], Field(min_length=1, max_length=2), Array, NotEmpty]
    """Amounts of the two micro-deposits, in minor units."""
    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class ListCards(Listing):
    """Parameters of `GET /v1/customers/{customer}/cards` and `.../bank_accounts`."""


class ListSources(Listing):
    """Parameters of `GET /v1/customers/{customer}/sources`."""

    object: Annotated[Literal["bank_account", "card", "source"], NotEmpty] | None = None
    """Filter by type."""
