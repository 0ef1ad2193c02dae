"""`rollbook erase` and `rollbook hold`: erasure of customers of any account, and the legal holds that forbid it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import typer
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from events.customer.erasure import NotErasable
from events.errors import Missing
from service.cli.output import Output
from service.commands import erasure
from service.jobs import retention
from service.wiring import Core

FILE_BYTES_MAX = 256 * 1024 * 1024
COMMAND = "rollbook erase"


class Entry(BaseModel):
    """An erasure as `rollbook erase --list --json` prints it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    customer: str
    account: str
    livemode: bool
    basis: str = ""


async def erase(core: Core, out: Output, id: str, basis: str, *, cancel_subscriptions: bool) -> None:
    """Erase a customer. Raises Missing, NotErasable."""
    erased = await erasure.erase(core, id, basis, requested_by=COMMAND, cancel_subscriptions=cancel_subscriptions)
    out.document({"customer": id, "erased": True, "was_erased": not erased})
    out.line(f"{id} is erased." if erased else f"{id} was erased before.")


async def show(core: Core, out: Output) -> None:
    """Print every erasure of every account."""
    found = [orjson.loads(body) for body in await core.reader.erasures()]
    out.document(found)
    rows = [
        (
            one["customer"],
            one["account"],
            "live" if one["livemode"] else "test",
            _time(one["erased_at"]),
            one["basis"],
            one["requested_by"],
        )
        for one in found
    ]
    out.table(("customer", "account", "mode", "erased", "basis", "requested by"), rows)


def read(file: Path) -> list[Entry]:
    """The list of a file. Raises BadParameter for what is none."""
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise typer.BadParameter(f"{file} is larger than {FILE_BYTES_MAX} bytes")
        return TypeAdapter(list[Entry]).validate_json(file.read_bytes())
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise typer.BadParameter(
            f"{file} is no list of `rollbook erase --list --json`: {where} {first['msg']}"
        ) from None


async def replay(core: Core, out: Output, entries: list[Entry]) -> None:
    """Erase again whom a list names; exit code 1 when one of them could not be."""
    outcomes: list[tuple[str, str, str]] = []
    for entry in entries:
        try:
            erased = await erasure.erase(
                core,
                entry.customer,
                entry.basis,
                requested_by=f"{COMMAND} --replay",
                cancel_subscriptions=True,
                account=entry.account,
            )
            outcomes.append((entry.customer, "erased" if erased else "was erased", ""))
        except Missing:
            outcomes.append((entry.customer, "missing", ""))  # the restored backup is older than the customer
        except NotErasable as refusal:
            outcomes.append((entry.customer, "refused", refusal.message))
    names = ("customer", "outcome", "reason")
    out.document([dict(zip(names, row, strict=True)) for row in outcomes])
    out.table(names, outcomes)
    if any(outcome == "refused" for _, outcome, _ in outcomes):
        raise typer.Exit(1)


async def hold(core: Core, out: Output, id: str, reason: str | None, *, release: bool) -> None:
    """Place a hold, release all, or list them. Raises Missing, Refusal."""
    if release:
        await erasure.release(core, id)
    elif reason is not None:
        await erasure.place_hold(core, id, reason)
    holds = await erasure.holds(core, id)
    out.document(
        [{"id": hold_id, "customer": id, "placed_at": one.at, "reason": one.reason} for hold_id, one in holds.items()]
    )
    if not holds:
        out.line(f"{id} is under no legal hold.")
    else:
        out.table(("hold", "placed", "reason"), [(name, _time(one.at), one.reason) for name, one in holds.items()])


async def retain(core: Core, out: Output, days: int) -> None:
    """Erase every customer that has been deleted for so many days."""
    done = await retention.erase_deleted(core, core.clock.now() - timedelta(days=days))
    out.document({"erased": done.erased, "left": done.left})
    out.line(f"{done.erased} customers were erased, and {done.left} were left, under a legal hold for example.")


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
