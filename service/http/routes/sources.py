"""`/v1/customers/{customer}/sources`: attach, list, retrieve, update, delete, verify.

`cards` and `bank_accounts` in its place are the same, and show only what is of their type.
"""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Protocol, TypeVar

import orjson

from events.customer import CUSTOMER
from events.customer.source import not_verified
from events.unit_of_work import UnitOfWork
from projections import sources
from projections.rows import dumps
from projections.sources import KIND
from service.commands import tokens
from service.commands.customer import source as commands_of
from service.http import expand, refusals, resources
from service.http.operation import Operations
from service.http.params import Parameters
from service.http.params import source as parameters_of
from service.http.permissions import always
from service.http.pipeline import RequestContext
from service.http.reply import Reply

operation = Operations()
URL = "/v1/customers/{customer}"
COLLECTIONS = {"sources": None, "cards": "card", "bank_accounts": "bank_account"}  # and the type they show
TYPES = ("card", "bank_account")


class _Route(Protocol):
    """Carries out an operation of one of the collections."""

    def __call__(self, context: RequestContext, collection: str) -> Awaitable[Reply]: ...


R = TypeVar("R", bound=_Route)


def _operation(
    method: str,
    path: str,
    name: str,
    *,
    parameters: type[Parameters],
    answers: str | tuple[str, ...],
    collections: Iterable[str] = COLLECTIONS,
) -> Callable[[R], R]:
    """Declare an operation of several collections, at `path` beneath each; `{type}` in `answers` is what one shows."""
    writes = method != "GET"
    verb = "write" if writes else "read"

    def declare(route: R) -> R:
        for collection in collections:
            types = [type for type in TYPES if COLLECTIONS[collection] in (None, type)]
            shown = answers
            if isinstance(shown, str):
                shown = tuple(dict.fromkeys(shown.format(type=type) for type in types))
            operation(
                method,
                f"{URL}/{collection}{path}",
                f"customers.{collection}.{name}",
                permission=f"customers:{verb}",
                beside=always(f"sources:{verb}"),
                parameters=parameters,
                answers=shown if len(shown) > 1 else shown[0],
                declines=method == "POST",
            )(partial(route, collection=collection))
        return route

    return declare


@_operation("POST", "", "create", parameters=parameters_of.CreateSource, answers=TYPES)
async def attach(context: RequestContext, collection: str) -> Reply:
    """Create a card or bank account."""
    parameters = context.parse(parameters_of.CreateSource)
    source = parameters.required()
    tree = expand.paths(context, parameters.expand, KIND)
    customer = context.match["customer"]

    async def act(unit: UnitOfWork) -> Reply:
        id = await commands_of.attach(unit, context.caller, customer, source)
        return await resources.object_reply(context, unit, KIND, id, tree)

    serialized_on = (CUSTOMER.stream(customer), *tokens.streams(context.caller, source.given))
    return await context.transact(act, serialized_on=serialized_on)


@_operation("GET", "", "list", parameters=parameters_of.ListSources, answers="list.source", collections=("sources",))
@_operation(
    "GET", "", "list", parameters=parameters_of.ListCards, answers="list.{type}", collections=("cards", "bank_accounts")
)
async def list_all(context: RequestContext, collection: str) -> Reply:
    """List cards and bank accounts.

    Newest first.
    """
    object = COLLECTIONS[collection]
    parameters: parameters_of.ListSources | parameters_of.ListCards
    if object is None:
        parameters = context.parse(parameters_of.ListSources)
        object = parameters.object
    else:
        parameters = context.parse(parameters_of.ListCards)
    customer = await resources.of_customer(context)
    url = f"{URL.format(customer=customer)}/{collection}"
    facts = {} if object is None else {"object": object}
    return await resources.page(context, KIND, parameters, url, parent=customer, facts=facts)


@_operation("GET", "/{id}", "retrieve", parameters=parameters_of.RetrieveSource, answers="{type}")
async def retrieve(context: RequestContext, collection: str) -> Reply:
    """Retrieve a card or bank account."""
    tree = expand.paths(context, context.parse(parameters_of.RetrieveSource).expand, KIND)
    customer = await resources.of_customer(context)
    caller, id = context.caller, context.match["id"]
    body = await context.pipeline.reader.resource(caller.scope, KIND, id)
    if body is None:
        raise commands_of.no_such(customer, id, COLLECTIONS[collection])
    shown = orjson.loads(body)
    if shown["customer"] != customer or COLLECTIONS[collection] not in (None, shown["object"]):
        raise commands_of.no_such(customer, id, COLLECTIONS[collection])
    return Reply(200, (await resources.expander(context).expanded([body], KIND, tree))[0])


@_operation("POST", "/{id}", "update", parameters=parameters_of.UpdateSource, answers="{type}")
async def update(context: RequestContext, collection: str) -> Reply:
    """Update a card or bank account."""
    parameters = context.parse(parameters_of.UpdateSource)

    tree = expand.paths(context, parameters.expand, KIND)
    customer, id = context.match["customer"], context.match["id"]

    async def act(unit: UnitOfWork) -> Reply:
        patch, expiry = parameters.patch(), parameters.expiry()
        await commands_of.update(unit, context.caller, customer, id, patch, expiry, object=COLLECTIONS[collection])
        return await resources.object_reply(context, unit, KIND, id, tree)

    return await context.transact(act, serialized_on=(CUSTOMER.stream(customer),))


@_operation("DELETE", "/{id}", "delete", parameters=parameters_of.DeleteSource, answers="deleted_{type}")
async def delete(context: RequestContext, collection: str) -> Reply:
    """Delete a card or bank account."""
    expand.paths(context, context.parse(parameters_of.DeleteSource).expand, KIND)
    customer, id = context.match["customer"], context.match["id"]

    async def act(unit: UnitOfWork) -> Reply:
        removed = await commands_of.remove(unit, customer, id, object=COLLECTIONS[collection])
        return Reply(200, dumps(sources.render_deleted(removed)))

    return await context.transact(act, serialized_on=(CUSTOMER.stream(customer),))


@_operation(
    "POST",
    "/{id}/verify",
    "verify",
    parameters=parameters_of.VerifySource,
    answers="bank_account",
    collections=("sources", "bank_accounts"),
)
async def verify(context: RequestContext, collection: str) -> Reply:
    """Verify a bank account.

    The amounts of two small deposits prove that the account is the customer's. After three wrong pairs it can no longer
    be verified.
    """
    parameters = context.parse(parameters_of.VerifySource)
    tree = expand.paths(context, parameters.expand, KIND)
    customer, id = context.match["customer"], context.match["id"]

    async def act(unit: UnitOfWork) -> Reply:
        amounts = parameters.amounts
        if not await commands_of.verify(unit, context.caller, customer, id, amounts, object=COLLECTIONS[collection]):
            return refusals.reply(not_verified())
        return await resources.object_reply(context, unit, KIND, id, tree)

    return await context.transact(act, serialized_on=(CUSTOMER.stream(customer),))
