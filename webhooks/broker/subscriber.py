"""A subscriber: a service with its own queue on RabbitMQ; its stream, `subscriber-NAME`, stores its event types.

A queue can be lost with its broker. So its bindings are stored here, and it can be declared again.
"""

import re
from dataclasses import dataclass, replace
from typing import Final, Literal, assert_never

from events.decider import Decider
from events.errors import Missing, Refusal

KIND = "subscriber"
NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}", re.ASCII)
ACCOUNT = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)  # a word of a routing key
ANY: Final = "*"

Mode = Literal["live", "test", "*"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddSubscriber:
    """Subscribe a service to events of these types; `account` and `mode` may be `*`. `at` is Unix seconds."""

    account: str
    at: int
    mode: Mode
    name: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveSubscriber:
    """Remove the subscriber and its queue."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberAdded:
    """The service is subscribed to these types from now on; they replace earlier ones."""

    account: str
    at: int
    mode: Mode
    name: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberRemoved:
    """The subscriber was removed."""

    name: str


Command = AddSubscriber | RemoveSubscriber
Event = SubscriberAdded | SubscriberRemoved
EVENT_TYPES: dict[str, type] = {"subscriber.added": SubscriberAdded, "subscriber.removed": SubscriberRemoved}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """State of a subscriber; `name` is empty before its first event."""

    name: str = ""
    account: str = ANY
    at: int = 0
    mode: Mode = ANY
    removed: bool = False
    types: tuple[str, ...] = ()
    past: frozenset[str] = frozenset()  # bindings of earlier subscriptions that it no longer has

    @property
    def exists(self) -> bool:
        """Whether it was added and is not removed."""
        return bool(self.name) and not self.removed

    @property
    def queue(self) -> str:
        """The name of its queue."""
        return f"rollbook.{self.name}"

    @property
    def dead_letters(self) -> str:
        """The name of its dead-letter queue: messages that it rejected, or that were redelivered too often."""
        return f"{self.queue}.dead"

    @property
    def bindings(self) -> tuple[str, ...]:
        """The binding keys of its queue; `#` matches any number of words."""
        return tuple(f"{self.account}.{self.mode}.{_rest(word)}" for word in self.types)

    @property
    def patterns(self) -> tuple[str, ...]:
        """Its event types, as patterns of LIKE."""
        return tuple(word.replace("_", r"\_").replace("*", "%") for word in self.types)


NOBODY = Subscriber()


def decide(state: Subscriber, command: Command) -> list[Event]:
    """Decide the events of `command`; no events if there is nothing to change.

    Raises Refusal for an invalid name or account, Missing if there is no subscriber to remove.
    """
    match command:
        case AddSubscriber():
            _must_be_words(command)
            added = SubscriberAdded(
                account=command.account, at=command.at, mode=command.mode, name=command.name, types=command.types
            )
            return [] if state.exists and evolve(state, added).bindings == state.bindings else [added]
        case RemoveSubscriber():
            if not state.exists:
                raise Missing(KIND, command.name)
            return [SubscriberRemoved(name=command.name)]
        case _:
            assert_never(command)


def evolve(state: Subscriber, event: Event) -> Subscriber:
    """Fold one event in."""
    match event:
        case SubscriberAdded():
            now = Subscriber(name=event.name, account=event.account, at=event.at, mode=event.mode, types=event.types)
            return replace(now, past=(state.past | set(state.bindings)) - set(now.bindings))
        case SubscriberRemoved():
            return replace(state, removed=True)
        case _:
            assert_never(event)


def _rest(word: str) -> str:
    """The end of a routing key for a type, or for a wildcard such as `customer.*`."""
    return word.replace("*", "#")


def _must_be_words(command: AddSubscriber) -> None:
    if not NAME.fullmatch(command.name):
        raise Refusal(
            f"'{command.name}' is not a valid subscriber name: use lowercase letters, digits, - and _, at most 63.",
            param="name",
        )
    if command.account != ANY and not ACCOUNT.fullmatch(command.account):
        raise Refusal(f"'{command.account}' is not a valid account id.", param="account")
    assert command.types, "a subscriber has some types"


SUBSCRIBER: Decider[Subscriber, Command, Event] = Decider(KIND, NOBODY, decide, evolve)
