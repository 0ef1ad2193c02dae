"""The walks of service/README.md: a request passes through the files of the steps, in the order of their naming."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.servers.receiver import Receiver
from tests.service.serving import Api, working

ROOT = Path(__file__).parents[2]
README = (ROOT / "service" / "README.md").read_text(encoding="utf-8")
PRODUCT = tuple(str(ROOT / package) + "/" for package in ("events", "projections", "webhooks", "service"))


def walk(title: str) -> list[str]:
    """The modules that the numbered steps of a walk name, in order."""
    [text] = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## )", README, re.MULTILINE | re.DOTALL)
    steps = "".join(re.findall(r"^\d\. .*\n(?:   .*\n)*", text, re.MULTILINE))
    named = re.findall(r"`([\w/]+\.py)`", steps)
    assert len(named) > 5, "a walk names files"
    return named


@contextmanager
def passed() -> Iterator[list[str]]:
    """The product's files as functions of theirs are called in this thread, by whatever task."""
    files: list[str] = []

    def note(frame: FrameType, event: str, argument: Any) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(PRODUCT) and files[-1:] != [file]:
            files.append(file)

    found: list[str] = []
    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(None)
        found += [str(Path(file).relative_to(ROOT)) for file in files]


def first_missed(named: list[str], files: list[str]) -> str | None:
    """The first file that is not passed through after those that are named before it."""
    left = iter(files)
    return next((name for name in named if name not in left), None)


async def test_a_create(api: Api) -> None:
    with passed() as files:
        await api.customer("email=jenny.rosen@example.com", Idempotency_Key="walk")
    assert first_missed(walk("A create, file by file"), files) is None


async def test_an_update_with_a_coupon(api: Api) -> None:
    customer = (await api.customer())["id"]
    await api.post("/v1/coupons", "id=SALE&percent_off=25&duration=repeating&duration_in_months=3")
    with passed() as files:
        await api.update(customer, "coupon=SALE")
    assert first_missed(walk("An update with a coupon"), files) is None


async def test_a_command_is_carried_out_beneath_http(api: Api) -> None:
    customer = (await api.customer())["id"]
    await api.post("/v1/coupons", "id=SALE&percent_off=25")
    with passed() as files:
        await api.update(customer, "coupon=SALE&balance=-500&source=tok_visa&tax[ip_address]=203.0.113.7")
    acted = files[files.index("events/transact.py") :]
    facets = [at for at, file in enumerate(acted) if file.startswith("service/commands/")]
    assert [file for file in acted[facets[0] : facets[-1]] if file.startswith("service/http/")] == []


async def test_a_delivery(api: Api, receiver: Receiver) -> None:
    await api.post("/v1/webhook_endpoints", f"url={receiver.url('/hook')}&enabled_events[]=customer.created")
    async with working(api):
        with passed() as files:
            await api.customer()
            await receiver.wait_for(1)
    assert first_missed(walk("A delivery"), files) is None


@pytest.mark.parametrize("title", ["A create, file by file", "An update with a coupon", "A delivery"])
def test_a_walk_in_another_order_is_noticed(title: str) -> None:
    named = walk(title)
    assert first_missed(named, named) is None
    assert first_missed([*named[1:], named[0]], named) == named[0]
