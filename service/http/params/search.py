"""Parameters of `GET /v1/customers/search`."""

from typing import Annotated

from pydantic import Field

from service.http.params import Parameters
from service.http.params.fields import Expand, Integer, NotEmpty, RequiredText, Text
from service.http.params.listing import LIMIT_DEFAULT


class SearchCustomers(Parameters):
    """Parameters of `GET /v1/customers/search`."""

    query: RequiredText
    """Query, in the search query language."""
    expand: Expand = ()
    """Paths of the objects to expand, prefixed with `data.`; or `total_count`."""
    limit: Annotated[Integer, Field(ge=1, le=100)] = LIMIT_DEFAULT
    """Maximum number of customers in the page."""
    page: Annotated[Text, NotEmpty] | None = None
    """Cursor: `next_page` of the previous page of the same query."""
