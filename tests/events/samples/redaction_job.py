"""Events of redaction jobs."""

from events.redaction_job import (
    JobCanceled,
    JobCreated,
    JobError,
    JobFinished,
    JobUpdated,
    JobValidated,
    RunBegun,
    ValidationBegun,
)

ERROR = JobError(
    code="invalid_state",
    customer="cus_NffrFeUfNV2Hib",
    id="prjve_1Mr5jULkdIwHu7",
    message="Customer cus_NffrFeUfNV2Hib has 1 running subscription(s).",
)

SAMPLES = (
    JobCreated(behavior="error", created=1_700_000_000, customers=("cus_NffrFeUfNV2Hib",), id="prj_1Mr5jULkdIwHu7"),
    JobUpdated(behavior="fix"),
    ValidationBegun(at=1_700_000_001),
    JobValidated(errors=(ERROR,)),
    RunBegun(at=1_700_000_002),
    JobFinished(errors=(ERROR,)),
    JobCanceled(id="prj_1Mr5jULkdIwHu7"),
)
