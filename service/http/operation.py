"""An operation of the API: method, path, permission, parameters and response schema.

Each module of `routes` declares its own with `@operation(...)` over the function that carries it out. The routes of the
service and its OpenAPI document are both made of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from service.http.params import Parameters
from service.http.permissions import NOTHING, Beside
from service.http.pipeline import Route

R = TypeVar("R", bound=Route)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation.

    `permission` reads `resource:read` or `resource:write`; `beside` are the permissions that a restricted key needs
    with it, see service/http/permissions.py. `answers` names the object of a 200, or several: `customer`,
    `list.customer` for a list of them, `search_result.customer`, `deleted_customer` for what is left to show.
    """

    method: str
    path: str
    name: str  # customers.create: in metrics and log lines too
    permission: str
    route: Route
    parameters: type[Parameters]
    answers: str | tuple[str, ...]
    publishable: bool  # whether a publishable key will do
    declines: bool  # whether a card may be declined
    beside: Beside


class Operations:
    """The operations of a module of `routes`, in the order of their declarations; called, it is the decorator."""

    def __init__(self) -> None:
        self._declared: list[Operation] = []

    def __iter__(self) -> Iterator[Operation]:
        return iter(self._declared)

    def __call__(
        self,
        method: str,
        path: str,
        name: str,
        *,
        permission: str,
        parameters: type[Parameters],
        answers: str | tuple[str, ...],
        publishable: bool = False,
        declines: bool = False,
        beside: Beside = NOTHING,
    ) -> Callable[[R], R]:
        """Declare an operation that the decorated route carries out."""

        def declare(route: R) -> R:
            declared = Operation(
                method=method,
                path=path,
                name=name,
                permission=permission,
                route=route,
                parameters=parameters,
                answers=answers,
                publishable=publishable,
                declines=declines,
                beside=beside,
            )
            self._declared.append(declared)
            return route

        return declare
