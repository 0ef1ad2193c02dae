"""Parameters of `/v1/rollbook/audit/proof` and `…/consistency`."""

from typing import Annotated

from pydantic import Field

from service.http.params import Parameters
from service.http.params.fields import Integer

Position = Annotated[Integer, Field(ge=1, lt=1 << 62)]
Size = Annotated[Integer, Field(ge=0, lt=1 << 62)]


class RetrieveProof(Parameters):
    """Parameters of `GET /v1/rollbook/audit/proof`."""

    position: Position
    """Position of the event in the log."""
    size: Position | None = None
    """Size of the tree; the default is that of the newest checkpoint."""


class RetrieveConsistency(Parameters):
    """Parameters of `GET /v1/rollbook/audit/consistency`."""

    from_: Annotated[Size, Field(alias="from")]
    """Size of the earlier tree."""
    to: Position | None = None
    """Size of the later tree; the default is that of the newest checkpoint."""
