"""API keys: one small stream each, `api_key-key_…`. The key itself is never stored, only its SHA-256 digest."""

from dataclasses import dataclass, replace
from typing import Any, Literal, assert_never

from events.decider import Decider
from events.errors import Missing

KIND = "api_key"

KeyType = Literal["secret", "restricted", "publishable"]
Permission = str  # `customers:read`, `customers:write`; the resource's word in the API's paths


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueKey:
    """Issue a key for the account and mode of the origin."""

    id: str
    created: int
    digest: str  # SHA-256 of the key, hex
    name: str
    key_type: KeyType
    permissions: tuple[Permission, ...] = ()
    shown: str  # its ends: sk_test_…book


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeKey:
    """End the key for good."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyIssued:
    """The key may act from now on."""

    created: int
    digest: str
    id: str
    key_type: KeyType
    name: str
    permissions: tuple[Permission, ...]
    shown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRevoked:
    """The key may no longer act."""

    id: str


Command = IssueKey | RevokeKey
Event = KeyIssued | KeyRevoked
EVENT_TYPES: dict[str, type] = {"api_key.issued": KeyIssued, "api_key.revoked": KeyRevoked}


def _with_key_type(issued: dict[str, Any]) -> dict[str, Any]:
    """Upcast of `api_key.issued` from schema version 1, which called the two fields `power` and `rights`."""
    issued["key_type"], issued["permissions"] = issued.pop("power"), issued.pop("rights")
    return issued


UPCASTS = {"api_key.issued": {1: _with_key_type}}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """State of a key; `id` is empty before its first event."""

    id: str = ""
    created: int = 0
    digest: str = ""
    name: str = ""
    key_type: KeyType = "secret"
    permissions: tuple[Permission, ...] = ()
    shown: str = ""
    revoked: bool = False


NO_KEY = ApiKey()


def decide(state: ApiKey, command: Command) -> list[Event]:
    """Say what `command` would make happen; revoking twice changes nothing. Raises Missing for a key that never was."""
    match command:
        case IssueKey():
            assert not state.id, "ids of new keys are fresh"
            return [
                KeyIssued(
                    created=command.created,
                    digest=command.digest,
                    id=command.id,
                    key_type=command.key_type,
                    name=command.name,
                    permissions=command.permissions,
                    shown=command.shown,
                )
            ]
        case RevokeKey():
            if not state.id:
                raise Missing("API key", command.id)
            return [] if state.revoked else [KeyRevoked(id=command.id)]
        case _:
            assert_never(command)


def evolve(state: ApiKey, event: Event) -> ApiKey:
    """Fold one event in."""
    match event:
        case KeyIssued():
            return ApiKey(
                id=event.id,
                created=event.created,
                digest=event.digest,
                name=event.name,
                key_type=event.key_type,
                permissions=event.permissions,
                shown=event.shown,
            )
        case KeyRevoked():
            return replace(state, revoked=True)
        case _:
            assert_never(event)


API_KEY: Decider[ApiKey, Command, Event] = Decider(KIND, NO_KEY, decide, evolve)
