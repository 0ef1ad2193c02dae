"""`/v1/customers/{customer}/cash_balance`, its transactions, and the transfers that tests bring about."""

from events.customer import CUSTOMER
from events.customer.cash_balance import KIND
from events.errors import Refusal
from events.unit_of_work import UnitOfWork
from projections import cash_balances
from projections.cash_balances import TRANSACTION
from projections.rows import dumps
from service.commands.customer import cash_balance
from service.http import expand, resources
from service.http.operation import Operations
from service.http.params import balance as parameters_of
from service.http.pipeline import RequestContext
from service.http.reply import Reply

operation = Operations()
URL = "/v1/customers/{customer}/cash_balance"
TRANSACTIONS = "/v1/customers/{customer}/cash_balance_transactions"
FUND = "/v1/test_helpers/customers/{customer}/fund_cash_balance"


@operation(
    "GET",
    URL,
    "customers.cash_balance.retrieve",
    permission="customers:read",
    parameters=parameters_of.RetrieveCashBalance,
    answers=KIND,
)
async def retrieve(context: RequestContext) -> Reply:
    """Retrieve a cash balance.

    A customer that never received cash has an empty one with the default settings.
    """
    expand.paths(context, context.parse(parameters_of.RetrieveCashBalance).expand, KIND)
    id, caller = await resources.of_customer(context), context.caller
    body = await context.pipeline.reader.resource(caller.scope, KIND, id)
    return Reply(200, body or dumps(cash_balances.unused(id, caller.livemode)))


@operation(
    "POST",
    URL,
    "customers.cash_balance.update",
    permission="customers:write",
    parameters=parameters_of.UpdateCashBalance,
    answers=KIND,
)
async def update(context: RequestContext) -> Reply:
    """Update the settings of a cash balance."""
    parameters = context.parse(parameters_of.UpdateCashBalance)
    expand.paths(context, parameters.expand, KIND)
    id = context.match["customer"]

    async def act(unit: UnitOfWork) -> Reply:
        await cash_balance.change(unit, id, parameters.reconcile())
        shown = cash_balances.render(unit.state(CUSTOMER, id).cash_balance, id, context.caller.livemode)
        return Reply(200, dumps(shown))

    return await context.transact(act, serialized_on=(CUSTOMER.stream(id),))


@operation(
    "GET",
    f"{TRANSACTIONS}/{{transaction}}",
    "customers.cash_balance_transactions.retrieve",
    permission="customers:read",
    parameters=parameters_of.RetrieveCashBalanceTransaction,
    answers=TRANSACTION,
)
async def retrieve_transaction(context: RequestContext) -> Reply:
    """Retrieve a cash balance transaction."""
    asked = context.parse(parameters_of.RetrieveCashBalanceTransaction).expand
    parent = await resources.of_customer(context)
    return await resources.retrieve(context, TRANSACTION, context.match["transaction"], asked, parent=parent)


@operation(
    "GET",
    TRANSACTIONS,
    "customers.cash_balance_transactions.list",
    permission="customers:read",
    parameters=parameters_of.ListCashBalanceTransactions,
    answers=f"list.{TRANSACTION}",
)
async def list_transactions(context: RequestContext) -> Reply:
    """List cash balance transactions.

    Newest first.
    """
    parameters = context.parse(parameters_of.ListCashBalanceTransactions)
    parent = await resources.of_customer(context)
    return await resources.page(context, TRANSACTION, parameters, TRANSACTIONS.format(customer=parent), parent=parent)


@operation(
    "POST",
    FUND,
    "test_helpers.customers.fund_cash_balance",
    permission="customers:write",
    parameters=parameters_of.FundCashBalance,
    answers=TRANSACTION,
)
async def fund(context: RequestContext) -> Reply:
    """Fund a test mode cash balance.

    Simulates an incoming bank transfer.
    """
    parameters = context.parse(parameters_of.FundCashBalance)
    tree = expand.paths(context, parameters.expand, TRANSACTION)
    if context.caller.livemode:
        raise Refusal("Cash balances can be funded by this route in test mode only.", code="livemode_mismatch")
    customer = context.match["customer"]

    async def act(unit: UnitOfWork) -> Reply:
        id = await cash_balance.fund(unit, customer, parameters.amount, parameters.currency, parameters.reference)
        return await resources.object_reply(context, unit, TRANSACTION, id, tree)

    return await context.transact(act, serialized_on=(CUSTOMER.stream(customer),))
