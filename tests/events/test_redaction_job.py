"""Decisions of redaction jobs: which status allows what, and that an outcome is reported once."""

import pytest

from events.errors import Missing, Refusal
from events.redaction_job import (
    REDACTION_JOB,
    CancelJob,
    FinishJob,
    FinishValidation,
    JobCanceled,
    JobCreated,
    JobError,
    JobFinished,
    JobUpdated,
    JobValidated,
    RunBegun,
    RunJob,
    UpdateJob,
    ValidateJob,
    ValidationBegun,
)
from tests.spec import given

ID = "prj_1"
CREATED = JobCreated(behavior="error", created=1, customers=("cus_1",), id=ID)
ERROR = JobError(code="invalid_state", customer="cus_1", id="prjve_1", message="Held.")
READY = (CREATED, JobValidated(errors=()))
FAILED = (CREATED, JobValidated(errors=(ERROR,)))
RUNNING = (*READY, RunBegun(at=2))
SUCCEEDED = (*RUNNING, JobFinished(errors=()))
CANCELED = (*READY, JobCanceled(id=ID))
ALL = {
    "validating": (CREATED,),
    "ready": READY,
    "failed": FAILED,
    "redacting": RUNNING,
    "succeeded": SUCCEEDED,
    "canceled": CANCELED,
}
# What a command makes happen to a job of a status; None for nothing. It is refused in every other status.
ALLOWED: dict[object, dict[str, object]] = {
    UpdateJob(id=ID, behavior="fix"): dict.fromkeys(("validating", "ready", "failed"), JobUpdated(behavior="fix")),
    ValidateJob(id=ID, at=3): {"failed": ValidationBegun(at=3), "validating": None},
    RunJob(id=ID, at=3): {"ready": RunBegun(at=3), "redacting": None},
    CancelJob(id=ID): {**dict.fromkeys(("ready", "failed"), JobCanceled(id=ID)), "canceled": None},
    FinishValidation(id=ID, errors=()): {**dict.fromkeys(ALL), "validating": JobValidated(errors=())},
    FinishJob(id=ID, errors=()): {**dict.fromkeys(ALL), "redacting": JobFinished(errors=())},
}


@pytest.mark.parametrize("status", ALL)
@pytest.mark.parametrize("command", ALLOWED, ids=lambda command: type(command).__name__)
def test_a_status_allows_just_this(status: str, command: object) -> None:
    history = given(REDACTION_JOB, *ALL[status])
    assert history.state.status == status
    allowed = ALLOWED[command]
    if status not in allowed:
        history.when(command).refused(Refusal, code="redaction_job_unexpected_state")
    else:
        event = allowed[status]
        history.when(command).then(*([] if event is None else [event]))


def test_errors_make_it_fail_and_are_gone_once_it_is_validated_again() -> None:
    failed = given(REDACTION_JOB, CREATED).when(FinishValidation(id=ID, errors=[ERROR]))
    assert failed.then(JobValidated(errors=(ERROR,))).errors == (ERROR,)
    assert given(REDACTION_JOB, *FAILED, ValidationBegun(at=3)).state.errors == ()
    ended = given(REDACTION_JOB, *RUNNING).when(FinishJob(id=ID, errors=[ERROR])).then(JobFinished(errors=(ERROR,)))
    assert (ended.status, ended.errors) == ("failed", (ERROR,))


def test_a_job_that_never_was_is_missing() -> None:
    given(REDACTION_JOB).when(RunJob(id=ID, at=3)).refused(Missing, code="resource_missing", param="id")
