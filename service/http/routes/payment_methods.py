"""`/v1/payment_methods`: create, retrieve, update, list, attach, detach; and those of one customer."""

import os
from collections.abc import Awaitable, Callable

import orjson

from events import customer, ids
from events.card import Card
from events.customer import CUSTOMER, Customer
from events.customer.payment_methods import DetachPaymentMethod
from events.errors import Missing, Refusal
from events.payment_method import (
    PAYMENT_METHOD,
    CreatePaymentMethod,
    DetachFromCustomer,
    EditPaymentMethod,
    PaymentMethod,
    PaymentMethodPatch,
)
from events.unit_of_work import UnitOfWork
from projections.payment_methods import KIND
from service.commands import cards, clocks, payment_details, tokens
from service.commands import customer as commands_of
from service.commands.customer import payment_method as extra
from service.http import expand, resources
from service.http.operation import Operations
from service.http.params import payment_method as parameters_of
from service.http.params.payment_method import NewCard
from service.http.pipeline import RequestContext
from service.http.reply import Reply

operation = Operations()
URL = "/v1/payment_methods"
OF_CUSTOMER = "/v1/customers/{customer}/payment_methods"
ONE = f"{URL}/{{payment_method}}"


@operation(
    "POST",
    URL,
    "payment_methods.create",
    permission="payment_methods:write",
    parameters=parameters_of.CreatePaymentMethod,
    answers=KIND,
    declines=True,
)
async def create(context: RequestContext) -> Reply:
    """Create a payment method.

    It is not attached to a customer.
    """
    parameters = context.parse(parameters_of.CreatePaymentMethod)
    parameters.check()
    tree = expand.paths(context, parameters.expand, KIND)
    given = parameters.details
    sent = {} if given is None else given.model_dump(exclude_none=True)
    token = given.token if isinstance(given, NewCard) else None
    id = ids.new("pm", os.urandom(ids.ID_BYTES))

    async def act(unit: UnitOfWork) -> Reply:
        card = await _card(unit, context, given, id) if isinstance(given, NewCard) else None
        command = CreatePaymentMethod(
            id=id,
            card=card,
            created=int(unit.origin.at.timestamp()),
            details={} if card is not None else payment_details.read(context.caller, parameters.type, sent),
            patch=parameters.patch(),
            token=token if token is not None and tokens.named(context.caller, token) is None else None,
            type=parameters.type,
        )
        unit.begin(PAYMENT_METHOD, id)
        unit.do(PAYMENT_METHOD, id, command)
        return await resources.object_reply(context, unit, KIND, id, tree)

    serialized_on = tokens.streams(context.caller, token)
    return await context.transact(act, serialized_on=serialized_on)


@operation(
    "GET",
    ONE,
    "payment_methods.retrieve",
    permission="payment_methods:read",
    parameters=parameters_of.RetrievePaymentMethod,
    answers=KIND,
)
async def retrieve(context: RequestContext) -> Reply:
    """Retrieve a payment method.

    A well-known test id creates a new payment method each time.
    """
    asked = context.parse(parameters_of.RetrievePaymentMethod).expand
    given = context.match["payment_method"]
    if not given.startswith((extra.CARD, extra.BANK_ACCOUNT)):
        return await resources.retrieve(context, KIND, given, asked)
    tree = expand.paths(context, asked, KIND)
    context.permit("payment_methods:write")  # for it is made

    async def act(unit: UnitOfWork) -> Reply:
        id = await extra.found(unit, context.caller, given)
        return await resources.object_reply(context, unit, KIND, id, tree)

    return await context.transact(act)


@operation(
    "POST",
    ONE,
    "payment_methods.update",
    permission="payment_methods:write",
    parameters=parameters_of.UpdatePaymentMethod,
    answers=KIND,
    declines=True,
)
async def update(context: RequestContext) -> Reply:
    """Update a payment method.

    It must be attached to a customer.
    """
    parameters = context.parse(parameters_of.UpdatePaymentMethod)
    tree = expand.paths(context, parameters.expand, KIND)
    id = context.match["payment_method"]

    async def act(unit: UnitOfWork) -> Reply:
        state = await unit.load(PAYMENT_METHOD, id)
        await _not_while_its_clock_moves(unit, state)
        unit.do(PAYMENT_METHOD, id, EditPaymentMethod(id=id, patch=_patch(context, parameters, state)))
        return await resources.object_reply(context, unit, KIND, id, tree)

    return await _transact(context, act, PAYMENT_METHOD.stream(id))


@operation(
    "POST",
    f"{ONE}/attach",
    "payment_methods.attach",
    permission="payment_methods:write",
    parameters=parameters_of.AttachPaymentMethod,
    answers=KIND,
    declines=True,
)
async def attach(context: RequestContext) -> Reply:
    """Attach a payment method to a customer."""
    parameters = context.parse(parameters_of.AttachPaymentMethod)
    tree = expand.paths(context, parameters.expand, KIND)
    given, owner = context.match["payment_method"], parameters.customer

    async def act(unit: UnitOfWork) -> Reply:
        id = await extra.found(unit, context.caller, given)
        state = await unit.load(CUSTOMER, owner)
        if not state.exists:
            raise _no_such_customer(owner)
        await extra.attach(unit, id, owner, await clocks.moment(unit, state))
        return await resources.object_reply(context, unit, KIND, id, tree)

    return await _transact(context, act, CUSTOMER.stream(owner), PAYMENT_METHOD.stream(given))


