"""`/v1/customers`: create, update, delete, retrieve, list."""

from types import MappingProxyType

from events import testclock
from events.customer import CUSTOMER, KIND
from events.errors import ConstraintBroken, Missing
from events.transact import other_mode_hint
from events.unit_of_work import UnitOfWork
from projections.read import UnknownCursor
from service.commands import customer
from service.http import expand, pagination, resources
from service.http.operation import Operations
from service.http.params import customer as parameters_of
from service.http.permissions import Beside
from service.http.pipeline import RequestContext
from service.http.reply import Reply

operation = Operations()
URL = "/v1/customers"
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
async def create(context: RequestContext) -> Reply:
    """Create a customer."""
    parameters = context.parse(parameters_of.CreateCustomer)
    new = parameters.command()
    tree = expand.paths(context, parameters.expand, KIND)

    async def act(unit: UnitOfWork) -> Reply:
        id = await customer.create(unit, context.caller, new)
        return await resources.customer_reply(context, unit, id, tree)

    origin = context.begin()
    for _ in range(customer.PREFIX_TRIES):
        try:
            return await context.transact(act, origin, serialized_on=customer.streams(context.caller, new.facets))
        except ConstraintBroken as broken:
            customer.refuse_given_prefix(broken, new.patch)
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
async def update(context: RequestContext) -> Reply:
    """Update a customer.

    Parameters that are not sent keep their values.
    """
    parameters = context.parse(parameters_of.UpdateCustomer)
    patch = parameters.patch()
    facets = parameters.facets(patch)
    tree = expand.paths(context, parameters.expand, KIND)
    id = context.match["customer"]

    async def act(unit: UnitOfWork) -> Reply:
        await customer.update(unit, context.caller, id, patch, facets)
        return await resources.customer_reply(context, unit, id, tree)

    try:
        return await context.transact(
            act, serialized_on=(CUSTOMER.stream(id), *customer.streams(context.caller, facets))
        )
    except ConstraintBroken as broken:
        customer.refuse_given_prefix(broken, patch)
        raise


@operation(
    "DELETE",
    f"{URL}/{{customer}}",
    "customers.delete",
    permission="customers:write",
    parameters=parameters_of.DeleteCustomer,
    answers="deleted_customer",
)
async def delete(context: RequestContext) -> Reply:
    """Delete a customer.

    This cannot be undone: the customer's sources, tax ids and discount are deleted too, and its payment methods are
    detached.
    """
    expand.paths(context, context.parse(parameters_of.DeleteCustomer).expand, KIND)
    id = context.match["customer"]

    async def act(unit: UnitOfWork) -> Reply:
        await customer.delete(unit, id)
        return await resources.customer_reply(context, unit, id, {})

    return await context.transact(act, serialized_on=(CUSTOMER.stream(id),))


@operation(
    "GET",
    f"{URL}/{{customer}}",
    "customers.retrieve",
    permission="customers:read",
    parameters=parameters_of.RetrieveCustomer,
    answers=("customer", "deleted_customer"),
)
async def retrieve(context: RequestContext) -> Reply:
    """Retrieve a customer.

    For a deleted customer only `id`, `object` and `deleted` are returned.
    """
    asked = context.parse(parameters_of.RetrieveCustomer).expand if context.raw else ()
    tree = expand.paths(context, asked, KIND)
    caller, id = context.caller, context.match["customer"]
    body = await context.pipeline.reader.customer(caller.scope, id)
    if body is None:
        there = await context.pipeline.reader.customer(caller.scope.other_mode, id)
        raise Missing(KIND, id, hint=other_mode_hint(caller.livemode) if there else "")
    if tree:
        [body] = await resources.expander(context).expanded([body], KIND, tree)
    return Reply(status=200, body=body)


@operation(
    "GET",
    URL,
    "customers.list",
    permission="customers:read",
    parameters=parameters_of.ListCustomers,
    answers="list.customer",
)
async def list_all(context: RequestContext) -> Reply:
    """List customers.

    Newest first.
    """
    parameters = context.parse(parameters_of.ListCustomers)
    page = parameters.page()
    tree = expand.paths(context, parameters.expand, KIND, in_list=True)
    caller, reader = context.caller, context.pipeline.reader
    filters = (parameters.email, parameters.test_clock)
    await resources.must_be_known(context, testclock.KIND, parameters.test_clock, param="test_clock")
    try:
        found = await reader.customers(caller.scope, page, *filters)
    except UnknownCursor:
        raise pagination.unknown_cursor(KIND, page) from None
    context.hold(found.bodies)
    total = None
    if expand.counted(parameters.expand):
        total = await reader.count_customers(caller.scope, page, *filters)
    if tree:
        found = await resources.expanded_page(context, found, page, KIND, tree)
    return Reply(status=200, body=pagination.list_body(URL, found.bodies, found.has_more, total))
