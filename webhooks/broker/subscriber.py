"""A subscriber: a service with its own queue on RabbitMQ; its stream, `subscriber-NAME`, has its event types.

The queue is the broker's and may be lost with it, so what it is bound to is kept here and can be declared again.
"""

import re
from dataclasses import dataclass, replace
from typing import Final, Literal, assert_never

from events.decider import Decider
from events.errors import Missing, Refusal

KIND = "subscriber"
NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}", re.ASCII)
ACCOUNT = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)  # one word of a routing key
ANY: Final = "*"

Mode = Literal["live", "test", "*"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddSubscriber:
    """Let a service have notices of these types; `account` and `mode` may be `*`. `at` is Unix seconds."""

    account: str
    at: int
    mode: Mode
    name: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveSubscriber:
    """Take the service's queue away."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberAdded:
    """The service has these notices from now on, and none that it had asked for before."""

    account: str
    at: int
    mode: Mode
    name: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberRemoved:
    """The service has none any more."""

    name: str


Command = AddSubscriber | RemoveSubscriber
Event = SubscriberAdded | SubscriberRemoved
EVENT_TYPES: dict[str, type] = {"subscriber.added": SubscriberAdded, "subscriber.removed": SubscriberRemoved}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """A subscriber as the events so far have left it; `name` is empty before the first of them."""

    name: str = ""
    account: str = ANY
    at: int = 0
    mode: Mode = ANY
    removed: bool = False
    types: tuple[str, ...] = ()
    past: frozenset[str] = frozenset()  # what it was bound by at any time and is no more

    @property
    def exists(self) -> bool:
        """Whether it is there now."""
        return bool(self.name) and not self.removed

    @property
    def queue(self) -> str:
        """Its queue."""
        return f"rollbook.{self.name}"

    @property
    def dead_letters(self) -> str:
        """The queue of what it rejected, or was handed too often."""
        return f"{self.queue}.dead"

    @property
    def bindings(self) -> tuple[str, ...]:
        """The keys that bind its queue to the exchange; `#` stands for any rest, of several words too."""
        return tuple(f"{self.account}.{self.mode}.{_rest(word)}" for word in self.types)

    @property
    def patterns(self) -> tuple[str, ...]:
        """The types it has, as patterns of LIKE."""
        return tuple(word.replace("_", r"\_").replace("*", "%") for word in self.types)


NOBODY = Subscriber()


def decide(state: Subscriber, command: Command) -> list[Event]:
    """Say what `command` would make happen; nothing when all is so already.

    Raises Refusal for a name or an account that is none, Missing when there is nobody to remove.
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
    """The end of a routing key for a type, or for all types that begin like `customer.*`."""
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
