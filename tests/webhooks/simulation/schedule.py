"""A schedule: endpoints, receivers, processes and everything that happens to them, all of it from one seed.

What happens to workers: they are killed and stopped in order, turns are late, never arrive, or happen and are never
answered, and Postgres is away. What owners do: they order the deliveries of some endpoints, limit the rate of others or
how much is in flight there, stop endpoints and start them again, give them other URLs and other rules, cancel
deliveries, and have missed ones recovered. Operators resend or cancel what is held. In the end everything is mended,
and every delivery must come to an end.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from math import ceil, inf
from random import Random
from typing import Any

from projections.notices import PENDING
from tests.virtual_time import VirtualClock
from tests.webhooks.simulation import order
from tests.webhooks.simulation.process import MASTER_KEYS, Process
from tests.webhooks.simulation.receivers import (
    TEMPERS,
    TIMEOUT_S,
    Receiver,
    gone,
    hanging,
    healthy,
    ours,
    refusing,
    slowest,
    slowly_failing,
)
from tests.webhooks.simulation.witness import UNREADABLE, Witness
from webhooks.dispatch.worker import POLL_S
from webhooks.endpoints import endpoint
from webhooks.endpoints.rules import Order
from webhooks.queue.memory import NEVER, DeliveryRow, MemoryDatabase
from webhooks.queue.turn import Endpoint

HORIZON_S = 90 * 86_400.0  # by then everything has ended
STOPPED_WITHIN_S = 120.0
OPERATOR_EVERY_S = 3600.0  # without any news
ENDPOINTS_MAX = 48
SECRETS = [MASTER_KEYS.seal(b"whsec_MDAwMA==", endpoint.stream(f"we_{n}")) for n in range(ENDPOINTS_MAX)]
BODY = b"{" + PENDING + b"0,\n}"


class Schedule:
    """What one seed makes happen."""

    def __init__(self, seed: int, *, crowded: bool = False, hostile: bool = False) -> None:
        self.dice = dice = Random(seed)
        random.seed(seed)  # pauses between retries are drawn from it
        self.database = MemoryDatabase(clock=VirtualClock(), rung=self._ring)
        self.receivers: dict[str, Receiver] = {}  # by URL
        self.owner: dict[str, str] = {}  # the endpoint of a URL
        self.keys: dict[int, str] = {}  # the customer each notice is of
        self.modes: dict[str, Order] = {}  # the order of each endpoint
        self.leaving: list[asyncio.Task[None]] = []
        self._plan: list[tuple[float, Callable[[], None]]] = []
        self._deaf = dice.choice((0.0, 0.0, 0.2, 1.0))  # how many of the bell's rings are never heard
        self._mute = dice.choice((0.0, 0.0, 0.02, 0.2))  # how many turns are lost
        self._tardy_s = dice.choice((0.002, 0.01, 0.4))  # how late they may be
        self._away: list[tuple[float, float]] = []
        self._changed = asyncio.Event()
        self.dead = False  # whoever is not well never answers
        (self._plan_hostile if hostile else self._plan_crowd if crowded else self._plan_medley)()
        well = {self.owner[url] for url, receiver in self.receivers.items() if receiver.always_well}
        # Half of the slots are for those that answer: however many are dead, an attempt has to end at the most, and
        # what waits be taken anew. Receivers that answer slowly have their turn: of those the number counts.
        slots = min(min(process.in_flight_max, process.host_max) for process in self.processes)
        rounds = ceil(len(self.database.endpoints) / slots)
        starved_after_s = TIMEOUT_S * (2 if self.dead else 4 + 4 * rounds)
        if hostile:
            # Others wait for none of its attempts to end: to learn of what is due takes a poll, or a turn or two.
            starved_after_s = 2 * POLL_S + 3 * self._tardy_s
        self.witness = Witness(self.database, self.keys, well, starved_after_s=starved_after_s)
        self.witness.modes.update(self.modes)

    # What happens.

    def _plan_medley(self) -> None:
        """Few endpoints, of any temper, and anything may happen."""
        dice, until_s = self.dice, self.dice.choice((1.0, 30.0, 300.0))
        for _ in range(dice.randint(1, 5)):
            temper = dice.choice((healthy, *TEMPERS))
            receiver = Receiver(temper, dice.choice((0.0, until_s, 600.0, 20_000.0, inf)))
            self._endpoint(receiver, self._rules(), host=dice.choice(("", "", "shop")))
        lease_s = TIMEOUT_S * dice.choice((4, 4, 2, 12))
        self.processes = [
            Process(self, dice.choice((1, 2, 3, 5, 16, 512)), lease_s, dice.choice((1, 2, 128, 128)))
            for _ in range(dice.randint(1, 3))
        ]
        for _ in range(dice.randint(1, 12)):
            self._notices(dice.uniform(0, until_s), dice.choice((1, 1, 1, 2, 5)))
        for _ in range(dice.choice((0, 0, 1, 3))):
            self._trouble(dice.uniform(0, until_s * 1.2))
        for _ in range(dice.choice((0, 0, 1, 3))):
            self._whim(dice.uniform(0, until_s * 1.2))

    def _plan_crowd(self) -> None:
        """Few slots and many dead endpoints, and among them some that are well and get events all the time."""
        dice, until_s = self.dice, 300.0
        tempers = dice.choice(((hanging, hanging, refusing), (slowly_failing,)))
        for _ in range(dice.randint(5, 40)):
            self._endpoint(Receiver(dice.choice(tempers)))
        dead = list(self.database.endpoints)
        self.dead = slowly_failing not in tempers
        for _ in range(dice.randint(1, 3)):
            self._endpoint(Receiver(healthy), self._rules())
        living = list(self.database.endpoints)[len(dead) :]
        self.processes = [Process(self, dice.choice((4, 8, 16)), 4 * TIMEOUT_S) for _ in range(dice.randint(1, 2))]
        for _ in range(dice.randint(1, 4)):
            self._notices(dice.uniform(0, until_s / 2), dice.randint(1, 8))
        for n in range(20):
            self._notices(n * until_s / 20, 1, living)
        for id in dead:
            self._at(until_s, partial(self._cancel, id))

    def _plan_hostile(self) -> None:
        """An account whose receivers take all the time there is, and another that hears of something now and then."""
        dice, until_s = self.dice, 60.0
        for _ in range(16):
            self._endpoint(Receiver(slowest, until_s), host=dice.choice(("", "", "shop")), share="hostile")
        hostile, other = list(self.database.endpoints), dice.choice(("a", "b"))
        for _ in range(dice.randint(1, 4)):
            self._endpoint(Receiver(healthy), host=dice.choice(("", "shop")), share=other)
        good = list(self.database.endpoints)[16:]
        self.processes = [Process(self, dice.choice((16, 32)), 4 * TIMEOUT_S, 16) for _ in range(dice.randint(1, 2))]
        for n in range(8):
            self._notices(n * until_s / 10, dice.randint(2, 6), hostile)
        for n in range(30):
            self._notices(n * until_s / 30, 1, good)

    def _endpoint(
        self, receiver: Receiver, rules: Mapping[str, Any] | None = None, host: str = "", share: str = ""
    ) -> None:
        n = len(self.database.endpoints)
        id, url = f"we_{n}", f"https://{host or n}.example.com/{n}/0"
        self.receivers[url], self.owner[url] = receiver, id
        limits = {"order": "none", **(rules or {})}
        self.modes[id] = limits.pop("order")
        share = share or self.dice.choice(("a", "b", "c"))
        self.database.register(Endpoint(id, 1, "enabled", url, [SECRETS[n]], [], share=share, **limits))

    def _rules(self) -> dict[str, Any]:
        """What an owner may want."""
        dice = self.dice
        return {
            "order": dice.choice(("none", "customer", "customer", "strict")),
            "on_exhaustion": dice.choice(("skip", "hold")),
            **self._limits(),
        }

    def _limits(self) -> dict[str, Any]:
        dice = self.dice
        return {
            "rate_limit": dice.choice((None, None, None, 1, 20)),
            "in_flight_max": dice.choice((None, None, None, 1, 2, 8)),
        }

    def _notices(self, at_s: float, count: int, to: Sequence[str] = ()) -> None:
        for _ in range(count):
            customer = f"cus_{self.dice.randrange(3)}"
            ids = to or [id for id in self.database.endpoints if self.dice.random() < 0.7]
            recovered = self.dice.random() < 0.2
            self._at(at_s, partial(self._deliver, customer, ids, recovered=recovered))

    def _deliver(self, customer: str, ids: Sequence[str], *, recovered: bool) -> None:
        sequence = len(self.keys) + 1
        self.keys[sequence] = customer
        for id in ids:
            if not self._hopeless(id):
                self.witness.made.add((id, sequence))
                key = order.key(customer, self.modes[id])
                self.database.deliver(sequence, f"evt_{sequence}", BODY, [id], recovered=recovered, key=key)

    def _hopeless(self, id: str) -> bool:
        """Whether an endpoint has enough to do for ever: each of its deliveries takes days to give up."""
        receiver = self.receivers[self.database.endpoints[id].url]
        most = 8 if self.modes[id] == "none" else 3
        return receiver.mended_at_s == inf and not receiver.always_well and len(self.database.deliveries[id]) >= most

    def _trouble(self, at_s: float) -> None:
        """Something happens to the workers."""
        process, until_s = self.dice.choice(self.processes), at_s + self.dice.choice((0.0, 1.0, 70.0))
        match self.dice.randrange(3):
            case 0:
                self._at(at_s, process.kill)
                self._at(until_s, process.start)
            case 1:
                self._at(at_s, process.stop)
                self._at(until_s, process.start)
            case _:
                self._away.append((at_s, until_s))
                self._at(at_s, lambda: self.witness.disturb(until_s + 5))

    def _whim(self, at_s: float) -> None:
        """An owner wants something else."""
        id = self.dice.choice(list(self.database.endpoints))
        match self.dice.randrange(8):
            case 7:
                self._at(at_s, lambda: self._change(id, secrets=[UNREADABLE]))
                mended_at_s = at_s + self.dice.choice((0.01, 5.0, 200.0))
                self._at(mended_at_s, lambda: self._change(id, secrets=[SECRETS[int(id.removeprefix("we_"))]]))
            case 0:
                self._at(at_s, lambda: self._change(id, status="disabled"))
                self._at(at_s + self.dice.choice((0.01, 2.0, 100.0)), lambda: self._change(id, status="enabled"))
            case 1:
                self._at(at_s, lambda: self._change(id, url=self._elsewhere(id)))
            case 2:
                self._at(at_s, lambda: self._change(id))
            case 3:
                limits = self._limits()
                self._at(at_s, lambda: self._change(id, **limits))
            case 4:
                self._at(
                    at_s, lambda: self._resend(id, [self.dice.choice([*rows])] if (rows := self._rows(id)) else [])
                )
            case 5:
                self._at(
                    at_s, lambda: self._cancel(id, [self.dice.choice([*rows])] if (rows := self._rows(id)) else [])
                )
            case _:
                self._at(at_s, lambda: self._cancel(id))

    def _elsewhere(self, id: str) -> str:
        """Another URL for an endpoint, and who is behind it."""
        was = self.database.endpoints[id].url
        base, n = was.rsplit("/", 1)
        url, receiver = f"{base}/{int(n) + 1}", self.receivers[was]
        temper = healthy if receiver.always_well else self.dice.choice(TEMPERS)
        self.receivers[url], self.owner[url] = Receiver(temper, receiver.mended_at_s), id
        return url

    def _rows(self, id: str) -> Mapping[int, DeliveryRow]:
        return self.database.deliveries[id]

    def _held(self, id: str) -> list[int]:
        return [sequence for sequence, row in self._rows(id).items() if row.held]

    def _change(self, id: str, url: str | None = None, status: str | None = None, **limits: Any) -> None:
        held = self._held(id)
        self.database.change(id, url=url, status=status, **limits)
        self.witness.change(id)
        self.witness.resent(id, set(held).difference(self._held(id)))

    def _cancel(self, id: str, sequences: Sequence[int] | None = None) -> None:
        self.database.cancel(id, list(self._rows(id)) if sequences is None else sequences)
        self.witness.change(id)

    def _resend(self, id: str, sequences: Sequence[int]) -> None:
        for sequence in sequences:
            self.database.resend(id, sequence)
        self.witness.change(id)
        self.witness.resent(id, sequences)

    def _resolve_held(self) -> None:
        """An operator resolves a held delivery: resends it, cancels it, or cancels one behind it."""
        for id in self.database.endpoints:
            if held := self._held(id):
                sequence = held[0]
                match self.dice.randrange(3):
                    case 0:
                        self._resend(id, [sequence])
                    case 1:
                        self._cancel(id, [sequence])
                    case _:
                        self._cancel(id, [self.dice.choice([*self._rows(id)])])

    def _mend(self) -> None:
        """Put right what keeps deliveries from ever ending."""
        for process in self.processes:
            process.start()
        for id, one in self.database.endpoints.items():
            receiver = self.receivers[one.url]
            if receiver.temper is gone:
                receiver.mended_at_s = 0
                self._change(id, url=self._elsewhere(id))
                self.receivers[self.database.endpoints[id].url].temper = healthy
            elif self.database.lanes[id].state.gone:
                self._cancel(id)
            if receiver.temper is ours:
                receiver.mended_at_s = min(receiver.mended_at_s, 600.0)
            if one.status != "enabled":
                self._change(id, status="enabled")

    def _at(self, at_s: float, act: Callable[[], None]) -> None:
        self._plan.append((at_s, act))

    # How it goes.

    async def run(self) -> None:
        """Let all of it happen; raises AssertionError with what went wrong."""
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.witness.say(str(context)))
        try:
            async with asyncio.timeout(HORIZON_S):
                await self._happen()
        except TimeoutError:
            left = {id: list(rows) for id, rows in self.database.deliveries.items() if rows}
            raise AssertionError(f"still to be delivered after {HORIZON_S} s: {left}") from None
        finally:
            assert not self.witness.violations, "\n".join(self.witness.violations)

    async def _happen(self) -> None:
        for process in self.processes:
            process.start()
        for at_s, act in sorted(self._plan, key=lambda planned: planned[0]):
            await asyncio.sleep(at_s - self.now_s())
            act()
            self.changed()
        self._mend()
        self.changed()
        while any(self.database.deliveries.values()) and not self.witness.violations:
            self._changed.clear()
            try:
                async with asyncio.timeout(OPERATOR_EVERY_S):
                    await self._changed.wait()
            except TimeoutError:
                self._resolve_held()
                self.changed()
        if self.witness.violations:
            return
        for process in self.processes:
            process.stop()
        _, late = await asyncio.wait(self.leaving, timeout=STOPPED_WITHIN_S)
        assert not late, "a worker that was stopped did not end"
        self.witness.conclude()

    def now_s(self) -> float:
        """Seconds since the beginning."""
        return asyncio.get_running_loop().time()

    def ready_in_s(self) -> float:
        """How long until a worker without lanes would find something."""
        at = min((max(row.ready_at, row.leased_until) for row in self.database.lanes.values()), default=NEVER)
        return inf if at == NEVER else max(0.0, (at - self.database.clock.now()).total_seconds())

    def delay_s(self) -> float:
        """The latency to the database, or back."""
        return self.dice.uniform(0.0002, self._tardy_s)

    def fate(self) -> tuple[bool, bool]:
        """Whether a turn is sent, and whether it is answered then."""
        away = any(since <= self.now_s() < until for since, until in self._away)
        if away or self.dice.random() < self._mute:
            self.witness.disturb(self.now_s() + 5)
            return (True, False) if self.dice.random() < 0.3 and not away else (False, False)
        return True, True

    def changed(self) -> None:
        """The database did."""
        self._changed.set()
        for process in self.processes:
            if process.bell is not None:
                process.bell.review()

    def _ring(self) -> None:
        for process in self.processes:
            if process.bell is not None and self.dice.random() >= self._deaf:
                process.bell.poke()


def simulate(seed: int) -> Coroutine[Any, Any, None]:
    """The schedule of a seed; one in ten is of a crowd, one in twenty of an account that hurts the others."""

    async def main() -> None:
        await Schedule(seed, crowded=seed % 10 == 9, hostile=seed % 20 == 8).run()

    return main()
