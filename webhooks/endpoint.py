"""A webhook endpoint: its own stream, `webhook_endpoint-we_…`, decided and folded by pure functions.

What is recorded of an update is its outcome: the whole new value of each attribute that truly changed. The secret and
the caller's own words (an address may carry a token) are sealed in the log.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, assert_never, cast

from typing_extensions import TypedDict

from events import metadata
from events.errors import Missing
from events.personal import PERSONAL

KIND = "webhook_endpoint"


class EndpointPatch(TypedDict, total=False):
    """The attributes a caller sent, parsed; a key not sent is absent."""

    description: str | None  # None clears it
    disabled: bool
    enabled_events: tuple[str, ...]
    metadata: dict[str, str] | None  # "" deletes a key; None deletes all of them
    url: str


class Attributes(TypedDict, total=False):
    """The attributes an event sets, each whole; what it does not set is absent."""

    description: Annotated[str | None, PERSONAL]
    disabled: bool
    enabled_events: tuple[str, ...]
    metadata: Annotated[dict[str, str], PERSONAL]
    url: Annotated[str, PERSONAL]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateEndpoint:
    """Register a URL; `created_at` is Unix seconds, `api_version` None for the account's own."""

    id: str
    secret: str
    created_at: int
    api_version: str | None
    patch: EndpointPatch


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateEndpoint:
    """Change some attributes."""

    id: str
    patch: EndpointPatch


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteEndpoint:
    """Stop telling the URL anything, for good."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointCreated:
    """The endpoint was registered with these attributes; what is not named has its default."""

    api_version: str | None
    attributes: Attributes
    created_at: int
    id: str
    secret: Annotated[str, PERSONAL] = ""  # empty once the stream's key is destroyed


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointUpdated:
    """These attributes changed, each to this whole new value."""

    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointDeleted:
    """The endpoint ended."""

    id: str


Command = CreateEndpoint | UpdateEndpoint | DeleteEndpoint
Event = EndpointCreated | EndpointUpdated | EndpointDeleted
EVENT_TYPES: dict[str, type] = {
    "webhook_endpoint.created": EndpointCreated,
    "webhook_endpoint.updated": EndpointUpdated,
    "webhook_endpoint.deleted": EndpointDeleted,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint as the events so far have left it; `id` is empty before the first of them."""

    id: str = ""
    api_version: str | None = None
    created_at: int = 0
    deleted: bool = False
    description: str | None = None
    disabled: bool = False
    enabled_events: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    secret: str = ""
    url: str = ""

    @property
    def exists(self) -> bool:
        """Whether commands find it."""
        return bool(self.id) and not self.deleted


NOWHERE = Endpoint()


def stream(id: str) -> str:
    """The name of an endpoint's stream."""
    return f"{KIND}-{id}"


def decide(state: Endpoint, command: Command) -> list[Event]:
    """Say what `command` would make happen; nothing when all is so already.

    Raises Missing when the endpoint never was or is no more, Refusal when more than 50 metadata keys would remain.
    """
    match command:
        case CreateEndpoint():
            return [_created(state, command)]
        case UpdateEndpoint():
            _must_exist(state, command.id)
            attributes = _changes(state, command.patch)
            return [EndpointUpdated(attributes=attributes)] if attributes else []
        case DeleteEndpoint():
            _must_exist(state, command.id)
            return [EndpointDeleted(id=command.id)]
        case _:
            assert_never(command)


def evolve(state: Endpoint, event: Event) -> Endpoint:
    """Fold one event in."""
    match event:
        case EndpointCreated():
            return Endpoint(
                id=event.id,
                api_version=event.api_version,
                created_at=event.created_at,
                secret=event.secret,
                **event.attributes,
            )
        case EndpointUpdated():
            return replace(state, **event.attributes)
        case EndpointDeleted():
            return replace(state, deleted=True)
        case _:
            assert_never(event)


def claims(before: Endpoint, after: Endpoint) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names to take and to let go: none, for two endpoints may share a URL."""
    return (), ()


def render(state: Endpoint, livemode: bool) -> dict[str, Any]:
    """A living endpoint as the API shows it (API reference, the webhook endpoint object), without its secret."""
    return {
        "id": state.id,
        "object": "webhook_endpoint",
        "api_version": state.api_version,
        "application": None,
        "created": state.created_at,
        "description": state.description,
        "enabled_events": list(state.enabled_events),
        "livemode": livemode,
        "metadata": dict(state.metadata),
        "status": "disabled" if state.disabled else "enabled",
        "url": state.url,
    }


def render_created(state: Endpoint, livemode: bool) -> dict[str, Any]:
    """The answer to its creation: the one time that the secret is shown, in its alphabetical place."""
    shown = render(state, livemode)
    status, url = shown.pop("status"), shown.pop("url")
    return {**shown, "secret": state.secret, "status": status, "url": url}


def render_deleted(id: str) -> dict[str, Any]:
    """What is left to show of a deleted endpoint."""
    return {"id": id, "object": "webhook_endpoint", "deleted": True}


def _created(state: Endpoint, command: CreateEndpoint) -> EndpointCreated:
    assert not state.id, "ids of new endpoints are fresh"
    assert command.patch.get("url"), "an endpoint has a URL"
    assert command.patch.get("enabled_events"), "an endpoint wants some events"
    assert command.secret, "an endpoint has a secret"
    return EndpointCreated(
        id=command.id,
        api_version=command.api_version,
        attributes=_changes(state, command.patch),
        created_at=command.created_at,
        secret=command.secret,
    )


def _changes(state: Endpoint, patch: EndpointPatch) -> Attributes:
    sent: dict[str, Any] = dict(patch)
    if "metadata" in patch:
        sent["metadata"] = metadata.merged(state.metadata, patch["metadata"])
    return cast(Attributes, {name: new for name, new in sent.items() if new != getattr(state, name)})


def _must_exist(state: Endpoint, id: str) -> None:
    if not state.exists:
        raise Missing("webhook endpoint", id)
