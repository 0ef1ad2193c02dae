"""Receivers of every temper, who answer by the dice."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from random import Random

from webhooks.outcome import Outcome

TIMEOUT_S = 5.0  # of an attempt

Answer = tuple[float, Outcome]  # after so many seconds


def healthy(dice: Random) -> Answer:
    """Take it, at once."""
    return dice.uniform(0.001, 0.05), Outcome(status=200, duration_ms=0)


def slow(dice: Random) -> Answer:
    """Take it, just in time."""
    return dice.uniform(0.5, TIMEOUT_S - 1), Outcome(status=200, duration_ms=0)


def slowest(dice: Random) -> Answer:
    """Take it after all the time there is."""
    return TIMEOUT_S - dice.uniform(0.01, 0.1), Outcome(status=200, duration_ms=0)


def failing(dice: Random) -> Answer:
    """Fail, at once."""
    return dice.uniform(0.001, 0.05), Outcome(status=500, duration_ms=0)


def slowly_failing(dice: Random) -> Answer:
    """Think it over, and fail now and then, so that no breaker opens and there is always something to try again."""
    if dice.random() < 0.4:
        return slow(dice)
    return dice.uniform(0.5, TIMEOUT_S - 1), Outcome(status=500, duration_ms=0)


def hanging(dice: Random) -> Answer:
    """Never answer."""
    return TIMEOUT_S, Outcome(fault="timeout", duration_ms=0)


def refusing(dice: Random) -> Answer:
    """Be nowhere."""
    return dice.uniform(0.001, 0.01), Outcome(fault="connect", duration_ms=0)


def flapping(dice: Random) -> Answer:
    """Now this, now that."""
    return dice.choice((healthy, healthy, slow, failing, hanging, refusing, ours))(dice)


def overloaded(dice: Random) -> Answer:
    """Ask for peace: for a while, till later than we would give it, in a way that says nothing, or not at all."""
    wish = dice.choice((None, "0", "2", "30", "900", "100000", "soon"))
    if dice.random() < 0.3:
        return healthy(dice)
    return dice.uniform(0.01, 1), Outcome(status=dice.choice((429, 503)), retry_after=wish, duration_ms=0)


def gone(dice: Random) -> Answer:
    """Be no more."""
    return dice.uniform(0.001, 0.05), Outcome(status=410, duration_ms=0)


def ours(dice: Random) -> Answer:
    """Not even be asked, for want of something on our side."""
    return dice.uniform(0, 0.01), Outcome(fault=dice.choice(("address_refused", "exhausted")), duration_ms=0)


TEMPERS = (healthy, slow, failing, hanging, refusing, flapping, overloaded, gone, ours)


@dataclass(slots=True)
class Receiver:
    """Who is behind a URL: of one temper, until it is mended."""

    temper: Callable[[Random], Answer]
    mended_at_s: float = inf

    def answer(self, dice: Random, now_s: float) -> Answer:
        """What one attempt comes to, and after how long."""
        return (healthy if now_s >= self.mended_at_s else self.temper)(dice)

    @property
    def always_well(self) -> bool:
        """Whether nothing was ever amiss with it."""
        return self.temper is healthy
