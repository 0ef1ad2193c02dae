"""Sources (cards and bank accounts) of a customer: attach, update, remove, verify, set the default.

A source sent in an update becomes the default and replaces the earlier one, which is removed; overdue invoices are
retried (API reference, update a customer).
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from events import ids
from events.card import BankAccount, Card
from events.customer import CUSTOMER
from events.customer.source import (
    VERIFIED,
    AttachSource,
    EditSource,
    Kept,
    NoSource,
    NoteExpiry,
    RemoveSource,
    SetDefaultSource,
    Source,
    SourcePatch,
    VerifyBankAccount,
)
from events.customer.subscription import RequestRetries
from events.errors import Missing, Refusal
from events.unit_of_work import UnitOfWork
from service.commands import cards, customer_time, tokens
from service.commands.caller import Caller
from service.commands.cards import NewBankAccount, NewCard, NewExpiry
from service.commands.customer import load, moment
from service.masking import masked_id

Given = str | NewCard | NewBankAccount  # a token, or the details of a card or bank account


@dataclass(frozen=True, slots=True)
class NewSource:
    """A card or bank account, with the parameter that it was sent as."""

    param: str
    given: Given
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BringSource:
    """Attach a card or bank account; with `replaces` it becomes the default and replaces the earlier one."""

    source: NewSource
    replaces: bool

    async def apply(self, unit: UnitOfWork, caller: Caller, customer: str, at: int) -> None:
        """Attach it. Raises Declined, Refusal."""
        await _attach(unit, caller, customer, self.source, at, replaces=self.replaces)
        if self.replaces:
            unit.do(CUSTOMER, customer, RequestRetries(at=at))

    def streams(self, caller: Caller) -> tuple[str, ...]:
        """The stream of the token."""
        return tokens.streams(caller, self.source.given)


@dataclass(frozen=True, slots=True)
class ChooseDefaultSource:
    """Set the default source."""

    id: str

    async def apply(self, unit: UnitOfWork, caller: Caller, customer: str, at: int) -> None:
        """Set it. Raises Refusal if the customer has no such source."""
        try:
            unit.do(CUSTOMER, customer, SetDefaultSource(id=self.id))
        except Missing:
            raise Refusal(
                f"No such source: '{masked_id(self.id)}'", code="resource_missing", param="default_source"
            ) from None

    def streams(self, caller: Caller) -> tuple[str, ...]:
        """No further streams."""
        return ()


async def attach(unit: UnitOfWork, caller: Caller, customer: str, source: NewSource) -> str:
    """Attach a card or bank account to a customer; returns its id. Raises Missing, Declined, Refusal."""
    return await _attach(unit, caller, customer, source, await moment(unit, customer), replaces=False)


async def update(
    unit: UnitOfWork,
    caller: Caller,
    customer: str,
    id: str,
    patch: SourcePatch,
    expiry: NewExpiry,
    *,
    object: str | None = None,
) -> None:
    """Update a source; one whose `object` is not the given one counts as missing.

    Raises Missing; Declined for an expiry in the past.
    """
    source = await _found(unit, customer, id, object)
    if expiry.given and isinstance(source.kept, Card):
        month, year = cards.new_expiry(caller, source.kept, expiry)
        patch = {**patch, "exp_month": month, "exp_year": year}
    unit.do(CUSTOMER, customer, EditSource(id=id, patch=patch))


async def remove(unit: UnitOfWork, customer: str, id: str, *, object: str | None = None) -> Source:
    """Remove a source; returns it. Raises Missing."""
    source = await _found(unit, customer, id, object)
    unit.do(CUSTOMER, customer, RemoveSource(id=id, at=await moment(unit, customer)))
    return source


async def verify(
    unit: UnitOfWork, caller: Caller, customer: str, id: str, amounts: Sequence[int], *, object: str | None = None
) -> bool:
    """Verify a bank account by the amounts of two micro-deposits, in minor units; returns whether they were right.

    Raises Missing, Refusal.
    """
    await _found(unit, customer, id, object)
    # In live mode no micro-deposits are sent.
    unit.do(CUSTOMER, customer, VerifyBankAccount(id=id, amounts=() if caller.livemode else tuple(amounts)))
    kept = unit.state(CUSTOMER, customer).sources.by_id[id].kept
    return not isinstance(kept, BankAccount) or kept.status == VERIFIED


def no_such(customer: str, id: str, object: str | None) -> NoSource:
    """The error that a customer has no source of that id and object (`card`, `bank_account`, or by its id)."""
    return NoSource(customer, masked_id(id), object or _object_of(id))


async def _found(unit: UnitOfWork, customer: str, id: str, object: str | None) -> Source:
    state = await load(unit, customer)
    source = state.sources.by_id.get(id)
    if source is None or object not in (None, source.object):
        raise no_such(customer, id, object)
    await customer_time.now(unit, state)  # not while its clock advances
    return source


def _object_of(id: str) -> str:
    return {"card": "card", "ba": "bank_account"}.get(id.partition("_")[0], "source")


async def _attach(
    unit: UnitOfWork, caller: Caller, customer: str, source: NewSource, at: int, *, replaces: bool
) -> str:
    random = os.urandom(ids.ID_BYTES)
    given = source.given
    kept = await _read(unit, caller, source, random)
    id = ids.new("card" if isinstance(kept, Card) else "ba", random)
    command = AttachSource(
        id=id,
        at=at,
        kept=kept,
        metadata=source.metadata,
        replaces=replaces,
        token=given if isinstance(given, str) and tokens.named(caller, given) is None else None,
    )
    unit.do(CUSTOMER, customer, command)
    return id


async def note_expiry(unit: UnitOfWork, customer: str, id: str, at: int) -> None:
    """Record that a customer's card is about to expire. Raises Missing."""
    await unit.load(CUSTOMER, customer)
    unit.do(CUSTOMER, customer, NoteExpiry(id=id, at=at))


async def _read(unit: UnitOfWork, caller: Caller, source: NewSource, random: bytes) -> Kept:
    given = source.given
    match given:
        case str():
            prefix = "ba" if given.startswith(tokens.BANK_ACCOUNT) else "card"
            return await tokens.take(unit, caller, given, by=ids.new(prefix, random), param=source.param)
        case NewCard():
            return cards.read_card(caller, given)
        case NewBankAccount():
            return cards.read_bank_account(caller, given, source.param)
        case _:
            assert_never(given)
