"""Decisions as given, when, then: a history, a command, and its result. Without doubles.

given(CUSTOMER, created()).when(update(email="new@example.com")).then(CustomerUpdated(...))
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pytest

from events.decider import Decider
from events.errors import Refusal


@dataclass(frozen=True)
class Given:
    """What happened so far to one stream."""

    decider: Decider[Any, Any, Any]
    history: Sequence[Any]

    @property
    def state(self) -> Any:
        """What the history leads to."""
        return reduce(self.decider.evolve, self.history, self.decider.initial)

    def when(self, command: object) -> "When":
        """Ask for a command on it."""
        return When(self.decider, self.state, command)


@dataclass(frozen=True)
class When:
    """A command on a state."""

    decider: Decider[Any, Any, Any]
    state: Any
    command: object

    def then(self, *events: object) -> Any:
        """Assert that exactly these events are the result; gives the state after them."""
        assert list(self.decider.decide(self.state, self.command)) == list(events)
        return reduce(self.decider.evolve, events, self.state)

    def nothing_happens(self) -> None:
        """Assert that there is nothing to change."""
        self.then()

    def refused(
        self, refusal: type[Refusal] = Refusal, *, code: str | None = None, param: str | None = None
    ) -> Refusal:
        """Assert that it is refused in just this way; gives the refusal."""
        with pytest.raises(Refusal) as caught:
            self.decider.decide(self.state, self.command)
        assert (type(caught.value), caught.value.code, caught.value.param) == (refusal, code, param)
        return caught.value


def given(decider: Decider[Any, Any, Any], *history: object) -> Given:
    """Begin with what happened so far."""
    return Given(decider, history)
