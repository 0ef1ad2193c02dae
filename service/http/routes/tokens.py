"""`/v1/tokens`: create, with a publishable key too, and retrieve."""

from events import token
from events.unit_of_work import UnitOfWork
from service.commands import cards, tokens
from service.http import expand, resources
from service.http.operation import Operations
from service.http.params import token as parameters_of
from service.http.params.card import BankAccount, Card
from service.http.pipeline import RequestContext
from service.http.reply import Reply

operation = Operations()
URL = "/v1/tokens"


@operation(
    "POST",
    URL,
    "tokens.create",
    permission="tokens:write",
    parameters=parameters_of.CreateToken,
    answers="token",
    publishable=True,
    declines=True,
)
async def create(context: RequestContext) -> Reply:
    """Create a token.

    Only the details of cards and bank accounts are stored.
    """
    parameters = context.parse(parameters_of.CreateToken)
    kind = parameters.kind()
    tree = expand.paths(context, parameters.expand, token.KIND)
    given = parameters.card if isinstance(parameters.card, Card) else parameters.bank_account
    new = given.value() if isinstance(given, Card | BankAccount) else None
    if parameters.cvc_update is not None:
        cards.cvc_ok(parameters.cvc_update.cvc)

    async def act(unit: UnitOfWork) -> Reply:
        id = await tokens.create(unit, context.caller, kind, new)
        return await resources.object_reply(context, unit, token.KIND, id, tree)

    return await context.transact(act)


@operation(
    "GET",
    f"{URL}/{{token}}",
    "tokens.retrieve",
    permission="tokens:read",
    parameters=parameters_of.RetrieveToken,
    answers="token",
)
async def retrieve(context: RequestContext) -> Reply:
    """Retrieve a token.

    A well-known test id creates a new token each time.
    """
    asked = context.parse(parameters_of.RetrieveToken).expand
    kept = tokens.named(context.caller, context.match["token"])
    if kept is None:
        return await resources.retrieve(context, token.KIND, context.match["token"], asked)
    tree = expand.paths(context, asked, token.KIND)
    context.permit("tokens:write")  # for it is made

    async def act(unit: UnitOfWork) -> Reply:
        id = await tokens.create_named(unit, kept)
        return await resources.object_reply(context, unit, token.KIND, id, tree)

    return await context.transact(act)
