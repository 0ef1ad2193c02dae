"""`/v1/tokens`: create, with a publishable key too, and retrieve."""

import os

from events import card as kept_of
from events import ids, token
from events.token import TOKEN, CreateToken
from events.unit_of_work import UnitOfWork
from service.commands import cards, tokens
from service.http import expand, resources
from service.http.expand import Tree
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
    origin = context.begin()
    holds, random = "", os.urandom(ids.ID_BYTES)
    card, account = None, None
    if isinstance(parameters.card, Card):
        card, holds = cards.read_card(context.caller, parameters.card.value()), ids.new("card", random)
    elif isinstance(parameters.bank_account, BankAccount):
        account = cards.read_bank_account(context.caller, parameters.bank_account.value(), kind)
        holds = ids.new("ba", random)
    elif parameters.cvc_update is not None:
        cards.cvc_ok(parameters.cvc_update.cvc)
    command = CreateToken(
        id=_new_id(kind),
        bank_account=account,
        card=card,
        created=int(origin.at.timestamp()),
        holds=holds,
        type=kind,
    )

    async def act(unit: UnitOfWork) -> Reply:
        return await _made(context, unit, command, tree)

    return await context.transact(act, origin)


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
    origin = context.begin()
    kind, prefix = ("card", "card") if isinstance(kept, kept_of.Card) else ("bank_account", "ba")
    command = CreateToken(
        id=_new_id(kind),
        bank_account=kept if isinstance(kept, kept_of.BankAccount) else None,
        card=kept if isinstance(kept, kept_of.Card) else None,
        created=int(origin.at.timestamp()),
        holds=ids.new(prefix, os.urandom(ids.ID_BYTES)),
        type=kind,
    )

    async def act(unit: UnitOfWork) -> Reply:
        return await _made(context, unit, command, tree)

    return await context.transact(act, origin)


async def _made(context: RequestContext, unit: UnitOfWork, command: CreateToken, tree: Tree) -> Reply:
    unit.begin(TOKEN, command.id)
    unit.do(TOKEN, command.id, command)
    return await resources.object_reply(context, unit, token.KIND, command.id, tree)


def _new_id(kind: str) -> str:
    prefix = {"bank_account": "btok", "cvc_update": "cvctok", "pii": "pii"}.get(kind, "tok")
    return ids.new(prefix, os.urandom(ids.ID_BYTES))
