"""Redaction jobs: create, update, validate, run, cancel; and what the scheduler does for them.

Validation and erasure may be done twice, by whoever takes over from a process that was killed: an erasure that was
made before changes nothing, and an outcome is reported once.
"""

import os
from collections.abc import Sequence

from events import customer, ids, redaction_job
from events.customer import CUSTOMER
from events.customer.erasure import INVALID_STATE, EraseCustomer, NotErasable
from events.errors import Missing
from events.record import Origin
from events.redaction_job import (
    REDACTION_JOB,
    Behavior,
    CancelJob,
    CreateJob,
    FinishJob,
    FinishValidation,
    JobError,
    RedactionJob,
    RunJob,
    UpdateJob,
    ValidateJob,
)
from events.unit_of_work import UnitOfWork
from service.wiring import Core

BASIS = "GDPR Art. 17"  # of a job, which names none: the right to erasure
TOO_MANY = "too_many_objects"


def create(unit: UnitOfWork, customers: Sequence[str], behavior: Behavior) -> str:
    """Make a job for customers, each once; gives its id."""
    id = ids.new("prj", os.urandom(ids.ID_BYTES))
    unit.begin(REDACTION_JOB, id)
    command = CreateJob(id=id, behavior=behavior, created=_now(unit.origin), customers=tuple(dict.fromkeys(customers)))
    unit.do(REDACTION_JOB, id, command)
    return id


async def update(unit: UnitOfWork, id: str, behavior: Behavior | None) -> None:
    """Change what is done about what can be ended. Raises Missing, Refusal."""
    state = await unit.load(REDACTION_JOB, id)
    unit.do(REDACTION_JOB, id, UpdateJob(id=id, behavior=behavior or state.behavior))


async def validate(unit: UnitOfWork, id: str) -> None:
    """Have a failed job validated again. Raises Missing, Refusal."""
    await unit.load(REDACTION_JOB, id)
    unit.do(REDACTION_JOB, id, ValidateJob(id=id, at=_now(unit.origin)))


async def run(unit: UnitOfWork, id: str) -> None:
    """Have the customers of a job erased. Raises Missing, Refusal."""
    await unit.load(REDACTION_JOB, id)
    unit.do(REDACTION_JOB, id, RunJob(id=id, at=_now(unit.origin)))


async def cancel(unit: UnitOfWork, id: str) -> None:
    """End a job that does not run. Raises Missing, Refusal."""
    await unit.load(REDACTION_JOB, id)
    unit.do(REDACTION_JOB, id, CancelJob(id=id))


async def do_validation(core: Core, id: str, origin: Origin) -> None:
    """Validate a job, and report what came of it. Raises LogUnavailable."""
    job = await core.executor.state(REDACTION_JOB, id, origin)
    if job.status == "validating":
        errors = await _errors(core, job, origin)
        await _report(core, origin, FinishValidation(id=id, errors=errors))


async def do_run(core: Core, id: str, origin: Origin) -> None:
    """Erase the customers of a job, and report it. Raises LockTimeout, LogUnavailable, and is then done again."""
    job = await core.executor.state(REDACTION_JOB, id, origin)
    if job.status != "redacting":
        return
    errors = []
    for one in job.customers:
        try:
            await core.eraser.erase(_erasure(job, one, origin), origin)
        except (Missing, NotErasable) as refusal:  # it may have been placed under a hold since
            errors.append(_error(INVALID_STATE, one, refusal.message))
    await _report(core, origin, FinishJob(id=id, errors=errors))


async def _errors(core: Core, job: RedactionJob, origin: Origin) -> Sequence[JobError]:
    if len(job.customers) > redaction_job.CUSTOMERS_MAX:
        message = f"A redaction job can have up to {redaction_job.CUSTOMERS_MAX} customers."
        return [_error(TOO_MANY, "", message)]
    errors = []
    for one in job.customers:
        state = await core.executor.state(CUSTOMER, one, origin)
        try:
            customer.decide(state, _erasure(job, one, origin))
        except (Missing, NotErasable) as refusal:
            errors.append(_error(INVALID_STATE, one, refusal.message))
    return errors


async def _report(core: Core, origin: Origin, command: FinishValidation | FinishJob) -> None:
    async def act(unit: UnitOfWork) -> None:
        await unit.load(REDACTION_JOB, command.id)
        unit.do(REDACTION_JOB, command.id, command)

    await core.executor.transact(act, origin, serialized_on=(REDACTION_JOB.stream(command.id),))


def _erasure(job: RedactionJob, id: str, origin: Origin) -> EraseCustomer:
    return EraseCustomer(
        id=id, at=_now(origin), basis=BASIS, cancel_subscriptions=job.behavior == "fix", requested_by=job.id
    )


def _error(code: str, id: str, message: str) -> JobError:
    return JobError(code=code, customer=id, id=ids.new("prjve", os.urandom(ids.ID_BYTES)), message=message)


def _now(origin: Origin) -> int:
    return int(origin.at.timestamp())
