"""How dead endpoints slow healthy ones down: 200 endpoints, of which a tenth takes requests and never answers.

Each is on a host of its own, since attempts in flight to one host are limited: the dead take it up where they are.

`rollbook serve` and thirteen accounts, whose customers are created at a steady rate; the 99th percentile from the API's
answer to the arrival at the endpoints that stay healthy, first with none dead and then with the tenth dead. The second
lasts longer than an attempt may take, so the dead are seen to time out and their breakers open. There is one pair: what
piled up for the dead would spoil a second.
"""

from collections.abc import Sequence

from tests.benchmarks.figures import Bound, Figure, Rounds, Unmeasurable, percentile
from tests.benchmarks.receiver import receiver
from tests.benchmarks.servers import Bench
from tests.benchmarks.shop import ENDPOINTS_MAX, Shop, shop

ENDPOINTS = 200
DEAD = frozenset(range(0, ENDPOINTS, 10))
RATE = 20.0
GROWN = 60  # customers, whose webhooks let a lane have all the concurrency there is; and then fill it
WARM_UP_S, HEALTHY_S, DYING_S = 3.0, 12.0, 24.0


async def isolation(bench: Bench) -> Sequence[Figure]:
    """The healthy's 99th percentile with a tenth dead, by that with none."""
    async with (
        receiver(hosts=ENDPOINTS) as listening,
        shop(bench, listening, role="serve", endpoints=ENDPOINTS) as opened,
    ):
        await opened.first()
        await _healthy_p99_ms(opened, WARM_UP_S)
        none_dead = await _healthy_p99_ms(opened, bench.seconds(HEALTHY_S))
        await listening.kill(DEAD)
        some_dead = await _healthy_p99_ms(opened, DYING_S)
    return [
        Rounds([none_dead], [some_dead]).figure(
            row="isolation",
            what=f"healthy endpoints' p99 with {len(DEAD)} of {ENDPOINTS} dead",
            unit="ms",
            baseline_is="the same with none dead",
            bound=Bound("at most", 2),
        )
    ]


async def _healthy_p99_ms(opened: Shop, duration_s: float) -> float:
    await opened.receiver.forget()
    made = await opened.create_at(RATE, duration_s)
    wanted = {
        (customer, endpoint)
        for number, customer in enumerate(made)
        for endpoint in opened.endpoints_of(number % len(opened.keys))
        if endpoint not in DEAD
    }
    try:
        return percentile(await opened.heard(wanted), 0.99)
    except TimeoutError:
        raise Unmeasurable("not every healthy endpoint got its webhooks") from None


async def fairness(bench: Bench) -> Sequence[Figure]:
    """An account's 99th percentile while all receivers of another are slow, by that while they are quick.

    Both have 16 endpoints, each on a host of its own. Those of the other were quick until their concurrency had grown,
    and then hold as many attempts as a worker lets them.
    """
    hostile, good = range(2)
    async with (
        receiver(hosts=2 * ENDPOINTS_MAX) as listening,
        shop(bench, listening, role="serve", endpoints=2 * ENDPOINTS_MAX) as opened,
    ):
        await opened.first()
        for _ in range(GROWN):
            await opened.create(hostile)
        await opened.arrived((GROWN + 2) * ENDPOINTS_MAX)
        quick = await _p99_ms(opened, good, bench.seconds(HEALTHY_S))
        await listening.slow(opened.endpoints_of(hostile))
        for _ in range(GROWN):
            await opened.create(hostile)
        slow = await _p99_ms(opened, good, bench.seconds(HEALTHY_S))
    return [
        Rounds([quick], [slow]).figure(
            row="fairness",
            what="an account's p99 with all receivers of another slow",
            unit="ms",
            baseline_is="the same with them quick",
            bound=Bound("at most", 2),
        )
    ]


async def _p99_ms(opened: Shop, account: int, duration_s: float) -> float:
    """Of one account, while its customers are created at the steady rate."""
    await opened.receiver.forget()
    made = await opened.create_at(RATE, duration_s, of=[account])
    wanted = {(customer, endpoint) for customer in made for endpoint in opened.endpoints_of(account)}
    try:
        return percentile(await opened.heard(wanted), 0.99)
    except TimeoutError:
        raise Unmeasurable("not every endpoint got its webhooks") from None
