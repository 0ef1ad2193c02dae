"""An operation of the API: a method and a path, who may call it, what it takes and what it answers.

Each module of `routes` lists its own; the routes the service opens and the document it describes itself with are both
made of them.
"""

from dataclasses import dataclass, field

from service.http.door import Route
from service.http.params import Parameters
from service.http.permissions import Beside


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation.

    `right` reads `resource:read` or `resource:write`; `beside` are the permissions that a restricted key needs with it,
    see service/http/permissions.py. `answers` names the object of a 200, or several: `customer`,
    `list.customer` for a list of them, `search_result.customer`, `deleted_customer` for what is left to show.
    """

    method: str
    path: str
    name: str  # customers.create: in metrics and log lines too
    right: str
    route: Route
    parameters: type[Parameters]
    answers: str | tuple[str, ...]
    publishable: bool = False  # whether a publishable key will do
    declines: bool = False  # whether a card may be declined
    beside: Beside = field(default_factory=dict)
