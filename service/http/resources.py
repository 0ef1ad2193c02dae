"""Shared handlers of resource routes: retrieve, list, sub-resources of a customer, responses to changes."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from events import customer, payment_method
from events.customer import CUSTOMER
from events.errors import Missing, Refusal
from events.transact import other_mode_hint
from events.unit_of_work import UnitOfWork
from projections import api_version, customers
from projections.read import NO_FACTS, Page, PageOf, UnknownCursor
from service.http import api_version_rendering, expand, pagination
from service.http.expand import Expander, Tree
from service.http.params.listing import Listing
from service.http.pipeline import RequestContext
from service.http.reply import Reply


def words(kind: str) -> str:
    """A kind as messages name it: `tax_id` is a tax ID to people, `payment_method` a PaymentMethod."""
    if kind == payment_method.KIND:
        return payment_method.NAME
    return kind.rpartition(".")[2].replace("_", " ")


async def retrieve(
    context: RequestContext, kind: str, id: str, asked: Sequence[str] = (), *, parent: str | None = None
) -> Reply:
    """One object, expanded; 404 when this account and mode have none of that id, or its parent is another."""
    tree = expand.paths(context, asked, kind)
    body = await find(context, kind, id)
    if parent is not None and orjson.loads(body)["customer"] != parent:
        raise Missing(words(kind), id)
    return Reply(200, (await expander(context).expanded([body], kind, tree))[0])


async def find(context: RequestContext, kind: str, id: str) -> bytes:
    """The body of one object. Raises Missing, with a hint when it exists in the other mode."""
    caller, reader = context.caller, context.pipeline.reader
    body = await reader.resource(caller.scope, kind, id)
    if body is None:
        there = await reader.resource(caller.scope.other_mode, kind, id)
        raise Missing(words(kind), id, hint=other_mode_hint(caller.livemode) if there else "")
    return body


async def must_be_known(context: RequestContext, kind: str, id: str | None, *, param: str, ever: bool = False) -> None:
    """Raises Refusal when a list is to be narrowed to what belongs to an object that is not there, or never was."""
    caller, reader = context.caller, context.pipeline.reader
    if id is not None and await reader.resource(caller.scope, kind, id, ever=ever) is None:
        raise Refusal(Missing(words(kind), id).message, code="resource_missing", param=param)


async def page(
    context: RequestContext,
    kind: str,
    parameters: Listing,
    url: str,
    *,
    parent: str | None = "",
    facts: Mapping[str, object] = NO_FACTS,
) -> Reply:
    """A page of objects of one kind, newest first; of any parent when that is None."""
    asked = expand.paths(context, parameters.expand, kind, in_list=True)
    caller, wanted = context.caller, parameters.page()
    try:
        found = await context.pipeline.reader.resources(caller.scope, kind, wanted, parent, facts)
    except UnknownCursor:
        raise pagination.unknown_cursor(words(kind), wanted) from None
    context.hold(found.bodies)
    total = None
    if expand.counted(parameters.expand):
        total = await context.pipeline.reader.count_resources(caller.scope, kind, wanted, parent, facts)
    found = await expanded_page(context, found, wanted, kind, asked)
    return Reply(200, pagination.list_body(url, found.bodies, found.has_more, total))


async def expanded_page(context: RequestContext, found: Page, wanted: PageOf, kind: str, tree: Tree) -> Page:
    """A page with `tree` expanded; where that is too much, of fewer objects: those nearest to the cursor."""
    bodies = await expander(context).page(found.bodies, kind, tree, backwards=wanted.ending_before is not None)
    return Page(bodies, found.has_more or len(bodies) < len(found.bodies))


async def of_customer(context: RequestContext) -> str:
    """The id of the customer in the path. Raises Missing when it never was, or is no more."""
    id, caller = context.match["customer"], context.caller
    body = await context.pipeline.reader.customer(caller.scope, id)
    if body is None:
        there = await context.pipeline.reader.customer(caller.scope.other_mode, id)
        raise Missing(customer.KIND, id, hint=other_mode_hint(caller.livemode) if there else "")
    if b'\n  "deleted": true' in body:
        raise Missing(customer.KIND, id)
    return id


async def object_reply(context: RequestContext, unit: UnitOfWork, kind: str, id: str, tree: Tree) -> Reply:
    """An object as a unit of work leaves it, expanded; as it was where the unit does not change it."""
    body = next((row.body for rows in unit.rows() for row in rows.resources if (row.kind, row.id) == (kind, id)), None)
    if body is None:
        body = await find(context, kind, id)
    return await _answer(context, unit, kind, body, tree)


async def customer_reply(context: RequestContext, unit: UnitOfWork, id: str, tree: Tree) -> Reply:
    """A customer as a unit of work leaves it, expanded."""
    rows = unit.rows_of(CUSTOMER, id)
    body = rows.customers[0].body if rows else customers.body(unit.state(CUSTOMER, id), context.caller.livemode)
    return await _answer(context, unit, customer.KIND, body, tree)


async def _answer(context: RequestContext, unit: UnitOfWork, kind: str, body: bytes, tree: Tree) -> Reply:
    """An object as it was asked for; in full, for it may be kept under an idempotency key."""
    if tree:
        [body] = await expander(context, unit).expanded([body], kind, tree)
    if api_version.differs(context.version):
        body = await api_version_rendering.rendered(
            body, context.version, context.pipeline.reader, context.caller, unit.rows()
        )
    return Reply(200, body)


def expander(context: RequestContext, unit: UnitOfWork | None = None) -> Expander:
    """Expands for the caller, seeing what a unit of work will store."""
    pending: Sequence[Any] = unit.rows() if unit is not None else ()
    caller, pipeline = context.caller, context.pipeline
    return Expander(
        pipeline.reader,
        caller.scope,
        pending,
        pipeline.tax_countries,
        context.ticket.hold,
        context.version if context.whole_coupons else api_version.NEWEST_DIFFERENCE,
    )
