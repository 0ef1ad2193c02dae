"""Parameters of `/v1/rollbook/feed`."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from service.http.params import Parameters
from service.http.params.fields import Integer, NotEmpty, Text, array, refused
from service.http.params.webhook_endpoint import EVENT_TYPES

LIMIT_DEFAULT, LIMIT_MAX = 100, 1000
WAIT_S_MAX = 60


def _listed(given: Any) -> Any:
    return given.split(",") if isinstance(given, str) else array(given)


def _spelled_out(given: tuple[str, ...]) -> tuple[str, ...]:
    """The exact types that are meant, each once. Raises the fault of a word that means none."""
    return tuple(sorted({type for word in given for type in matching(word)}))


def matching(word: str) -> list[str]:
    """The types that a word names: one, or with `*` at its end all that begin so. Raises the fault of one without."""
    if word.endswith("*"):
        types = [type for type in EVENT_TYPES if type.startswith(word[:-1])]
    else:
        types = [word] if word in EVENT_TYPES else []
    if not types:
        raise refused(f"Invalid types: '{word}' is not an event type or a prefix of one.")
    return types


class ReadFeed(Parameters):
    """Parameters of `GET /v1/rollbook/feed`."""

    after: Annotated[Integer, Field(ge=0)] | None = None
    """Position to continue from; the default is the end of the feed."""
    limit: Annotated[Integer, Field(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT
    """Maximum number of events in the response."""
    types: (
        Annotated[
            tuple[Text, ...],
            Field(max_length=len(EVENT_TYPES)),
            AfterValidator(_spelled_out),
            BeforeValidator(_listed, json_schema_input_type=str | tuple[Text, ...]),
            NotEmpty,
        ]
        | None
    ) = None
    """Filter by event types, a list or separated by commas; a type may end in the wildcard `*`."""
    wait: Annotated[Integer, Field(ge=0, le=WAIT_S_MAX)] = 0
    """Seconds to wait for the first event (long polling)."""
