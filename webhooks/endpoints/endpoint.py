"""A webhook endpoint: its commands, events and pure functions; its stream is `webhook_endpoint-we_…`.

An update is recorded as its outcome: the new value of each changed attribute. The secret and free text (a URL may
contain a token) are encrypted in the log. An endpoint that fails for days, or answers 410 Gone, is disabled by the
system; its owner is notified before and then.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, NamedTuple, assert_never, cast

from typing_extensions import TypedDict

from events import metadata
from events.decider import Decider
from events.errors import Missing, Refusal
from events.personal import PERSONAL
from webhooks.endpoints.rules import Rules, RulesPatch

KIND = "webhook_endpoint"
SECRETS_MAX = 5  # that sign at the same time
Reason = Literal[
    "failing", "gone"
]  # reasons for which the system disables an endpoint; see webhooks/endpoints/failing.py
# Events of a pause to send after it: all, the newest of each object, or none.
Replay = Literal["all", "latest", "skip"]
# By the rule `missed`: deliveries pending before the pause, and no events of the pause.
Resumption = Literal["all", "latest", "skip", "pending"]


class EndpointPatch(TypedDict, total=False):
    """Parsed parameters of a request; a parameter that was not sent is absent."""

    description: str | None  # None clears it
    disabled: bool
    enabled_events: tuple[str, ...]
    metadata: dict[str, str] | None  # "" deletes a key, None all of them
    url: str


class Attributes(TypedDict, total=False):
    """Attributes that an event sets, each as a whole; others are absent."""

    description: Annotated[str | None, PERSONAL]
    disabled: bool
    enabled_events: tuple[str, ...]
    metadata: Annotated[dict[str, str], PERSONAL]
    url: Annotated[str, PERSONAL]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateEndpoint:
    """Create an endpoint; `created_at` is Unix seconds, `api_version` is None for the default of the account."""

    id: str
    secret: str
    created_at: int
    api_version: str | None
    patch: EndpointPatch


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateEndpoint:
    """Update attributes."""

    id: str
    patch: EndpointPatch


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteEndpoint:
    """Delete the endpoint: nothing more is sent to it."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyOfFailing:
    """Notify the owner that it has been failing for so many hours since that time (Unix seconds), with consecutive
    failures.
    """

    id: str
    attempts: int
    hours: int
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableFailing:
    """Disable it because it has been failing since that time (Unix seconds), with consecutive failures."""

    id: str
    attempts: int
    reason: Reason
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RollSecret:
    """Sign with a new secret from `at` (Unix seconds), and with earlier ones for at most `overlap_s` more."""

    id: str
    at: int
    overlap_s: int
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeEndpoint:
    """Enable it after a pause, with events of the pause and pending deliveries as `replay` says.

    Without `replay` the rule `missed` decides.
    """

    id: str
    replay: Replay | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverEndpoint:
    """Send undelivered events again: those above a position, or since a time (Unix seconds)."""

    id: str
    position: int | None
    since: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SendTest:
    """Send a test event."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPending:
    """Cancel its pending deliveries."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRules:
    """Set delivery rules."""

    id: str
    rules: RulesPatch


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointCreated:
    """The endpoint was created with these attributes; others have their defaults."""

    api_version: str | None
    attributes: Attributes
    created_at: int
    id: str
    secret: Annotated[str, PERSONAL] = ""  # empty once the stream's key is destroyed


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointUpdated:
    """These attributes changed, each to its new value as a whole."""

    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointDeleted:
    """The endpoint was deleted."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFailed:
    """It has been failing for so many hours, and its owner was notified."""

    attempts: int
    hours: int
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointDisabled:
    """It was disabled by the system."""

    attempts: int
    reason: Reason
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRolled:
    """A new secret signs from `at`; earlier ones sign until `expires_at` at the latest."""

    at: int
    expires_at: int
    secret: Annotated[str, PERSONAL] = ""  # empty once the stream's key is destroyed


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointResumed:
    """It was enabled after a pause, with events of the pause and pending deliveries as `replay` says."""

    replay: Resumption


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryBegun:
    """A recovery began: undelivered events above that position or since that time are sent again."""

    position: int | None
    since: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointTested:
    """A test event was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingCanceled:
    """Its pending deliveries were canceled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesSet:
    """These rules changed; an ordering applies to later events."""

    rules: RulesPatch


Command = (
    CreateEndpoint
    | UpdateEndpoint
    | DeleteEndpoint
    | NotifyOfFailing
    | DisableFailing
    | RollSecret
    | ResumeEndpoint
    | RecoverEndpoint
    | SendTest
    | CancelPending
    | SetRules
)
Event = (
    EndpointCreated
    | EndpointUpdated
    | EndpointDeleted
    | EndpointFailed
    | EndpointDisabled
    | SecretRolled
    | EndpointResumed
    | RecoveryBegun
    | EndpointTested
    | PendingCanceled
    | RulesSet
)
EVENT_TYPES: dict[str, type] = {
    "webhook_endpoint.created": EndpointCreated,
    "webhook_endpoint.updated": EndpointUpdated,
    "webhook_endpoint.deleted": EndpointDeleted,
    "webhook_endpoint.failed": EndpointFailed,
    "webhook_endpoint.disabled": EndpointDisabled,
    "webhook_endpoint.secret_rolled": SecretRolled,
    "webhook_endpoint.resumed": EndpointResumed,
    "webhook_endpoint.recovery_begun": RecoveryBegun,
    "webhook_endpoint.tested": EndpointTested,
    "webhook_endpoint.pending_canceled": PendingCanceled,
    "webhook_endpoint.rules_set": RulesSet,
}


class OlderSecret(NamedTuple):
    """An earlier secret, and until when it signs (Unix seconds)."""

    secret: str
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """State of an endpoint; `id` is empty before its first event."""

    id: str = ""
    api_version: str | None = None
    cancellations: int = 0  # number of cancellations of all pending deliveries
    created_at: int = 0
    deleted: bool = False
    description: str | None = None
    disabled: bool = False
    enabled_events: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    older_secrets: tuple[OlderSecret, ...] = ()  # newest first
    recoveries: int = 0  # number of recoveries requested
    recovery: RecoveryBegun | None = None  # the last of them
    replay: Resumption = "all"  # of the last pause
    rules: Rules = field(default_factory=Rules)
    secret: str = ""
    notified_hours: int = 0  # hours of failing of which the owner was notified
    notified_since: int = 0  # start of that failure (Unix seconds)
    url: str = ""

    @property
    def exists(self) -> bool:
        """Whether it was created and is not deleted."""
        return bool(self.id) and not self.deleted


NOWHERE = Endpoint()


def stream(id: str) -> str:
    """The name of an endpoint's stream."""
    return f"{KIND}-{id}"


