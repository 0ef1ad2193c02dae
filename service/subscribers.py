"""`rollbook subscribers`: management of the queues of services on RabbitMQ."""

import asyncio
import signal
from contextlib import aclosing
from datetime import UTC, datetime

import typer
from pydantic_core import PydanticCustomError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from events.errors import Missing, Refusal
from events.record import Origin
from events.unit_of_work import UnitOfWork
from service import broker
from service.cli.output import Output
from service.http.params.feed import matching
from service.settings import Misconfigured
from service.wiring import Core
from webhooks.broker import amqp, replay, subscribers
from webhooks.broker.subscriber import SUBSCRIBER, AddSubscriber, Command, Mode, RemoveSubscriber, Subscriber

SNIPPET = """\
import asyncio, json, os
import aio_pika

async def main() -> None:
    connection = await aio_pika.connect(os.environ["AMQP_URL"])
    async with connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=100)
        queue = await channel.get_queue("{queue}")
        async with queue.iterator() as messages:
            async for message in messages:
                async with message.process():  # what raises goes to {dead_letters}
                    event = json.loads(message.body)
                    # An event may arrive more than once: store its id with its effect, and skip repeats.
                    print(event["id"], message.routing_key, event["data"]["object"]["id"], flush=True)

asyncio.run(main())
"""


async def add(core: Core, out: Output, *, name: str, types: tuple[str, ...], account: str, mode: Mode) -> None:
    """Have a subscriber with its queue, bound to these types, and say how to read it."""
    for word in types:
        try:
            matching(word)
        except PydanticCustomError as fault:
            raise typer.BadParameter(fault.message()) from None
    url, at = _broker(core), int(core.clock.now().timestamp())
    wanted = tuple(dict.fromkeys(types))
    command = AddSubscriber(account=account, at=at, mode=mode, name=name, types=wanted)
    state = await _carry_out(core, name, command)
    try:
        async with amqp.channel(url, "subscribers") as channel:
            await subscribers.declare(channel, core.settings.exchange, state)
    except amqp.BROKER_ERRORS as error:
        error.add_note(
            f"The subscriber {name} is stored: the relay declares {state.queue} once the broker accepts it, and every "
            "event from then on goes there."
        )
        raise
    out.document(
        {"name": name, "queue": state.queue, "dead_letters": state.dead_letters, "bindings": list(state.bindings)}
    )
    out.record({"queue": state.queue, "dead letters": state.dead_letters, "bound by": " ".join(state.bindings)})
    if not out.json:
        print("\nA consumer:\n\n" + SNIPPET.format(queue=state.queue, dead_letters=state.dead_letters))


async def show(core: Core, out: Output) -> None:
    """Print a table of the subscribers and how their queues are."""
    url, known = _broker(core), await subscribers.known(core.pool)
    rows, documents = [], []
    for subscriber in known:
        numbers = await subscribers.status(url, subscriber)
        shown = ["missing" if number is None else str(number) for number in numbers]
        rows.append((subscriber.name, subscriber.queue, *shown, " ".join(subscriber.bindings)))
        ready, consumers, dead = numbers
        documents.append(
            {
                "name": subscriber.name,
                "queue": subscriber.queue,
                "ready": ready,
                "consumers": consumers,
                "dead": dead,
                "bindings": list(subscriber.bindings),
            }
        )
    out.document(documents)
    out.table(("name", "queue", "ready", "consumers", "dead", "bound by"), rows)


async def remove(core: Core, out: Output, name: str) -> None:
    """Take a subscriber and its queues away, whatever is in them."""
    url, state = _broker(core), await _state(core, name)
    if state.exists:
        await _carry_out(core, name, RemoveSubscriber(name=name))
    elif not state.name:  # one that is removed may have left its queues, if the broker was away
        raise Missing("subscriber", name)
    async with amqp.channel(url, "subscribers") as channel:
        await subscribers.delete(channel, state)
    out.document({"name": name, "removed": True, "queues": [state.queue, state.dead_letters]})
    out.line(f"{name} is removed, with {state.queue} and {state.dead_letters}.")


async def replay_to(core: Core, out: Output, name: str, start: str) -> None:
    """Put history on one subscriber's queue, with a progress bar, and say how far that came."""
    url, stop = _broker(core), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    state = await _state(core, name)
    if not state.exists:
        raise Missing("subscriber", name)
    running = await replay.begin(core.pool, state, _start(start))
    out.line(f"{running.total} events after position {running.position}, to {state.queue}")
    bar = Progress(TextColumn(name), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=out.remarks)
    try:
        with bar:
            task = bar.add_task("replay", total=running.total)
            async with aclosing(running.run(core.pool, url, stop)) as batches:
                async for done in batches:
                    bar.update(task, completed=done)
    finally:
        reached = running.position
        out.document({"name": name, "replayed": running.done, "total": running.total, "position": reached})
        out.line(f"{running.done} were published, up to position {reached}: continue with --from {reached}.")


async def _carry_out(core: Core, name: str, command: Command) -> Subscriber:
    """The subscriber after a command."""

    async def act(unit: UnitOfWork) -> Subscriber:
        await unit.load(SUBSCRIBER, name)
        return unit.do(SUBSCRIBER, name, command)

    return await core.executor.transact(act, _origin(core), serialized_on=(SUBSCRIBER.stream(name),))


async def _state(core: Core, name: str) -> Subscriber:
    return await core.executor.state(SUBSCRIBER, name, _origin(core))


def _origin(core: Core) -> Origin:
    return Origin(account=subscribers.OWNER, livemode=subscribers.LIVEMODE, at=core.clock.now(), actor="system")


def _broker(core: Core) -> str:
    given = broker.url(core.settings)
    if given is None:
        raise Misconfigured(
            "AMQP_URL is not set: subscribers have their queues on RabbitMQ; set it to amqp://USER:PASSWORD@HOST/"
        )
    return given


def _start(given: str) -> int | datetime:
    """A position, or a time; in UTC unless it says otherwise."""
    if given.isascii() and given.isdigit() and len(given) <= 18:
        return int(given)
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        raise Refusal(
            f"'{given}' is neither a position nor a time such as 2026-11-23T12:00:00Z.", param="from"
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
