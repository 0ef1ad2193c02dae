"""`/v1/customers/{customer}/sources`: attach, list, retrieve, update, delete, verify.

`cards` and `bank_accounts` in its place are the same, and show only what is of their type.
"""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Protocol, TypeVar

import orjson

from events.card import BankAccount, Card
from events.customer import CUSTOMER, Customer
from events.customer.source import (
    VERIFIED,
    EditSource,
    NoSource,
    RemoveSource,
    Source,
    SourcePatch,
    VerifyBankAccount,
    not_verified,
)
from events.unit_of_work import UnitOfWork
from projections import sources
from projections.rows import dumps
from projections.sources import KIND
from service.commands import cards, clocks, tokens
from service.commands.customer import source as extra
from service.http import expand, refusals, resources
from service.http.operation import Operations
from service.http.params import Parameters
from service.http.params import source as parameters_of
from service.http.permissions import always
from service.http.pipeline import RequestContext
from service.http.reply import Reply
from service.masking import masked_id

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
    customer, id = context.match["customer"], ""

    async def act(unit: UnitOfWork, state: Customer) -> None:
        nonlocal id
        at = await clocks.moment(unit, state)
        id = await extra.attach(unit, context.caller, customer, source, at)

    return await resources.change_customer(
        context,
        customer,
        act,
        lambda unit: resources.object_reply(context, unit, KIND, id, tree),
        serialized_on=tokens.streams(context.caller, source.given),
    )


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
        raise _no_such(customer, id, collection)
    shown = orjson.loads(body)
    if shown["customer"] != customer or COLLECTIONS[collection] not in (None, shown["object"]):
        raise _no_such(customer, id, collection)
    return Reply(200, (await resources.expander(context).expanded([body], KIND, tree))[0])


@_operation("POST", "/{id}", "update", parameters=parameters_of.UpdateSource, answers="{type}")
async def update(context: RequestContext, collection: str) -> Reply:
    """Update a card or bank account."""
    parameters = context.parse(parameters_of.UpdateSource)

    def edit(unit: UnitOfWork, customer: str, source: Source) -> None:
        unit.do(CUSTOMER, customer, EditSource(id=source.id, patch=_patch(context, parameters, source)))

    tree = expand.paths(context, parameters.expand, KIND)
    id = context.match["id"]
    return await _change(context, collection, edit, lambda unit: resources.object_reply(context, unit, KIND, id, tree))


@_operation("DELETE", "/{id}", "delete", parameters=parameters_of.DeleteSource, answers="deleted_{type}")
async def delete(context: RequestContext, collection: str) -> Reply:
    """Delete a card or bank account."""
    expand.paths(context, context.parse(parameters_of.DeleteSource).expand, KIND)
    customer, removed = context.match["customer"], b""

    async def act(unit: UnitOfWork, state: Customer) -> None:
        nonlocal removed
        source = _found(context, state, collection)
        removed = dumps(sources.render_deleted(source))
        unit.do(CUSTOMER, customer, RemoveSource(id=source.id, at=await clocks.moment(unit, state)))

    async def answer(unit: UnitOfWork) -> Reply:
        return Reply(200, removed)

    return await resources.change_customer(context, customer, act, answer)


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

    def confirm(unit: UnitOfWork, customer: str, source: Source) -> None:
        amounts = () if context.caller.livemode else parameters.amounts  # no money was sent to anybody's account
        unit.do(CUSTOMER, customer, VerifyBankAccount(id=source.id, amounts=amounts))

    async def answer(unit: UnitOfWork) -> Reply:
        kept = unit.state(CUSTOMER, customer).sources.by_id[id].kept
        if isinstance(kept, BankAccount) and kept.status != VERIFIED:
            return refusals.reply(not_verified(), context.request_id, context.caller.livemode)
        return await resources.object_reply(context, unit, KIND, id, tree)

    return await _change(context, collection, confirm, answer)


async def _change(
    context: RequestContext,
    collection: str,
    change: Callable[[UnitOfWork, str, Source], None],
    answer: Callable[[UnitOfWork], Awaitable[Reply]],
) -> Reply:
    """Do something to one card or bank account of the customer's."""
    customer = context.match["customer"]

    async def act(unit: UnitOfWork, state: Customer) -> None:
        source = _found(context, state, collection)
        await clocks.moment(unit, state)  # not while its clock moves
        change(unit, customer, source)

    return await resources.change_customer(context, customer, act, answer)


def _found(context: RequestContext, state: Customer, collection: str) -> Source:
    """The card or bank account in the path. Raises Missing when the customer has none such, or of another type."""
    source = state.sources.by_id.get(context.match["id"])
    if source is None or COLLECTIONS[collection] not in (None, source.object):
        raise _no_such(state.id, context.match["id"], collection)
    return source


def _no_such(customer: str, id: str, collection: str) -> NoSource:
    return NoSource(customer, masked_id(id), COLLECTIONS[collection] or _of_prefix(id))


def _of_prefix(id: str) -> str:
    """What a thing of that id would be."""
    return {"card": "card", "ba": "bank_account"}.get(id.partition("_")[0], "source")


def _patch(context: RequestContext, parameters: parameters_of.UpdateSource, source: Source) -> SourcePatch:
    """What was sent, as the events have it. Raises Declined for a month that is over."""
    sent = parameters.model_fields_set
    patch: SourcePatch = {}
    if "account_holder_name" in sent:
        patch["account_holder_name"] = parameters.account_holder_name
    if "account_holder_type" in sent:
        patch["account_holder_type"] = parameters.account_holder_type
    if "metadata" in sent:
        patch["metadata"] = parameters.metadata
    if "name" in sent:
        patch["name"] = parameters.name
    if address := parameters.address():
        patch["address"] = address
    expires = (parameters.exp_month, parameters.exp_year)
    if expires != (None, None) and isinstance(source.kept, Card):
        patch["exp_month"], patch["exp_year"] = cards.new_expiry(context.caller, source.kept, *expires)
    return patch
