"""`/v1/customers`: create, update, delete, retrieve, list.

A request that only sets attributes is one command on one stream. One that asks for more is a unit of work: the extras
of `service/commands/customer` are applied in turn, and all of it is stored or none.
"""

import asyncio
import os
from types import MappingProxyType

from events import customer, ids, testclock
from events.customer import CUSTOMER, CreateCustomer, Customer, DeleteCustomer, UpdateCustomer
from events.customer.profile import ProfilePatch
from events.errors import ConstraintBroken, Missing, Refusal
from events.payment_method import PAYMENT_METHOD, DetachFromCustomer
from events.testclock import TEST_CLOCK, LetGo
from events.transact import other_mode_hint
from events.unit_of_work import UnitOfWork
from projections.read import UnknownCursor
from service.commands import clocks
from service.commands import customer as extras
from service.http import expand, pagination, resources
from service.http.operation import Operations
from service.http.params import customer as parameters_of
from service.http.permissions import Beside
from service.http.pipeline import RequestContext
from service.http.reply import Reply

operation = Operations()
URL = "/v1/customers"
PREFIX_TRIES = 5
INVOICE_PREFIX = "customer_invoice_prefix"  # the constraint that keeps them unique
# Parameters that make or change more than the customer, and the permissions that a restricted key needs for that.
WRITTEN_BESIDE: Beside = MappingProxyType(
    {
        "coupon": ("coupons:write",),
        "promotion_code": ("promotion_codes:write", "coupons:write"),
        "source": ("sources:write",),
    }
)
CREATE_WRITES_BESIDE: Beside = MappingProxyType(
    {
        **WRITTEN_BESIDE,
        "payment_method": ("payment_methods:write",),
        "tax_id_data": ("tax_ids:write",),
        "test_clock": ("test_clocks:write",),
    }
)
UPDATE_WRITES_BESIDE: Beside = MappingProxyType(
    {**WRITTEN_BESIDE, "bank_account": ("sources:write",), "card": ("sources:write",)}
)


@operation(
    "POST",
    URL,
    "customers.create",
    permission="customers:write",
    parameters=parameters_of.CreateCustomer,
    answers="customer",
    declines=True,
    beside=CREATE_WRITES_BESIDE,
)
async def create(call: RequestContext) -> Reply:
    """Create a customer."""
    parameters = call.parse(parameters_of.CreateCustomer)
    patch = parameters.patch()
    tree = expand.paths(call, parameters.expand, customer.KIND)
    default = patch.pop("default_payment_method", None)  # may be attached only once the customer is there
    origin = call.begin()
    for _ in range(PREFIX_TRIES):
        id = ids.new("cus", os.urandom(ids.ID_BYTES))
        prefix = os.urandom(4).hex().upper()

        async def act(unit: UnitOfWork, id: str = id, prefix: str = prefix) -> Reply:
            at = await clocks.at_creation(unit, parameters.test_clock)
            unit.begin(CUSTOMER, id)
            unit.do(CUSTOMER, id, CreateCustomer(id=id, created=at, invoice_prefix=prefix, patch=patch))
            await extras.apply(unit, call, id, parameters, at)
            if default is not None:
                attached = default
                if default == parameters.payment_method:  # it may be a name for tests, which made a fresh one
                    [attached] = unit.state(CUSTOMER, id).payment_methods.attached
                unit.do(CUSTOMER, id, UpdateCustomer(id=id, patch={"default_payment_method": attached}))
            return await resources.customer_reply(call, unit, id, tree)

        try:
            return await call.transact(act, origin, serialized_on=extras.streams(call, parameters))
        except ConstraintBroken as broken:
            _refuse_given_prefix(broken, patch)
    raise RuntimeError("no free invoice prefix was found")


@operation(
    "POST",
    f"{URL}/{{customer}}",
    "customers.update",
    permission="customers:write",
    parameters=parameters_of.UpdateCustomer,
    answers="customer",
    declines=True,
    beside=UPDATE_WRITES_BESIDE,
)
async def update(call: RequestContext) -> Reply:
    """Update a customer.

    Parameters that are not sent keep their values.
    """
    parameters = call.parse(parameters_of.UpdateCustomer)
    patch = parameters.patch()
    tree = expand.paths(call, parameters.expand, customer.KIND)
    id = call.match["customer"]

    async def act(unit: UnitOfWork, state: Customer) -> None:
        await extras.apply(unit, call, id, parameters, await clocks.moment(unit, state))
        unit.do(CUSTOMER, id, UpdateCustomer(id=id, patch=patch))

    async def answer(unit: UnitOfWork) -> Reply:
        return await resources.customer_reply(call, unit, id, tree)

    try:
        return await resources.change_customer(call, id, act, answer, serialized_on=extras.streams(call, parameters))
    except ConstraintBroken as broken:
        _refuse_given_prefix(broken, patch)
        raise


