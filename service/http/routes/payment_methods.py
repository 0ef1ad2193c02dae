"""`/v1/payment_methods`: create, retrieve, update, list, attach, detach; and those of one customer."""

import orjson

from events.customer import CUSTOMER
from events.payment_method import PAYMENT_METHOD
from events.unit_of_work import UnitOfWork
from projections.payment_methods import KIND
from service.commands import payment_methods as commands_of
from service.commands import tokens
from service.commands.customer import payment_method
from service.http import expand, resources
from service.http.operation import Operations
from service.http.params import payment_method as parameters_of
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
    new = parameters.command()
    tree = expand.paths(context, parameters.expand, KIND)

    async def act(unit: UnitOfWork) -> Reply:
        id = await commands_of.create(unit, context.caller, new)
        return await resources.object_reply(context, unit, KIND, id, tree)

    return await context.transact(act, serialized_on=tokens.streams(context.caller, new.card))


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
    if not given.startswith((payment_method.CARD, payment_method.BANK_ACCOUNT)):
        return await resources.retrieve(context, KIND, given, asked)
    tree = expand.paths(context, asked, KIND)
    context.permit("payment_methods:write")  # for it is made

    async def act(unit: UnitOfWork) -> Reply:
        id = await payment_method.found(unit, context.caller, given)
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

    patch, card = parameters.patch(), parameters.card.change() if parameters.card is not None else None

    async def act(unit: UnitOfWork) -> Reply:
        await commands_of.update(unit, context.caller, id, patch, card)
        return await resources.object_reply(context, unit, KIND, id, tree)

    return await context.transact(act, serialized_on=(PAYMENT_METHOD.stream(id),))


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
        id = await commands_of.attach(unit, context.caller, given, owner)
        return await resources.object_reply(context, unit, KIND, id, tree)

    return await context.transact(act, serialized_on=(CUSTOMER.stream(owner), PAYMENT_METHOD.stream(given)))


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
        await commands_of.detach(unit, id)
        return await resources.object_reply(context, unit, KIND, id, tree)

    return await context.transact(act, serialized_on=(PAYMENT_METHOD.stream(id),))


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
            raise commands_of.no_such_customer(owner)
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
