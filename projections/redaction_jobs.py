"""Redaction jobs and the errors of their validation as the API shows them, and the scheduler's work on jobs."""

from collections.abc import Iterable
from typing import Any

from events import redaction_job
from events.decider import Change
from events.redaction_job import JobCreated, JobError, RedactionJob, RunBegun, ValidationBegun
from projections.rows import DueRow, ResourceRow, Rows, resource_row

KIND = redaction_job.KIND
ERROR = "privacy.redaction_job_validation_error"
OBJECTS = "privacy.redaction_job_objects"  # what is shown when `objects` is expanded: its id is the job's
URL = "/v1/privacy/redaction_jobs"
ERRORS_SHOWN = 10
VALIDATE = "redaction_job.validate"
RUN = "redaction_job.run"


def render(job: RedactionJob, livemode: bool) -> dict[str, Any]:
    """A job in its default representation (API reference, the redaction job object)."""
    return {
        "id": job.id,
        "object": KIND,
        "created": job.created,
        "livemode": livemode,
        "objects": None,
        "status": job.status,
        "validation_behavior": job.behavior,
        "validation_errors": {
            "object": "list",
            "data": [render_error(error) for error in job.errors[:ERRORS_SHOWN]],
            "has_more": len(job.errors) > ERRORS_SHOWN,
            "url": f"{URL}/{job.id}/validation_errors",
        },
    }


def render_error(error: JobError) -> dict[str, Any]:
    """An error (API reference, the redaction job validation error object)."""
    return {
        "id": error.id,
        "object": ERROR,
        "code": error.code,
        "erroring_object": {"id": error.customer, "object_type": "customer"} if error.customer else None,
        "message": error.message,
    }


def rows(change: Change[RedactionJob]) -> Rows:
    """The job's row, those of its errors, and the work that is due on it. Jobs have no notices."""
    before, job, origin = change.before, change.after, change.origin
    shown = {"customers": job.customers}
    resources = [
        resource_row(
            origin,
            change.version,
            kind=KIND,
            id=job.id,
            created=job.created,
            shown=render(job, origin.livemode),
            facts={"status": job.status},
        )
    ]
    if not before.id:
        resources.append(
            resource_row(origin, change.version, kind=OBJECTS, id=job.id, created=job.created, shown=shown)
        )
    if before.errors != job.errors:
        kept = {error.id for error in job.errors}
        resources += _errors(change, (error for error in before.errors if error.id not in kept), deleted=True)
        resources += _errors(change, reversed(job.errors), deleted=False)
    return Rows(resources=tuple(resources), due=tuple(_due(change)))


def _errors(change: Change[RedactionJob], errors: Iterable[JobError], *, deleted: bool) -> Iterable[ResourceRow]:
    job, origin = change.after, change.origin
    for order, error in enumerate(errors):  # of those of one validation, which lists show newest first
        yield resource_row(
            origin,
            change.version,
            kind=ERROR,
            id=error.id,
            created=int(origin.at.timestamp()) + order,
            shown=render_error(error),
            parent=job.id,
            deleted=deleted,
        )


def _due(change: Change[RedactionJob]) -> Iterable[DueRow]:
    """Validation and erasure are due at once, and until their outcome is reported."""
    scope, id = change.origin.scope, change.after.id
    for event, _ in change.steps:
        match event:
            case JobCreated():
                yield DueRow(*scope, KIND, id, VALIDATE, id, event.created)
            case ValidationBegun():
                yield DueRow(*scope, KIND, id, VALIDATE, id, event.at)
            case RunBegun():
                yield DueRow(*scope, KIND, id, RUN, id, event.at)
            case _:
                pass
