"""Base classes of response schemas: exactly these attributes, without coercion."""

from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

ABSENT: Any = None  # the value of a property that an answer may leave out; where it is there, it is as its type says


def _optional(schema: dict[str, Any]) -> None:
    """A property that may be left out has no default: it is not there."""
    for property in schema.get("properties", {}).values():
        property.pop("default", None)


class Shape(BaseModel):
    """An object of an answer, in the newest version of the API; what stands under a field is its public description."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, json_schema_extra=_optional
    )


Item = TypeVar("Item", bound=BaseModel)


class ListOf(Shape, Generic[Item]):
    """A page of a list."""

    object: Literal["list"]
    """Type of the object: a list."""
    data: list[Item]
    """Objects of the page."""
    has_more: bool
    """Whether there are more objects after this page, in the direction of paging."""
    total_count: int = ABSENT
    """Number of objects on all pages; present when `total_count` was expanded."""
    url: str
    """Path of the list."""

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Its name among the schemas."""
        return f"{params[0].__name__}List"


class SearchResultOf(Shape, Generic[Item]):
    """A page of what a search found."""

    object: Literal["search_result"]
    """Type of the object: a page of search results."""
    data: list[Item]
    """Objects of the page."""
    has_more: bool
    """Whether there are more results after this page."""
    next_page: str | None
    """Value of `page` for the next page; null on the last page."""
    total_count: int = ABSENT
    """Number of results on all pages; present when `total_count` was expanded."""
    url: str
    """Path of the search."""

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Its name among the schemas."""
        return f"{params[0].__name__}SearchResult"


# Their parametrizations have no source of their own that pydantic could find docstrings in, and it looks for long.
for _generic in (ListOf, SearchResultOf):
    _generic.model_config["use_attribute_docstrings"] = False


class Deleted(Shape):
    """A deleted object: its id, and that it is deleted."""

    id: str
    """Unique identifier of the deleted object."""
    deleted: Literal[True]
    """Always true: the object was deleted."""


class Address(Shape):
    """A postal address."""

    city: str | None
    """City, district, suburb, town or village."""
    country: str | None
    """Country, as free text; automatic tax needs the two-letter code (ISO 3166-1)."""
    line1: str | None
    """Street and number, or post office box."""
    line2: str | None
    """Flat, suite, unit or building."""
    postal_code: str | None
    """ZIP or postal code."""
    state: str | None
    """State, county, province or region."""


class Error(Shape):
    """An error: its type, its code, and a message that says what to do."""

    code: str = ABSENT
    """Error code, for programs."""
    decline_code: str = ABSENT
    """Decline code of the card issuer, for programs."""
    doc_url: str = ABSENT
    """URL of the documentation of the code."""
    message: str
    """Message, for people."""
    param: str = ABSENT
    """Parameter at fault."""
    type: Literal["api_error", "card_error", "idempotency_error", "invalid_request_error"]
    """Type of the error."""


class Refused(Shape):
    """Body of every error response."""

    error: Error
    """The error."""
