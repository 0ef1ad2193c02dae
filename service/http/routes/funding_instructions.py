"""`/v1/customers/{customer}/funding_instructions`: where a customer's bank transfers go."""

from events.customer import CUSTOMER
from events.errors import Refusal
from events.unit_of_work import UnitOfWork
from projections import funding_instructions
from projections.funding_instructions import KIND
from projections.rows import dumps
from service.commands.customer import cash_balance
from service.http import expand
from service.http.operation import Operations
from service.http.params.funding_instructions import CreateFundingInstructions
from service.http.pipeline import RequestContext
from service.http.reply import Reply

operation = Operations()
URL = "/v1/customers/{customer}/funding_instructions"


@operation(
    "POST",
    URL,
    "customers.funding_instructions.create",
    permission="customers:write",
    parameters=CreateFundingInstructions,
    answers=KIND,
)
async def create(context: RequestContext) -> Reply:
    """Create funding instructions.

    Returns the bank account for the customer's transfers; it is the same for every request.

    There is one account per currency, and one per country for euros. They are simulated, and exist in test mode only.
    """
    parameters = context.parse(CreateFundingInstructions)
    expand.paths(context, parameters.expand, KIND)
    country, currency = parameters.country(), parameters.currency
    if context.caller.livemode:
        raise Refusal(
            "Funding instructions exist in test mode only: there is no bank behind them.", code="livemode_mismatch"
        )
    customer = context.match["customer"]

    async def act(unit: UnitOfWork) -> Reply:
        await cash_balance.open_virtual_account(unit, customer, country, currency)
        accounts = unit.state(CUSTOMER, customer).cash_balance.virtual_accounts
        shown = funding_instructions.render(currency, country, accounts[currency, country], context.caller.livemode)
        return Reply(200, dumps(shown))

    return await context.transact(act, serialized_on=(CUSTOMER.stream(customer),))
