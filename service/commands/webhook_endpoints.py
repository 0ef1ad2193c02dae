"""Webhook endpoints: create, update, delete; set rules, roll the secret, pause, resume, recover, cancel, test."""

import os

from events import ids
from events.errors import Refusal
from events.unit_of_work import UnitOfWork
from webhooks.endpoints.endpoint import (
    ENDPOINT,
    CancelPending,
    CreateEndpoint,
    DeleteEndpoint,
    Endpoint,
    EndpointPatch,
    RecoverEndpoint,
    Replay,
    ResumeEndpoint,
    RollSecret,
    SendTest,
    SetRules,
    UpdateEndpoint,
)
from webhooks.endpoints.rules import RulesPatch
from webhooks.post import signature


async def create(unit: UnitOfWork, api_version: str | None, patch: EndpointPatch) -> Endpoint:
    """Create an endpoint with a fresh signing secret; its URL was vetted."""
    id = ids.new("we", os.urandom(ids.ID_BYTES))
    command = CreateEndpoint(
        id=id,
        created_at=int(unit.origin.at.timestamp()),
        api_version=api_version,
        secret=_new_secret(),
        patch=patch,
    )
    unit.begin(ENDPOINT, id)
    return unit.do(ENDPOINT, id, command)


async def update(unit: UnitOfWork, id: str, patch: EndpointPatch) -> Endpoint:
    """Change an endpoint; its URL was vetted. Raises Missing."""
    await unit.load(ENDPOINT, id)
    return unit.do(ENDPOINT, id, UpdateEndpoint(id=id, patch=patch))


async def delete(unit: UnitOfWork, id: str) -> None:
    """Delete an endpoint. Raises Missing."""
    await unit.load(ENDPOINT, id)
    unit.do(ENDPOINT, id, DeleteEndpoint(id=id))


async def set_rules(unit: UnitOfWork, id: str, rules: RulesPatch) -> Endpoint:
    """Set the delivery rules of an endpoint. Raises Missing, Refusal."""
    await unit.load(ENDPOINT, id)
    return unit.do(ENDPOINT, id, SetRules(id=id, rules=rules))


async def pause(unit: UnitOfWork, id: str) -> Endpoint:
    """Send an endpoint nothing more; its position is kept. Raises Missing."""
    return await update(unit, id, {"disabled": True})


async def resume(unit: UnitOfWork, id: str, replay: Replay | None) -> Endpoint:
    """Go on with a paused or disabled endpoint. Raises Missing."""
    await unit.load(ENDPOINT, id)
    return unit.do(ENDPOINT, id, ResumeEndpoint(id=id, replay=replay))


async def recover(unit: UnitOfWork, id: str, *, position: int | None, since: int | None) -> Endpoint:
    """Send again what was not delivered after a position, or since a time in Unix seconds. Raises Missing."""
    await unit.load(ENDPOINT, id)
    return unit.do(ENDPOINT, id, RecoverEndpoint(id=id, position=position, since=since))


async def cancel_pending(unit: UnitOfWork, id: str) -> Endpoint:
    """Cancel an endpoint's pending deliveries. Raises Missing."""
    await unit.load(ENDPOINT, id)
    return unit.do(ENDPOINT, id, CancelPending(id=id))


async def roll_secret(unit: UnitOfWork, id: str, overlap_s: int) -> Endpoint:
    """Give an endpoint a fresh signing secret; the one before signs too for `overlap_s`. Raises Missing."""
    await unit.load(ENDPOINT, id)
    at = int(unit.origin.at.timestamp())
    return unit.do(ENDPOINT, id, RollSecret(id=id, at=at, overlap_s=overlap_s, secret=_new_secret()))


async def send_test(unit: UnitOfWork, id: str) -> None:
    """Have a test event be sent to an endpoint alone. Raises Missing."""
    await unit.load(ENDPOINT, id)
    unit.do(ENDPOINT, id, SendTest(id=id))


def too_many() -> Refusal:
    """That the account has as many endpoints in its mode as it may have; a constraint says so."""
    return Refusal("You have reached the maximum of 16 webhook endpoints in this mode.")


def _new_secret() -> str:
    return signature.new_secret(os.urandom(signature.SECRET_BYTES))
