"""`/v1/customers/{customer}/tax_ids` and `/v1/tax_ids`: create, retrieve, list, delete.

The second has the account's own tax ids beside those of customers, whose `owner` says which.
"""

import orjson

from events import customer
from events.account_tax_id import ACCOUNT_TAX_ID
from events.customer import CUSTOMER
from events.errors import Missing, Refusal
from events.unit_of_work import UnitOfWork
from projections import tax_ids
from projections.rows import dumps
from projections.tax_ids import KIND
from service.commands import account_tax_ids
from service.commands.customer import tax_ids as customer_tax_ids
from service.http import expand, resources
from service.http.expand import Tree
from service.http.operation import Operations
from service.http.params import tax_id as parameters_of
from service.http.permissions import always
from service.http.pipeline import RequestContext
from service.http.reply import Reply

operation = Operations()
URL = "/v1/tax_ids"
OF_CUSTOMER = "/v1/customers/{customer}/tax_ids"


@operation(
    "POST",
    OF_CUSTOMER,
    "customers.tax_ids.create",
    permission="customers:write",
    parameters=parameters_of.CreateTaxId,
    answers=KIND,
    beside=always("tax_ids:write"),
)
async def create_of_customer(context: RequestContext) -> Reply:
    """Create a customer's tax id."""
    parameters = context.parse(parameters_of.CreateTaxId)
    return await _create(context, context.match["customer"], parameters, expand.paths(context, parameters.expand, KIND))


@operation(
    "GET",
    f"{OF_CUSTOMER}/{{tax_id}}",
    "customers.tax_ids.retrieve",
    permission="customers:read",
    parameters=parameters_of.RetrieveTaxId,
    answers=KIND,
    beside=always("tax_ids:read"),
)
async def retrieve_of_customer(context: RequestContext) -> Reply:
    """Retrieve a customer's tax id."""
    asked = context.parse(parameters_of.RetrieveTaxId).expand
    parent = await resources.of_customer(context)
    return await resources.retrieve(context, KIND, context.match["tax_id"], asked, parent=parent)


@operation(
    "GET",
    OF_CUSTOMER,
    "customers.tax_ids.list",
    permission="customers:read",
    parameters=parameters_of.ListTaxIds,
    answers=f"list.{KIND}",
    beside=always("tax_ids:read"),
)
async def list_of_customer(context: RequestContext) -> Reply:
    """List a customer's tax ids.

    Newest first.
    """
    parameters = context.parse(parameters_of.ListTaxIds)
    parent = await resources.of_customer(context)
    return await resources.page(context, KIND, parameters, OF_CUSTOMER.format(customer=parent), parent=parent)


@operation(
    "DELETE",
    f"{OF_CUSTOMER}/{{tax_id}}",
    "customers.tax_ids.delete",
    permission="customers:write",
    parameters=parameters_of.DeleteTaxId,
    answers=f"deleted_{KIND}",
    beside=always("tax_ids:write"),
)
async def delete_of_customer(context: RequestContext) -> Reply:
    """Delete a customer's tax id."""
    expand.paths(context, context.parse(parameters_of.DeleteTaxId).expand, KIND)
    return await _delete(context, context.match["customer"], context.match["tax_id"])


@operation(
    "POST", URL, "tax_ids.create", permission="tax_ids:write", parameters=parameters_of.CreateOwnedTaxId, answers=KIND
)
async def create(context: RequestContext) -> Reply:
    """Create a tax id.

    Its owner is the account, or a customer.
    """
    parameters = context.parse(parameters_of.CreateOwnedTaxId)
    owner = parameters.customer_id()
    tree = expand.paths(context, parameters.expand, KIND)
    if owner is not None:
        context.permit("customers:write")
        try:
            return await _create(context, owner, parameters, tree)
        except Missing as missing:
            raise _no_such_owner(missing.message) from None
    new = parameters.number()

    async def act(unit: UnitOfWork) -> Reply:
        id = await account_tax_ids.create(unit, new)
        return await resources.object_reply(context, unit, KIND, id, tree)

    return await context.transact(act)


@operation(
    "GET",
    f"{URL}/{{tax_id}}",
    "tax_ids.retrieve",
    permission="tax_ids:read",
    parameters=parameters_of.RetrieveTaxId,
    answers=KIND,
)
async def retrieve(context: RequestContext) -> Reply:
    """Retrieve a tax id."""
    asked = context.parse(parameters_of.RetrieveTaxId).expand
    return await resources.retrieve(context, KIND, context.match["tax_id"], asked)


@operation(
    "GET",
    URL,
    "tax_ids.list",
    permission="tax_ids:read",
    parameters=parameters_of.ListOwnedTaxIds,
    answers=f"list.{KIND}",
)
async def list_all(context: RequestContext) -> Reply:
    """List tax ids.

    Those of the account, or of a customer, newest first.
    """
    parameters = context.parse(parameters_of.ListOwnedTaxIds)
    owner = parameters.customer_id()
    if owner is not None:
        body = await context.pipeline.reader.customer(context.caller.scope, owner)
        if body is None or orjson.loads(body).get("deleted"):
            raise _no_such_owner(f"No such {customer.KIND}: '{owner}'")
    return await resources.page(context, KIND, parameters, URL, parent=owner or "")


@operation(
    "DELETE",
    f"{URL}/{{tax_id}}",
    "tax_ids.delete",
    permission="tax_ids:write",
    parameters=parameters_of.DeleteTaxId,
    answers=f"deleted_{KIND}",
)
async def delete(context: RequestContext) -> Reply:
    """Delete a tax id."""
    expand.paths(context, context.parse(parameters_of.DeleteTaxId).expand, KIND)
    id = context.match["tax_id"]
    owner: str | None = orjson.loads(await resources.find(context, KIND, id))["customer"]
    if owner is not None:
        context.permit("customers:write")
        return await _delete(context, owner, id)

    async def act(unit: UnitOfWork) -> Reply:
        await account_tax_ids.delete(unit, id)
        return _deleted(id)

    return await context.transact(act, serialized_on=(ACCOUNT_TAX_ID.stream(id),))


async def _create(context: RequestContext, owner: str, parameters: parameters_of.CreateTaxId, tree: Tree) -> Reply:
    async def act(unit: UnitOfWork) -> Reply:
        id = await customer_tax_ids.create(unit, owner, parameters.number())
        return await resources.object_reply(context, unit, KIND, id, tree)

    return await context.transact(act, serialized_on=(CUSTOMER.stream(owner),))


async def _delete(context: RequestContext, owner: str, id: str) -> Reply:
    async def act(unit: UnitOfWork) -> Reply:
        await customer_tax_ids.delete(unit, owner, id)
        return _deleted(id)

    return await context.transact(act, serialized_on=(CUSTOMER.stream(owner),))


def _deleted(id: str) -> Reply:
    return Reply(status=200, body=dumps(tax_ids.render_deleted(id)))


def _no_such_owner(message: str) -> Refusal:
    return Refusal(message, code="resource_missing", param="owner[customer]")
