"""`/v1/customers/{customer}/discount`: retrieve and delete; it is given by changing the customer."""

import orjson

from events.customer import CUSTOMER
from events.unit_of_work import UnitOfWork
from projections import discounts
from projections.rows import dumps
from service.commands.customer import discount
from service.commands.customer.discount import NoDiscount
from service.http import expand, resources
from service.http.operation import Operations
from service.http.params import discount as parameters_of
from service.http.pipeline import RequestContext
from service.http.reply import Reply

operation = Operations()
URL = "/v1/customers/{customer}/discount"
KIND = discount.KIND


@operation(
    "GET",
    URL,
    "customers.discount.retrieve",
    permission="customers:read",
    parameters=parameters_of.RetrieveDiscount,
    answers="discount",
)
async def retrieve(context: RequestContext) -> Reply:
    """Retrieve a customer's discount."""
    tree = expand.paths(context, context.parse(parameters_of.RetrieveDiscount).expand, KIND)
    id = await resources.of_customer(context)
    body = await context.pipeline.reader.customer(context.caller.scope, id)
    assert body is not None, "a customer that was is shown for ever"
    shown = orjson.loads(body).get("discount")
    if shown is None:
        raise NoDiscount(id)
    return Reply(200, (await resources.expander(context).expanded([dumps(shown)], KIND, tree))[0])


@operation(
    "DELETE",
    URL,
    "customers.discount.delete",
    permission="customers:write",
    parameters=parameters_of.DeleteDiscount,
    answers="deleted_discount",
)
async def delete(context: RequestContext) -> Reply:
    """Delete a customer's discount.

    The redemption of the coupon still counts.
    """
    tree = expand.paths(context, context.parse(parameters_of.DeleteDiscount).expand, KIND)
    id = context.match["customer"]

    async def act(unit: UnitOfWork) -> Reply:
        removed = discounts.render(await discount.remove(unit, id), id)
        [shown] = await resources.expander(context, unit).expanded([dumps(removed)], KIND, tree)
        return Reply(200, dumps(discounts.render_deleted(orjson.loads(shown))))

    return await context.transact(act, serialized_on=(CUSTOMER.stream(id),))
