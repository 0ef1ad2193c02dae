"""Routes of subscriptions: list, retrieve (`/v1/customers/{customer}/subscriptions`), and reports by a billing service.

Rollbook does not bill. Reports have routes of our own (`/v1/rollbook/…`), which are not in the API reference.
"""

from events.customer import CUSTOMER
from events.errors import ConstraintBroken
from events.unit_of_work import UnitOfWork
from projections import subscriptions
from projections.rows import dumps
from projections.subscriptions import KIND
from service.commands.customer import subscription
from service.http import resources
from service.http.operation import Operations
from service.http.params import subscription as parameters_of
from service.http.pipeline import RequestContext
from service.http.reply import Reply

operation = Operations()
LIST = "/v1/customers/{customer}/subscriptions"
ONE = f"{LIST}/{{subscription}}"
REPORTED = "/v1/rollbook/customers/{customer}/subscriptions/{subscription}"


@operation(
    "GET",
    LIST,
    "customers.subscriptions.list",
    permission="subscriptions:read",
    parameters=parameters_of.ListSubscriptions,
    answers="list.subscription",
)
async def list_all(context: RequestContext) -> Reply:
    """List a customer's subscriptions.

    Newest first. Canceled ones are included only on request.
    """
    parameters = context.parse(parameters_of.ListSubscriptions)
    id = await resources.of_customer(context)
    url = LIST.format(customer=id)
    return await resources.page(context, KIND, parameters, url, parent=id, facts=parameters.facts())


@operation(
    "GET",
    ONE,
    "customers.subscriptions.retrieve",
    permission="subscriptions:read",
    parameters=parameters_of.RetrieveSubscription,
    answers="subscription",
)
async def retrieve(context: RequestContext) -> Reply:
    """Retrieve a subscription."""
    asked = context.parse(parameters_of.RetrieveSubscription).expand
    customer = await resources.of_customer(context)
    return await resources.retrieve(context, KIND, context.match["subscription"], asked, parent=customer)


@operation(
    "PUT",
    REPORTED,
    "rollbook.subscriptions.report",
    permission="subscriptions:write",
    parameters=parameters_of.ReportSubscription,
    answers="subscription",
)
async def report(context: RequestContext) -> Reply:
    """Report the state of a subscription.

    The report replaces the previous one: parameters that are not sent take their defaults.
    """
    attributes = context.parse(parameters_of.ReportSubscription).attributes()
    customer, id = context.match["customer"], context.match["subscription"]

    async def act(unit: UnitOfWork) -> Reply:
        await subscription.report(unit, customer, id, attributes)
        return await resources.object_reply(context, unit, KIND, id, {})

    try:
        return await context.transact(act, serialized_on=(CUSTOMER.stream(customer),))
    except ConstraintBroken as broken:
        subscription.refuse_claimed(broken, id)
        raise


@operation(
    "DELETE",
    REPORTED,
    "rollbook.subscriptions.remove",
    permission="subscriptions:write",
    parameters=parameters_of.RemoveSubscription,
    answers="deleted_subscription",
)
async def remove(context: RequestContext) -> Reply:
    """Remove a reported subscription."""
    context.parse(parameters_of.RemoveSubscription)
    customer, id = context.match["customer"], context.match["subscription"]

    async def act(unit: UnitOfWork) -> Reply:
        await subscription.remove(unit, customer, id)
        return Reply(status=200, body=dumps(subscriptions.render_deleted(id)))

    return await context.transact(act, serialized_on=(CUSTOMER.stream(customer),))
