"""`/v1/customers`: create, update, delete, retrieve, list."""

import os
from collections.abc import Callable

from events import customer, ids
from events.customer import CreateCustomer, Customer, DeleteCustomer, UpdateCustomer
from events.decider import Reply
from events.errors import ConstraintBroken, Missing, Refusal
from events.execute import other_mode_hint
from projections import customers
from projections.customers import CUSTOMER
from projections.read import UnknownCursor
from projections.rows import Rows
from service.http import expand, pagination
from service.http.door import Call
from service.http.params import customer as parameters_of

URL = "/v1/customers"
PREFIX_TRIES = 5


async def create(call: Call) -> Reply:
    """Create a customer."""
    parameters = call.parse(parameters_of.CreateCustomer)
    patch = parameters.patch()
    asked = _asked(parameters.expand)
    origin = call.begin()
    for _ in range(PREFIX_TRIES):
        id = ids.new("cus", os.urandom(ids.ID_BYTES))
        command = CreateCustomer(
            id=id, created=int(origin.at.timestamp()), invoice_prefix=os.urandom(4).hex().upper(), patch=patch
        )
        try:
            return await call.door.executor.create(
                CUSTOMER, id, command, origin, reply=_shows(call, asked), key_use=call.key_use
            )
        except ConstraintBroken:
            if "invoice_prefix" in patch:
                raise _prefix_taken(patch["invoice_prefix"]) from None
    raise RuntimeError("no free invoice prefix was found")


async def update(call: Call) -> Reply:
    """Change a customer."""
    parameters = call.parse(parameters_of.UpdateCustomer)
    patch = parameters.patch()
    asked = _asked(parameters.expand)
    id = call.match["customer"]
    try:
        return await call.door.executor.update(
            CUSTOMER,
            id,
            UpdateCustomer(id=id, patch=patch),
            call.begin(),
            reply=_shows(call, asked),
            key_use=call.key_use,
        )
    except ConstraintBroken:
        raise _prefix_taken(patch["invoice_prefix"]) from None


async def delete(call: Call) -> Reply:
    """Delete a customer for good."""
    _asked(call.parse(parameters_of.DeleteCustomer).expand)
    id = call.match["customer"]
    return await call.door.executor.update(
        CUSTOMER, id, DeleteCustomer(id=id), call.begin(), reply=_shows(call, ()), key_use=call.key_use
    )


async def retrieve(call: Call) -> Reply:
    """A customer, living or deleted."""
    asked = _asked(call.parse(parameters_of.RetrieveCustomer).expand) if call.raw else ()
    caller, id = call.caller, call.match["customer"]
    body = await call.door.reader.customer(caller.account, caller.livemode, id)
    if body is None:
        there = await call.door.reader.customer(caller.account, not caller.livemode, id)
        raise Missing(customer.KIND, id, hint=other_mode_hint(caller.livemode) if there else "")
    return Reply(status=200, body=expand.customer(body, asked) if asked else body)


async def list_all(call: Call) -> Reply:
    """A page of customers, newest first."""
    parameters = call.parse(parameters_of.ListCustomers)
    page = parameters.page()
    asked = expand.paths(parameters.expand, expand.CUSTOMER, in_list=True)
    caller = call.caller
    try:
        found = await call.door.reader.customers(caller.account, caller.livemode, page, parameters.email)
    except UnknownCursor:
        raise pagination.unknown_cursor(customer.KIND, page) from None
    total = None
    if expand.counted(parameters.expand):
        total = await call.door.reader.count_customers(caller.account, caller.livemode, page, parameters.email)
    bodies = [expand.customer(body, asked) for body in found.bodies] if asked else found.bodies
    return Reply(status=200, body=pagination.list_body(URL, bodies, found.has_more, total))


def _asked(paths: tuple[str, ...]) -> tuple[str, ...]:
    return expand.paths(paths, expand.CUSTOMER)


def _shows(call: Call, asked: tuple[str, ...]) -> Callable[[Customer, Rows | None], Reply]:
    livemode = call.caller.livemode

    def reply(state: Customer, rows: Rows | None) -> Reply:
        body = rows.customers[0].body if rows is not None else customers.body(state, livemode)
        return Reply(status=200, body=expand.customer(body, asked) if asked else body)

    return reply


def _prefix_taken(prefix: str) -> Refusal:
    return Refusal(f"The invoice prefix '{prefix}' is already in use by another customer.", param="invoice_prefix")
