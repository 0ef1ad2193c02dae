"""`rollbook history`: what happened to an object, who did it, and how it was; of any account, from the database."""

import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import typer

from events.errors import Missing
from events.history import History, StreamHead
from projections import changes
from service import audit_rendering as rendering
from service.cli.output import Output, escaped, json_text
from service.commands import audit
from service.history import Kind, Moment, State, StreamEvent, StreamHistory
from service.history_kinds import KINDS
from service.wiring import Core

AT_ONCE = 100  # events that are shown together
INDENT = 7  # of what stands under an event
NOTHING = "-"


async def show(core: Core, out: Output, name: str, at: str | None, to: str | None) -> None:
    """Print the events of a stream, its state at a moment, or the difference between two. Raises Missing, Refusal."""
    history = History(core.pool)
    kind, stream = _kind_of(name)
    head = await history.head(stream)
    if head is None:
        raise Missing(kind.noun, name)
    origin = audit.operator(head.scope, core.clock)
    await audit.record_read(core.executor, origin, "rollbook history", stream, {"at": at, "to": to})
    folded = StreamHistory(history, core.codec, core.master_keys)
    id = stream.removeprefix(f"{kind.decider.kind}-")
    if at is None:
        await _events(core, out, folded, kind, stream, head)
        return
    before = await _state(folded, kind, stream, head, at, "at")
    if to is None:
        if before is None:
            raise Missing(kind.noun, name, hint=f" at {at}")
        shown = rendering.state(kind, id, head.scope, before)
        out.document(shown)
        _print_state(out, shown)
        return
    after = await _state(folded, kind, stream, head, to, "to")
    if after is None or (before is not None and before.record.version > after.record.version):
        raise typer.BadParameter("--to must not be before --at")
    shown = rendering.difference(kind, id, head.scope, before, after)
    out.document(shown)
    _print_difference(out, shown)


def _kind_of(name: str) -> tuple[Kind, str]:
    """The kind and the stream of a name: an id with its prefix, or a stream. Raises BadParameter."""
    for kind in KINDS.values():
        if kind.prefix and name.startswith(kind.prefix):
            return kind, kind.decider.stream(name)
        if name.startswith(f"{kind.decider.kind}-"):
            return kind, name
    ids = ", ".join(f"{kind.prefix}..." for kind in KINDS.values() if kind.prefix)
    raise typer.BadParameter(
        f"{name!r} is no id of an object ({ids}) and no stream, such as coupon-ACCOUNT:test:ID or subscriber-NAME"
    )


async def _state(
    history: StreamHistory, kind: Kind, stream: str, head: StreamHead, at: str, param: str
) -> State | None:
    try:
        moment = Moment.parse(at)
    except ValueError:
        raise typer.BadParameter(
            f"--{param}: {at!r} is no version (12), position (position:812) or time (2026-11-01T12:00Z)"
        ) from None
    version = await history.version(stream, head, moment, param)
    return await history.state(kind, stream, head, version) if version else None


async def _events(core: Core, out: Output, history: StreamHistory, kind: Kind, stream: str, head: StreamHead) -> None:
    """Print all events, oldest first, a few at a time."""
    waiting: list[StreamEvent] = []
    printed = 0
    if out.json:
        sys.stdout.write("[")
    async for event in history.events(kind, stream, head, 1, head.version):
        waiting.append(event)
        if len(waiting) == AT_ONCE or event.record.version == head.version:
            known = await rendering.actors(core.reader, head.scope, (each.record.origin.actor for each in waiting))
            for each in waiting:
                shown = rendering.event(each, known)
                if out.json:
                    sys.stdout.write(("," if printed else "") + "\n" + textwrap.indent(json_text(shown), "  "))
                else:
                    _print_event(out, shown, last=each.record.version == head.version)
                printed += 1
            waiting = []
    if out.json:
        sys.stdout.write("\n]\n")


def _print_event(out: Output, shown: dict[str, Any], *, last: bool) -> None:
    _print(out, [f"{shown['version']:>5}  {_time(shown)}  {shown['type']}"], style="bold")
    origin = [_actor(shown["actor"]), *(f"request {shown[name]}" for name in ("request_id",) if shown[name])]
    if shown["idempotency_key"]:
        origin.append(f"idempotency key {shown['idempotency_key']}")
    if shown["causation_id"]:
        origin.append(f"caused by {shown['causation_id']}")
    _print(out, [f"position {shown['position']}, by {', '.join(origin)}"], indent=INDENT)
    if shown["sealed"]:
        _print(out, ["personal data is sealed for ever: its key was destroyed"], indent=INDENT)
    _print(out, _changes(shown["changes"]), indent=INDENT)
    if not last:
        out.console.print()


def _print_state(out: Output, shown: dict[str, Any]) -> None:
    point = shown["point"]
    _print(out, [f"{shown['stream']} at version {point['version']}, position {point['position']}, {_time(point)}"])
    if shown["sealed"]:
        _print(out, ["Personal data is sealed for ever: its key was destroyed."])
    found = changes.changes(changes.NOTHING, shown["state"])
    _print(out, [f"{path}  {_value(value)}" for path, _, value in _leaves(found)], indent=2)


def _leaves(found: Iterable[changes.Changed]) -> Iterable[changes.Changed]:
    for one in found:
        if isinstance(one.after, dict):
            yield from _leaves(changes.changes(changes.NOTHING, one.after, one.path))
        else:
            yield one


def _print_difference(out: Output, shown: dict[str, Any]) -> None:
    before, after = shown["from"], shown["to"]
    start = "before it existed" if before is None else f"version {before['version']}, {_time(before)}"
    _print(out, [f"{shown['stream']}: {start}, to version {after['version']}, {_time(after)}"])
    _print(out, _changes(shown["changes"]) or ["nothing changed"], indent=2)
    if shown["has_more"]:
        out.hint(f"Only the first {rendering.CHANGES_MAX} changes are shown.")


def _changes(found: Sequence[dict[str, Any]]) -> list[str]:
    return [f"{one['path']}  {_value(one['from'])} -> {_value(one['to'])}" for one in found]


def _value(value: Any) -> str:
    return NOTHING if value is None else orjson.dumps(value).decode()


def _time(shown: dict[str, Any]) -> str:
    at: str = shown["time"]
    return f"{at[:10]} {at[11:23]}Z"


def _actor(actor: dict[str, Any]) -> str:
    if actor["type"] != "api_key":
        return str(actor["id"])
    name = f' "{actor["name"]}"' if actor["name"] else ""
    return f"{actor['id']}{name} of {actor['account']}"


def _print(out: Output, lines: Sequence[str], *, indent: int = 0, style: str = "") -> None:
    """Lines, each safe to print; in a terminal wrapped at its width."""
    if out.json:
        return
    margin = " " * indent
    for line in lines:
        text = escaped(line)
        shown = [margin + text]
        if out.console.is_terminal:
            shown = textwrap.wrap(
                text, out.console.width, initial_indent=margin, subsequent_indent=f"{margin}  ", break_on_hyphens=False
            )
        for part in shown:
            out.console.print(part, markup=False, highlight=False, soft_wrap=True, style=style)
