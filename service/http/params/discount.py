"""Parameters of `/v1/customers/{customer}/discount`."""

from service.http.params import Parameters
from service.http.params.fields import Expand


class RetrieveDiscount(Parameters):
    """Parameters of `GET /v1/customers/{customer}/discount`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class DeleteDiscount(Parameters):
    """Parameters of `DELETE /v1/customers/{customer}/discount`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""