def decide(state: Endpoint, command: Command) -> list[Event]:
    """Decide the events of `command`; no events if there is nothing to change.

    Raises Missing if the endpoint does not exist or is deleted, Refusal when more than 50 metadata keys would remain,
    more than 5 secrets would sign, or something is to be sent to one that is disabled.
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
        case NotifyOfFailing():
            _must_exist(state, command.id)
            notified = state.notified_hours if state.notified_since == command.since else 0
            if state.disabled or command.hours <= notified:
                return []
            return [EndpointFailed(attempts=command.attempts, hours=command.hours, since=command.since)]
        case DisableFailing():
            _must_exist(state, command.id)
            if state.disabled:
                return []
            return [EndpointDisabled(attempts=command.attempts, reason=command.reason, since=command.since)]
        case RollSecret():
            _must_exist(state, command.id)
            return [_rolled(state, command)]
        case ResumeEndpoint():
            _must_exist(state, command.id)
            return [EndpointResumed(replay=command.replay or _by_rule(state))] if state.disabled else []
        case RecoverEndpoint():
            _must_send(state, command.id)
            return [RecoveryBegun(position=command.position, since=command.since)]
        case SendTest():
            _must_send(state, command.id)
            return [EndpointTested()]
        case CancelPending():
            _must_send(state, command.id)
            return [PendingCanceled()]
        case SetRules():
            _must_exist(state, command.id)
            changed = {name: new for name, new in command.rules.items() if new != getattr(state.rules, name)}
            return [RulesSet(rules=cast(RulesPatch, changed))] if changed else []
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
            return replace(replace(state, replay=_by_rule(state)), **event.attributes)
        case EndpointDeleted():
            return replace(state, deleted=True)
        case EndpointFailed():
            return replace(state, notified_hours=event.hours, notified_since=event.since)
        case EndpointDisabled():
            return replace(state, disabled=True)
        case SecretRolled():
            return replace(state, older_secrets=_older(state, event), secret=event.secret)
        case EndpointResumed():
            return replace(state, disabled=False, replay=event.replay)
        case RecoveryBegun():
            return replace(state, recoveries=state.recoveries + 1, recovery=event)
        case EndpointTested():
            return state
        case PendingCanceled():
            return replace(state, cancellations=state.cancellations + 1)
        case RulesSet():
            return replace(state, rules=replace(state.rules, **event.rules))
        case _:
            assert_never(event)


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


def _rolled(state: Endpoint, command: RollSecret) -> SecretRolled:
    assert command.secret, "an endpoint has a secret"
    event = SecretRolled(at=command.at, expires_at=command.at + command.overlap_s, secret=command.secret)
    if 1 + len(_older(state, event)) > SECRETS_MAX:
        raise Refusal(
            f"An endpoint can have up to {SECRETS_MAX} secrets at a time. An overlap of 0 expires all others at once.",
            param="overlap",
        )
    return event


def _older(state: Endpoint, event: SecretRolled) -> tuple[OlderSecret, ...]:
    """The earlier secrets that still sign, newest first."""
    last = OlderSecret(state.secret, event.expires_at)
    older = (last, *(each._replace(until=min(each.until, event.expires_at)) for each in state.older_secrets))
    return tuple(each for each in older if each.until > event.at)


def _changes(state: Endpoint, patch: EndpointPatch) -> Attributes:
    sent: dict[str, Any] = dict(patch)
    if "metadata" in patch:
        sent["metadata"] = metadata.merged(state.metadata, patch["metadata"])
    return cast(Attributes, {name: new for name, new in sent.items() if new != getattr(state, name)})


def _by_rule(state: Endpoint) -> Resumption:
    return "pending" if state.rules.missed == "skip" else "all"


def _must_exist(state: Endpoint, id: str) -> None:
    if not state.exists:
        raise Missing("webhook endpoint", id)


def _must_send(state: Endpoint, id: str) -> None:
    _must_exist(state, id)
    must_be_enabled(state.disabled, id)


def must_be_enabled(disabled: bool, id: str) -> None:
    """Raises Refusal if the endpoint is disabled."""
    if disabled:
        raise Refusal(f"The webhook endpoint '{id}' is disabled: enable it before sending to it.")


ENDPOINT: Decider[Endpoint, Command, Event] = Decider(KIND, NOWHERE, decide, evolve)
