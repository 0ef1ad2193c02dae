"""`/v1/privacy/redaction_jobs`: create, update, validate, run, cancel, retrieve, list; and their validation errors."""

from collections.abc import Awaitable, Callable

import orjson

from events.errors import Missing
from events.redaction_job import REDACTION_JOB
from events.unit_of_work import UnitOfWork
from projections.redaction_jobs import ERROR, KIND, URL, render_error
from projections.rows import dumps
from service.commands import redaction_jobs as commands_of
from service.http import expand, resources
from service.http.operation import Operations
from service.http.params import redaction_job as parameters_of
from service.http.permissions import always
from service.http.pipeline import RequestContext
from service.http.reply import Reply

operation = Operations()
JOB = f"{URL}/{{redaction_job}}"


@operation(
    "POST",
    URL,
    "privacy.redaction_jobs.create",
    permission="privacy:write",
    parameters=parameters_of.CreateRedactionJob,
    answers=KIND,
)
async def create(context: RequestContext) -> Reply:
    """Create a redaction job.

    It is validated in the background, and then `ready` to run, or `failed`.
    """
    parameters = context.parse(parameters_of.CreateRedactionJob)
    _permit(context, parameters.validation_behavior)
    tree = expand.paths(context, parameters.expand, KIND)

    async def act(unit: UnitOfWork) -> Reply:
        id = commands_of.create(unit, parameters.objects.customers, parameters.validation_behavior)
        return await resources.object_reply(context, unit, KIND, id, tree)

    return await context.transact(act)


@operation(
    "POST",
    JOB,
    "privacy.redaction_jobs.update",
    permission="privacy:write",
    parameters=parameters_of.UpdateRedactionJob,
    answers=KIND,
)
async def update(context: RequestContext) -> Reply:
    """Update a redaction job.

    Before it runs.
    """
    parameters = context.parse(parameters_of.UpdateRedactionJob)
    _permit(context, parameters.validation_behavior)

    async def act(unit: UnitOfWork, id: str) -> None:
        await commands_of.update(unit, id, parameters.validation_behavior)

    return await _changed(context, act, parameters.expand)


@operation(
    "POST",
    f"{JOB}/validate",
    "privacy.redaction_jobs.validate",
    permission="privacy:write",
    parameters=parameters_of.RedactionJobAction,
    answers=KIND,
)
async def validate(context: RequestContext) -> Reply:
    """Validate a redaction job.

    Again, after it failed.
    """
    parameters = context.parse(parameters_of.RedactionJobAction)
    return await _changed(context, commands_of.validate, parameters.expand)


@operation(
    "POST",
    f"{JOB}/run",
    "privacy.redaction_jobs.run",
    permission="privacy:write",
    parameters=parameters_of.RedactionJobAction,
    answers=KIND,
    beside=always("customers:write", "payment_methods:write"),
)
async def run(context: RequestContext) -> Reply:
    """Run a redaction job.

    This cannot be undone: the customers are deleted, and all that is personal of them is erased, in the background. If
    `validation_behavior` is `fix`, a restricted key also needs the permission `subscriptions:write`.
    """
    parameters = context.parse(parameters_of.RedactionJobAction)
    job = orjson.loads(await resources.find(context, KIND, context.match["redaction_job"]))
    _permit(context, job["validation_behavior"])

    async def act(unit: UnitOfWork, id: str) -> None:
        _permit(context, (await unit.load(REDACTION_JOB, id)).behavior)  # it may have been updated since
        await commands_of.run(unit, id)

    return await _changed(context, act, parameters.expand)


@operation(
    "POST",
    f"{JOB}/cancel",
    "privacy.redaction_jobs.cancel",
    permission="privacy:write",
    parameters=parameters_of.RedactionJobAction,
    answers=KIND,
)
async def cancel(context: RequestContext) -> Reply:
    """Cancel a redaction job.

    One that is `ready` or `failed`.
    """
    parameters = context.parse(parameters_of.RedactionJobAction)
    return await _changed(context, commands_of.cancel, parameters.expand)


@operation(
    "GET",
    JOB,
    "privacy.redaction_jobs.retrieve",
    permission="privacy:read",
    parameters=parameters_of.RedactionJobAction,
    answers=KIND,
)
async def retrieve(context: RequestContext) -> Reply:
    """Retrieve a redaction job."""
    asked = context.parse(parameters_of.RedactionJobAction).expand
    return await resources.retrieve(context, KIND, context.match["redaction_job"], asked)


@operation(
    "GET",
    URL,
    "privacy.redaction_jobs.list",
    permission="privacy:read",
    parameters=parameters_of.ListRedactionJobs,
    answers=f"list.{KIND}",
)
async def list_all(context: RequestContext) -> Reply:
    """List redaction jobs.

    Newest first.
    """
    parameters = context.parse(parameters_of.ListRedactionJobs)
    facts = {} if parameters.status is None else {"status": parameters.status}
    return await resources.page(context, KIND, parameters, URL, facts=facts)


@operation(
    "GET",
    f"{JOB}/validation_errors/{{validation_error}}",
    "privacy.redaction_jobs.validation_errors.retrieve",
    permission="privacy:read",
    parameters=parameters_of.RetrieveValidationError,
    answers=ERROR,
)
async def retrieve_error(context: RequestContext) -> Reply:
    """Retrieve a validation error."""
    expand.paths(context, context.parse(parameters_of.RetrieveValidationError).expand, ERROR)
    job, id = context.match["redaction_job"], context.match["validation_error"]
    await resources.find(context, KIND, job)
    state = await context.pipeline.executor.state(REDACTION_JOB, job, context.begin())
    found = next((error for error in state.errors if error.id == id), None)
    if found is None:
        raise Missing("validation error", id)
    return Reply(200, dumps(render_error(found)))


@operation(
    "GET",
    f"{JOB}/validation_errors",
    "privacy.redaction_jobs.validation_errors.list",
    permission="privacy:read",
    parameters=parameters_of.ListValidationErrors,
    answers=f"list.{ERROR}",
)
async def list_errors(context: RequestContext) -> Reply:
    """List the validation errors of a redaction job."""
    parameters = context.parse(parameters_of.ListValidationErrors)
    job = context.match["redaction_job"]
    await resources.find(context, KIND, job)
    return await resources.page(context, ERROR, parameters, f"{URL}/{job}/validation_errors", parent=job)


def _permit(context: RequestContext, behavior: str | None) -> None:
    """Check that a restricted key may cancel subscriptions, where a job does. Raises PermissionDenied."""
    if behavior == "fix":
        context.permit("subscriptions:write")


async def _changed(
    context: RequestContext, change: Callable[[UnitOfWork, str], Awaitable[None]], expanded: tuple[str, ...]
) -> Reply:
    """The job after a change."""
    tree = expand.paths(context, expanded, KIND)
    id = context.match["redaction_job"]

    async def act(unit: UnitOfWork) -> Reply:
        await change(unit, id)
        return await resources.object_reply(context, unit, KIND, id, tree)

    return await context.transact(act, serialized_on=(REDACTION_JOB.stream(id),))