@operation(
    "POST",
    f"{ONE}/detach",
    "payment_methods.detach",
    permission="payment_methods:write",
    parameters=parameters_of.DetachPaymentMethod,
    answers=KIND,
)
async def detach(context: RequestContext) -> Reply:
    """Detach a payment method from its customer.

    It cannot be attached again.
    """
    tree = expand.paths(context, context.parse(parameters_of.DetachPaymentMethod).expand, KIND)
    id = context.match["payment_method"]

    async def act(unit: UnitOfWork) -> Reply:
        owner = (await unit.load(PAYMENT_METHOD, id)).customer
        unit.do(PAYMENT_METHOD, id, DetachFromCustomer(id=id))
        assert owner is not None, "one that is not attached was refused"
        state = await commands_of.load(unit, owner)
        at = await clocks.moment(unit, state)
        unit.do(CUSTOMER, owner, DetachPaymentMethod(id=id, at=at))
        return await resources.object_reply(context, unit, KIND, id, tree)

    return await _transact(context, act, PAYMENT_METHOD.stream(id))


@operation(
    "GET",
    URL,
    "payment_methods.list",
    permission="payment_methods:read",
    parameters=parameters_of.ListPaymentMethods,
    answers=f"list.{KIND}",
)
async def list_all(context: RequestContext) -> Reply:
    """List payment methods.

    Newest first.
    """
    parameters = context.parse(parameters_of.ListPaymentMethods)
    owner = parameters.customer
    if owner is not None:
        body = await context.pipeline.reader.customer(context.caller.scope, owner)
        if body is None or orjson.loads(body).get("deleted"):
            raise _no_such_customer(owner)
    return await resources.page(context, KIND, parameters, URL, parent=owner, facts=parameters.facts())


@operation(
    "GET",
    OF_CUSTOMER,
    "customers.payment_methods.list",
    permission="payment_methods:read",
    parameters=parameters_of.ListOfCustomer,
    answers=f"list.{KIND}",
)
async def list_of_customer(context: RequestContext) -> Reply:
    """List a customer's payment methods.

    Newest first.
    """
    parameters = context.parse(parameters_of.ListOfCustomer)
    owner = await resources.of_customer(context)
    url = OF_CUSTOMER.format(customer=owner)
    return await resources.page(context, KIND, parameters, url, parent=owner, facts=parameters.facts())


@operation(
    "GET",
    f"{OF_CUSTOMER}/{{payment_method}}",
    "customers.payment_methods.retrieve",
    permission="payment_methods:read",
    parameters=parameters_of.RetrievePaymentMethod,
    answers=KIND,
)
async def retrieve_of_customer(context: RequestContext) -> Reply:
    """Retrieve a customer's payment method."""
    asked = context.parse(parameters_of.RetrievePaymentMethod).expand
    owner = await resources.of_customer(context)
    return await resources.retrieve(context, KIND, context.match["payment_method"], asked, parent=owner)


async def _card(unit: UnitOfWork, context: RequestContext, given: NewCard, id: str) -> Card:
    """What is kept of a card that was sent in full, or by a token. Raises Declined, Refusal."""
    preferred = given.networks.preferred if given.networks is not None else None
    if given.token is None:
        assert given.number is not None
        assert given.exp_month is not None
        assert given.exp_year is not None
        return cards.read_card(
            context.caller,
            cards.NewCard(
                number=given.number,
                exp_month=given.exp_month,
                exp_year=given.exp_year,
                cvc=given.cvc,
                preferred_network=preferred,
            ),
        )
    kept = await tokens.take(unit, context.caller, given.token, by=id, param="card[token]")
    if not isinstance(kept, Card):
        raise Refusal("A payment method of the type card is made of a card's token.", param="card[token]")
    return kept


def _patch(
    context: RequestContext, parameters: parameters_of.UpdatePaymentMethod, state: PaymentMethod
) -> PaymentMethodPatch:
    """What was sent, as the events have it. Raises Declined for a month that is over."""
    for name in ("card", "us_bank_account"):
        if getattr(parameters, name) is not None and state.id and state.type != name:
            raise Refusal(f"This PaymentMethod is of the type {state.type}, and has no {name}.", param=name)
    patch: PaymentMethodPatch = {}
    if parameters.allow_redisplay is not None:
        patch["allow_redisplay"] = parameters.allow_redisplay
    if parameters.billing_details is not None:
        patch["billing_details"] = parameters.billing_details.patch()
    if "metadata" in parameters.model_fields_set:
        patch["metadata"] = parameters.metadata
    if parameters.us_bank_account is not None:
        patch["details"] = parameters.us_bank_account.model_dump(exclude_none=True)
    if parameters.card is not None:
        patch["card"] = _card_patch(context, parameters.card, state.card)
    return patch


def _card_patch(context: RequestContext, given: parameters_of.CardEdit, known: Card | None) -> dict[str, object]:
    patch: dict[str, object] = {}
    if known is not None and (given.exp_month, given.exp_year) != (None, None):
        patch["exp_month"], patch["exp_year"] = cards.new_expiry(context.caller, known, given.exp_month, given.exp_year)
    if given.networks is not None:
        patch["preferred_network"] = given.networks.preferred
    return patch


async def _not_while_its_clock_moves(unit: UnitOfWork, state: PaymentMethod) -> None:
    if state.customer is not None:
        owner: Customer = await commands_of.load(unit, state.customer)
        await clocks.moment(unit, owner)


async def _transact(
    context: RequestContext, act: Callable[[UnitOfWork], Awaitable[Reply]], *serialized_on: str
) -> Reply:
    return await context.transact(act, serialized_on=serialized_on)


def _no_such_customer(id: str) -> Refusal:
    return Refusal(Missing(customer.KIND, id).message, code="resource_missing", param="customer")
