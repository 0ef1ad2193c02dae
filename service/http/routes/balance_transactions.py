"""`/v1/customers/{customer}/balance_transactions`: create, retrieve, update, list."""

from events.customer import CUSTOMER
from events.customer.balance import KIND
from events.unit_of_work import UnitOfWork
from service.commands.customer import balance
from service.http import expand, pagination, resources
from service.http.operation import Operations
from service.http.params import balance as parameters_of
from service.http.pipeline import RequestContext
from service.http.reply import Reply

operation = Operations()
URL = "/v1/customers/{customer}/balance_transactions"


@operation(
    "POST",
    URL,
    "customers.balance_transactions.create",
    permission="customers:write",
    parameters=parameters_of.CreateBalanceTransaction,
    answers=KIND,
)
async def create(context: RequestContext) -> Reply:
    """Create a balance transaction.

    The amount is added to the customer's balance; a negative amount is a credit.
    """
    parameters = context.parse(parameters_of.CreateBalanceTransaction)
    tree = expand.paths(context, parameters.expand, KIND)
    customer = context.match["customer"]

    async def act(unit: UnitOfWork) -> Reply:
        id = await balance.adjust(unit, customer, parameters.amount, parameters.currency, parameters.patch())
        return await resources.object_reply(context, unit, KIND, id, tree)

    return await context.transact(act, serialized_on=(CUSTOMER.stream(customer),))


@operation(
    "POST",
    f"{URL}/{{transaction}}",
    "customers.balance_transactions.update",
    permission="customers:write",
    parameters=parameters_of.UpdateBalanceTransaction,
    answers=KIND,
)
async def update(context: RequestContext) -> Reply:
    """Update a balance transaction.

    Only its description and its metadata can be changed.
    """
    parameters = context.parse(parameters_of.UpdateBalanceTransaction)
    tree = expand.paths(context, parameters.expand, KIND)
    customer, id = context.match["customer"], context.match["transaction"]

    async def act(unit: UnitOfWork) -> Reply:
        await balance.edit(unit, customer, id, parameters.patch())
        return await resources.object_reply(context, unit, KIND, id, tree)

    return await context.transact(act, serialized_on=(CUSTOMER.stream(customer),))


@operation(
    "GET",
    f"{URL}/{{transaction}}",
    "customers.balance_transactions.retrieve",
    permission="customers:read",
    parameters=parameters_of.RetrieveBalanceTransaction,
    answers=KIND,
)
async def retrieve(context: RequestContext) -> Reply:
    """Retrieve a balance transaction."""
    asked = context.parse(parameters_of.RetrieveBalanceTransaction).expand
    parent = await resources.of_customer(context)
    return await resources.retrieve(context, KIND, context.match["transaction"], asked, parent=parent)


@operation(
    "GET",
    URL,
    "customers.balance_transactions.list",
    permission="customers:read",
    parameters=parameters_of.ListBalanceTransactions,
    answers=f"list.{KIND}",
)
async def list_all(context: RequestContext) -> Reply:
    """List balance transactions.

    Newest first.
    """
    parameters = context.parse(parameters_of.ListBalanceTransactions)
    parent = await resources.of_customer(context)
    url = URL.format(customer=parent)
    if parameters.invoice is not None:
        parameters.page()
        expand.paths(context, parameters.expand, KIND, in_list=True)
        total = 0 if expand.counted(parameters.expand) else None
        return Reply(200, pagination.list_body(url, (), False, total))
    return await resources.page(context, KIND, parameters, url, parent=parent)
