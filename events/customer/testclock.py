"""The test clock a customer lives under, if any: it joins one when it is created, or once later, and stays."""

from dataclasses import dataclass

from events.errors import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinClock:
    """Live on the clock's time from now on."""

    test_clock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJoined:
    """The customer lives on this clock's time."""

    test_clock: str


Command = JoinClock
Event = ClockJoined
EVENT_TYPES: dict[str, type] = {"customer.test_clock_joined": ClockJoined}


def decide(state: str | None, command: Command) -> list[Event]:
    """Decide the events of `command`. Raises Refusal when the customer lives under another clock."""
    if state is not None and state != command.test_clock:
        raise Refusal("This customer is already attached to another test clock.", param="customer")
    return [] if state else [ClockJoined(test_clock=command.test_clock)]


def evolve(state: str | None, event: Event) -> str | None:
    """Fold one event in."""
    return event.test_clock
