"""`/v1/test_helpers/test_clocks`: create, retrieve, list, advance, delete. In test mode only."""

from types import MappingProxyType

from events import testclock
from events.customer import CUSTOMER
from events.errors import Refusal
from events.testclock import TEST_CLOCK
from events.unit_of_work import UnitOfWork
from projections import testclocks
from projections.rows import dumps
from service.commands import testclocks as commands_of
from service.http import expand, resources
from service.http.operation import Operations
from service.http.params import testclock as parameters_of
from service.http.permissions import always
from service.http.pipeline import RequestContext
from service.http.reply import Reply

operation = Operations()
URL = "/v1/test_helpers/test_clocks"
KIND = testclock.KIND


@operation(
    "POST",
    URL,
    "test_clocks.create",
    permission="test_clocks:write",
    parameters=parameters_of.CreateTestClock,
    answers=KIND,
    beside=MappingProxyType({"customer": ("customers:write",)}),
)
async def create(context: RequestContext) -> Reply:
    """Create a test clock.

    The clock is frozen at a time, for an existing customer or for new ones.
    """
    _in_test_mode(context)
    parameters = context.parse(parameters_of.CreateTestClock)
    tree = expand.paths(context, parameters.expand, KIND)
    guest = parameters.customer

    async def act(unit: UnitOfWork) -> Reply:
        id = await commands_of.create(unit, parameters.frozen_time, parameters.name, guest)
        return await resources.object_reply(context, unit, KIND, id, tree)

    return await context.transact(act, serialized_on=() if guest is None else (CUSTOMER.stream(guest),))


@operation(
    "POST",
    f"{URL}/{{test_clock}}/advance",
    "test_clocks.advance",
    permission="test_clocks:write",
    parameters=parameters_of.AdvanceTestClock,
    answers=KIND,
)
async def advance(context: RequestContext) -> Reply:
    """Advance a test clock.

    The clock is `ready` again once everything that is due by then is done.
    """
    _in_test_mode(context)
    parameters = context.parse(parameters_of.AdvanceTestClock)
    tree = expand.paths(context, parameters.expand, KIND)
    id = context.match["test_clock"]

    async def act(unit: UnitOfWork) -> Reply:
        await commands_of.advance(unit, id, parameters.frozen_time)
        return await resources.object_reply(context, unit, KIND, id, tree)

    return await context.transact(act, serialized_on=(TEST_CLOCK.stream(id),))


@operation(
    "DELETE",
    f"{URL}/{{test_clock}}",
    "test_clocks.delete",
    permission="test_clocks:write",
    parameters=parameters_of.DeleteTestClock,
    answers=f"deleted_{KIND}",
    beside=always("customers:write"),
)
async def delete(context: RequestContext) -> Reply:
    """Delete a test clock.

    Its customers are deleted with it.
    """
    _in_test_mode(context)
    expand.paths(context, context.parse(parameters_of.DeleteTestClock).expand, KIND)
    id = context.match["test_clock"]

    async def act(unit: UnitOfWork) -> Reply:
        await commands_of.delete(unit, id)
        return Reply(status=200, body=dumps(testclocks.render_deleted(id)))

    return await context.transact(act, serialized_on=(TEST_CLOCK.stream(id),))


@operation(
    "GET",
    f"{URL}/{{test_clock}}",
    "test_clocks.retrieve",
    permission="test_clocks:read",
    parameters=parameters_of.RetrieveTestClock,
    answers=KIND,
)
async def retrieve(context: RequestContext) -> Reply:
    """Retrieve a test clock."""
    _in_test_mode(context)
    asked = context.parse(parameters_of.RetrieveTestClock).expand
    return await resources.retrieve(context, KIND, context.match["test_clock"], asked)


@operation(
    "GET",
    URL,
    "test_clocks.list",
    permission="test_clocks:read",
    parameters=parameters_of.ListTestClocks,
    answers=f"list.{KIND}",
)
async def list_all(context: RequestContext) -> Reply:
    """List test clocks.

    Newest first.
    """
    _in_test_mode(context)
    return await resources.page(context, KIND, context.parse(parameters_of.ListTestClocks), URL)


def _in_test_mode(context: RequestContext) -> None:
    """Raises Refusal for live keys."""
    if context.caller.livemode:
        raise Refusal(
            "Test clocks are only available in test mode. Please use a test mode API key.", code="livemode_mismatch"
        )
