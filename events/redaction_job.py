"""A redaction job: its own stream, `privacy.redaction_job-prj_…`, decided and folded by pure functions.

It names customers that are to be erased, is validated, and erases them once it is asked to run. Validation and erasure
are done by the scheduler, which reports what came of them; a job goes through

    validating -> ready -> redacting -> succeeded

and from validating or redacting to failed, from where it is validated again; ready or failed ones may be canceled.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, assert_never

from events.decider import Decider
from events.errors import Missing, Refusal

KIND = "privacy.redaction_job"
NAME = "redaction job"  # in messages
CUSTOMERS_MAX = 100  # of one job; more are an error of its validation
ERRORS_MAX = 100  # that are kept of one validation

Status = Literal["validating", "ready", "redacting", "succeeded", "failed", "canceled"]
Behavior = Literal["error", "fix"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """Why a customer may not be erased; `code` is a word of the API."""

    code: str
    customer: str
    id: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateJob:
    """Make a job, which is validated first; `created` is Unix seconds."""

    id: str
    behavior: Behavior
    created: int
    customers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateJob:
    """Say what to do about what forbids an erasure and can be ended: running subscriptions."""

    id: str
    behavior: Behavior


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidateJob:
    """Validate a job that failed again; `at` is Unix seconds."""

    id: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishValidation:
    """Report what came of the validation."""

    id: str
    errors: Sequence[JobError]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunJob:
    """Erase the customers; `at` is Unix seconds."""

    id: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishJob:
    """Report that every customer is erased but those that the errors name."""

    id: str
    errors: Sequence[JobError]


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelJob:
    """End a job that does not run."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCreated:
    """The job is there, and is to be validated."""

    behavior: Behavior
    created: int
    customers: tuple[str, ...]
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobUpdated:
    """This is done about what can be ended."""

    behavior: Behavior


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationBegun:
    """The job is to be validated again."""

    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobValidated:
    """The job is ready to run, if there are no errors."""

    errors: tuple[JobError, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBegun:
    """The customers are being erased."""

    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFinished:
    """Every customer is erased, if there are no errors."""

    errors: tuple[JobError, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCanceled:
    """The job will not run."""

    id: str


Command = CreateJob | UpdateJob | ValidateJob | FinishValidation | RunJob | FinishJob | CancelJob
Event = JobCreated | JobUpdated | ValidationBegun | JobValidated | RunBegun | JobFinished | JobCanceled
EVENT_TYPES: dict[str, type] = {
    "redaction_job.created": JobCreated,
    "redaction_job.updated": JobUpdated,
    "redaction_job.validation_begun": ValidationBegun,
    "redaction_job.validated": JobValidated,
    "redaction_job.run_begun": RunBegun,
    "redaction_job.finished": JobFinished,
    "redaction_job.canceled": JobCanceled,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionJob:
    """A job as the events so far have left it; `id` is empty before the first of them."""

    id: str = ""
    behavior: Behavior = "error"
    created: int = 0
    customers: tuple[str, ...] = ()
    errors: tuple[JobError, ...] = ()
    status: Status = "validating"


NO_JOB = RedactionJob()


def decide(state: RedactionJob, command: Command) -> list[Event]:
    """Say what `command` would make happen; nothing when all is so already.

    Raises Missing for a job that never was, Refusal for one whose status does not allow it.
    """
    if isinstance(command, CreateJob):
        assert not state.id, "ids of new jobs are fresh"
        created = JobCreated(
            behavior=command.behavior, created=command.created, customers=command.customers, id=command.id
        )
        return [created]
    if not state.id:
        raise Missing(NAME, command.id)
    match command:
        case UpdateJob():
            _must_be(state, ("validating", "ready", "failed"), "updated")
            if command.behavior == state.behavior:
                return []
            changed: list[Event] = [JobUpdated(behavior=command.behavior)]
            return changed
        case ValidateJob():
            if state.status == "validating":
                return []
            _must_be(state, ("failed",), "validated")
            return [ValidationBegun(at=command.at)]
        case FinishValidation():
            return [JobValidated(errors=_few(command.errors))] if state.status == "validating" else []
        case RunJob():
            if state.status == "redacting":
                return []
            _must_be(state, ("ready",), "run")
            return [RunBegun(at=command.at)]
        case FinishJob():
            return [JobFinished(errors=_few(command.errors))] if state.status == "redacting" else []
        case CancelJob():
            if state.status == "canceled":
                return []
            _must_be(state, ("ready", "failed"), "canceled")
            return [JobCanceled(id=state.id)]
        case _:
            assert_never(command)


def evolve(state: RedactionJob, event: Event) -> RedactionJob:
    """Fold one event in."""
    match event:
        case JobCreated():
            return RedactionJob(id=event.id, behavior=event.behavior, created=event.created, customers=event.customers)
        case JobUpdated():
            return replace(state, behavior=event.behavior)
        case ValidationBegun():
            return replace(state, errors=(), status="validating")
        case JobValidated():
            return replace(state, errors=event.errors, status="failed" if event.errors else "ready")
        case RunBegun():
            return replace(state, status="redacting")
        case JobFinished():
            return replace(state, errors=event.errors, status="failed" if event.errors else "succeeded")
        case JobCanceled():
            return replace(state, status="canceled")
        case _:
            assert_never(event)


def _must_be(state: RedactionJob, statuses: Sequence[Status], done: str) -> None:
    """Raises Refusal for a job of another status."""
    if state.status not in statuses:
        raise Refusal(
            f"This redaction job is {state.status}; it can be {done} while it is {' or '.join(statuses)}.",
            code="redaction_job_unexpected_state",
        )


def _few(errors: Sequence[JobError]) -> tuple[JobError, ...]:
    return tuple(errors)[:ERRORS_MAX]


REDACTION_JOB: Decider[RedactionJob, Command, Event] = Decider(KIND, NO_JOB, decide, evolve)
