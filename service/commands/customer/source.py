"""Cards and bank accounts of a customer: what it pays with, and which of them by default.

Of an update the source becomes the default, in place of the one that was: that goes, and what is past due is worth
another try (API reference, update a customer).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from events import ids
from events.card import Card
from events.customer import CUSTOMER
from events.customer.source import AttachSource, Kept, NoteExpiry, SetDefaultSource
from events.customer.subscription import RequestRetries
from events.errors import Missing, Refusal
from events.unit_of_work import UnitOfWork
from service.commands import cards, tokens
from service.commands.caller import Caller
from service.commands.cards import NewBankAccount, NewCard
from service.masking import masked_id

Given = str | NewCard | NewBankAccount  # a token, or what it would stand for


@dataclass(frozen=True, slots=True)
class NewSource:
    """A card or bank account, and the parameter it was sent as."""

    param: str
    given: Given
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BringSource:
    """Attach a card or bank account; `replaces` makes it the default, in place of the one that was."""

    source: NewSource
    replaces: bool

    async def apply(self, unit: UnitOfWork, caller: Caller, customer: str, at: int) -> None:
        """Attach it. Raises Declined, Refusal."""
        await attach(unit, caller, customer, self.source, at, replaces=self.replaces)
        if self.replaces:
            unit.do(CUSTOMER, customer, RequestRetries(at=at))

    def streams(self, caller: Caller) -> tuple[str, ...]:
        """That of the token that was sent."""
        return tokens.streams(caller, self.source.given)


@dataclass(frozen=True, slots=True)
class ChooseDefaultSource:
    """Charge one of the customer's cards or bank accounts by default."""

    id: str

    async def apply(self, unit: UnitOfWork, caller: Caller, customer: str, at: int) -> None:
        """Make it the default. Raises Refusal when the customer has none such."""
        try:
            unit.do(CUSTOMER, customer, SetDefaultSource(id=self.id))
        except Missing:
            raise Refusal(
                f"No such source: '{masked_id(self.id)}'", code="resource_missing", param="default_source"
            ) from None

    def streams(self, caller: Caller) -> tuple[str, ...]:
        """None but the customer's."""
        return ()


async def attach(
    unit: UnitOfWork, caller: Caller, customer: str, source: NewSource, at: int, *, replaces: bool = False
) -> str:
    """Attach a card or bank account to a customer that the unit has; gives its id. Raises Declined, Refusal."""
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
