"""`source`, by its other names too, and `default_source`: what the customer pays with.

Of an update the source becomes the default, in place of the one that was: that goes, and what is past due is worth
another try (API reference, update a customer).
"""

import os
from collections.abc import Iterable, Mapping
from typing import assert_never

from events import ids
from events.card import Card
from events.customer import CUSTOMER
from events.customer.source import AttachSource, Kept, SetDefaultSource
from events.customer.subscription import RequestRetries
from events.errors import Missing, Refusal
from events.unit_of_work import UnitOfWork
from service.commands import cards, tokens
from service.http.params import card as parameters_of
from service.http.params.customer import CreateCustomer, UpdateCustomer
from service.http.pipeline import RequestContext
from service.masking import masked_id

PARAMETERS: tuple[str, ...] = ("bank_account", "card", "default_source", "source")
Parameters = CreateCustomer | UpdateCustomer


async def apply(unit: UnitOfWork, call: RequestContext, id: str, parameters: Parameters, at: int) -> None:
    """Attach the source that was sent, and make the one that was named the default. Raises Declined, Refusal."""
    updating = isinstance(parameters, UpdateCustomer)
    if (sent := parameters.given()) is not None:
        param, given = sent
        await attach(unit, call, id, given, at, param=param, replaces=updating)
        if updating:
            unit.do(CUSTOMER, id, RequestRetries(at=at))
    if isinstance(parameters, UpdateCustomer) and parameters.default_source is not None:
        source = parameters.default_source
        try:
            unit.do(CUSTOMER, id, SetDefaultSource(id=source))
        except Missing:
            raise Refusal(
                f"No such source: '{masked_id(source)}'", code="resource_missing", param="default_source"
            ) from None


def streams(call: RequestContext, parameters: Parameters) -> Iterable[str]:
    """That of the token that was sent."""
    sent = parameters.given()
    return tokens.streams(call, sent[1]) if sent is not None else ()


async def attach(
    unit: UnitOfWork,
    call: RequestContext,
    customer: str,
    given: parameters_of.Given,
    at: int,
    *,
    param: str,
    replaces: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> str:
    """Attach a card or bank account, sent as the parameter `param`, to a customer; gives its id.

    Raises Declined, Refusal.
    """
    random = os.urandom(ids.ID_BYTES)
    token = given if isinstance(given, str) else None
    kept, own = await _read(unit, call, given, random, param)
    id = _id(kept, random)
    command = AttachSource(
        id=id,
        at=at,
        kept=kept,
        metadata={**own, **(metadata or {})},
        replaces=replaces,
        token=token if token is not None and tokens.named(call, token) is None else None,
    )
    unit.do(CUSTOMER, customer, command)
    return id


async def _read(
    unit: UnitOfWork, call: RequestContext, given: parameters_of.Given, random: bytes, param: str
) -> tuple[Kept, Mapping[str, str]]:
    """What was sent, and the metadata that came with it."""
    match given:
        case str():
            prefix = "ba" if given.startswith(tokens.BANK_ACCOUNT) else "card"
            return await tokens.take(unit, call, given, by=ids.new(prefix, random), param=param), {}
        case parameters_of.Card():
            return cards.read_card(call, given), given.metadata or {}
        case parameters_of.BankAccount():
            return cards.read_bank_account(call, given, param), given.metadata or {}
        case _:
            assert_never(given)


def _id(kept: Kept, random: bytes) -> str:
    return ids.new("card" if isinstance(kept, Card) else "ba", random)
