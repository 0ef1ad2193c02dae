"""Parameters of `GET /v1/customers/search`."""

from typing import Annotated

from pydantic import Field

from service.http.params import Parameters
from service.http.params.fields import Expand, Integer, NotEmpty, RequiredText, Text
from service.http.params.listing import LIMIT_DEFAULT


class SearchCustomers(Parameters):
    """Parameters of `GET /v1/customers/search`."""

    query: RequiredText
    """What to look for, in the search query language."""
    expand: Expand = ()
    """Paths of what each object shows in full, beginning with `data.`; or `total_count`."""
    limit: Annotated[Integer, Field(ge=1, le=100)] = LIMIT_DEFAULT
    """How many customers a page has at most."""
    page: Annotated[Text, NotEmpty] | None = None
    """The `next_page` of the page before; it goes with the same query."""