@operation(
    "DELETE",
    f"{URL}/{{customer}}",
    "customers.delete",
    permission="customers:write",
    parameters=parameters_of.DeleteCustomer,
    answers="deleted_customer",
)
async def delete(call: RequestContext) -> Reply:
    """Delete a customer.

    This cannot be undone: the customer's sources, tax ids and discount are deleted too, and its payment methods are
    detached.
    """
    expand.paths(call, call.parse(parameters_of.DeleteCustomer).expand, customer.KIND)
    id = call.match["customer"]

    async def act(unit: UnitOfWork, state: Customer) -> None:
        await end(unit, id, await clocks.moment(unit, state))

    return await resources.change_customer(call, id, act, lambda unit: resources.customer_reply(call, unit, id, {}))


async def end(unit: UnitOfWork, id: str, at: int, *, with_clock: bool = False) -> None:
    """Delete a customer and whatever it has, within a unit of work. Raises Missing, Refusal."""
    state = await resources.load_customer(unit, id)
    unit.do(CUSTOMER, id, DeleteCustomer(id=id, at=at, with_clock=with_clock))
    attached = state.payment_methods.attached
    await asyncio.gather(*(unit.load(PAYMENT_METHOD, payment_method) for payment_method in attached))
    for payment_method in attached:
        unit.do(PAYMENT_METHOD, payment_method, DetachFromCustomer(id=payment_method))
    if state.test_clock is not None:
        await unit.load(TEST_CLOCK, state.test_clock)
        unit.do(TEST_CLOCK, state.test_clock, LetGo(id=state.test_clock, customer=id))


@operation(
    "GET",
    f"{URL}/{{customer}}",
    "customers.retrieve",
    permission="customers:read",
    parameters=parameters_of.RetrieveCustomer,
    answers=("customer", "deleted_customer"),
)
async def retrieve(call: RequestContext) -> Reply:
    """Retrieve a customer.

    Of a deleted customer only its id and `deleted` are returned.
    """
    asked = call.parse(parameters_of.RetrieveCustomer).expand if call.raw else ()
    tree = expand.paths(call, asked, customer.KIND)
    caller, id = call.caller, call.match["customer"]
    body = await call.pipeline.reader.customer(caller.account, caller.livemode, id)
    if body is None:
        there = await call.pipeline.reader.customer(caller.account, not caller.livemode, id)
        raise Missing(customer.KIND, id, hint=other_mode_hint(caller.livemode) if there else "")
    if tree:
        [body] = await resources.expander(call).expanded([body], customer.KIND, tree)
    return Reply(status=200, body=body)


@operation(
    "GET",
    URL,
    "customers.list",
    permission="customers:read",
    parameters=parameters_of.ListCustomers,
    answers="list.customer",
)
async def list_all(call: RequestContext) -> Reply:
    """List customers.

    Newest first.
    """
    parameters = call.parse(parameters_of.ListCustomers)
    page = parameters.page()
    tree = expand.paths(call, parameters.expand, customer.KIND, in_list=True)
    caller, reader = call.caller, call.pipeline.reader
    filters = (parameters.email, parameters.test_clock)
    await resources.must_be_known(call, testclock.KIND, parameters.test_clock, param="test_clock")
    try:
        found = await reader.customers(caller.account, caller.livemode, page, *filters)
    except UnknownCursor:
        raise pagination.unknown_cursor(customer.KIND, page) from None
    call.hold(found.bodies)
    total = None
    if expand.counted(parameters.expand):
        total = await reader.count_customers(caller.account, caller.livemode, page, *filters)
    if tree:
        found = await resources.expanded_page(call, found, page, customer.KIND, tree)
    return Reply(status=200, body=pagination.list_body(URL, found.bodies, found.has_more, total))


def _refuse_given_prefix(broken: ConstraintBroken, patch: ProfilePatch) -> None:
    """Raises Refusal when it was the caller's own invoice prefix that is in use; anything but a prefix goes on up."""
    if broken.constraint != INVOICE_PREFIX:
        raise broken
    if "invoice_prefix" in patch:
        prefix = patch["invoice_prefix"]
        raise Refusal(
            f"The invoice prefix '{prefix}' is already in use by another customer.", param="invoice_prefix"
        ) from None
