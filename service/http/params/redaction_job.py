"""Parameters of `/v1/privacy/redaction_jobs`."""

from typing import Annotated, Literal

from pydantic import Field

from service.http.params import Parameters
from service.http.params.fields import Array, Expand, NotEmpty
from service.http.params.listing import Listing

OBJECTS_MAX = 200  # in one request; a job is valid with fewer
ID_CHARACTERS_MAX = 255
Behavior = Annotated[Literal["error", "fix"], NotEmpty]


class Objects(Parameters):
    """Objects to redact."""

    customers: Annotated[
        tuple[Annotated[str, Field(max_length=ID_CHARACTERS_MAX), NotEmpty], ...],
        Field(min_length=1, max_length=OBJECTS_MAX),
        Array,
        NotEmpty,
    ]
    """Ids of customers; up to 100 in one job, deleted ones too."""


class CreateRedactionJob(Parameters):
    """Parameters of `POST /v1/privacy/redaction_jobs`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""
    objects: Annotated[Objects, NotEmpty]
    """Objects to redact, by type; with each, all that belongs to it is redacted."""
    validation_behavior: Behavior = "error"
    """With `error`, running subscriptions make the validation fail; with `fix`, they are canceled by the redaction, for
    which a restricted key needs the permission `subscriptions:write`."""


class UpdateRedactionJob(Parameters):
    """Parameters of `POST /v1/privacy/redaction_jobs/{redaction_job}`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""
    validation_behavior: Behavior | None = None
    """With `error`, running subscriptions make the validation fail; with `fix`, they are canceled by the redaction, for
    which a restricted key needs the permission `subscriptions:write`."""


class RedactionJobAction(Parameters):
    """Parameters of requests that name a redaction job and nothing more."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class ListRedactionJobs(Listing):
    """Parameters of `GET /v1/privacy/redaction_jobs`."""

    status: (
        Annotated[Literal["canceled", "failed", "ready", "redacting", "succeeded", "validating"], NotEmpty] | None
    ) = None
    """Filter by status."""


class ListValidationErrors(Listing):
    """Parameters of `GET /v1/privacy/redaction_jobs/{redaction_job}/validation_errors`."""


class RetrieveValidationError(Parameters):
    """Parameters of `GET /v1/privacy/redaction_jobs/{redaction_job}/validation_errors/{validation_error}`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""
