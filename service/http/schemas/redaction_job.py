"""The redaction job object, and the errors of its validation."""

from typing import Literal

from service.http.schemas.schema import ListOf, Shape


class ErroringObject(Shape):
    """The object that an error is about."""

    id: str
    """Id of the object."""
    object_type: Literal["customer"]
    """Type of the object."""


class ValidationError(Shape):
    """Why an object cannot be redacted."""

    id: str
    """Unique identifier of the error."""
    object: Literal["privacy.redaction_job_validation_error"]
    """Type of the object: an error of the validation of a redaction job."""
    code: Literal["invalid_cascading_source", "invalid_state", "locked_by_other_job", "too_many_objects"]
    """Code of the error: `invalid_state` of an unknown customer, a legal hold, or a running subscription."""
    erroring_object: ErroringObject | None
    """Object that the error is about; null when it is about the job."""
    message: str
    """Message, for people."""


class RedactionObjects(Shape):
    """Objects of a redaction job, by type."""

    customers: list[str]
    """Ids of the customers."""


class RedactionJob(Shape):
    """A request to redact objects: to erase what is personal of them."""

    id: str
    """Unique identifier of the redaction job."""
    object: Literal["privacy.redaction_job"]
    """Type of the object: a redaction job."""
    created: int
    """Time of creation, in Unix seconds."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    objects: RedactionObjects | None
    """Objects to redact, when expanded; else null."""
    status: Literal["canceled", "failed", "ready", "redacting", "succeeded", "validating"]
    """Status: `validating`, then `ready` to run, `redacting`, `succeeded`; `failed` has validation errors."""
    validation_behavior: Literal["error", "fix"]
    """What is done about running subscriptions: `error`, or `fix` to cancel them."""
    validation_errors: ListOf[ValidationError]
    """Errors of the last validation or run, ten at most."""
