"""Tokens (single use): create, redeem; and the test tokens such as tok_visa."""

import os

from events import ids
from events.card import BankAccount, Card
from events.errors import Refusal
from events.token import TOKEN, CreateToken, UseToken
from events.transact import other_mode_hint
from events.unit_of_work import UnitOfWork
from service.commands import cards
from service.commands.caller import Caller
from service.commands.cards import NewBankAccount, NewCard
from service.masking import masked_id

CARD, BANK_ACCOUNT = "tok_", "btok_"
PREFIXES = {"bank_account": "btok", "cvc_update": "cvctok", "pii": "pii"}  # of ids, by type; of other types tok


async def create(unit: UnitOfWork, caller: Caller, type: str, given: NewCard | NewBankAccount | None) -> str:
    """Create a token of a card, of a bank account or of nothing stored; returns its id. Raises Declined, Refusal."""
    match given:
        case NewCard():
            return _make(unit, type, cards.read_card(caller, given))
        case NewBankAccount():
            return _make(unit, type, cards.read_bank_account(caller, given, type))
        case None:
            return _make(unit, type, None)


async def create_named(unit: UnitOfWork, kept: Card | BankAccount) -> str:
    """Create a token of the card or bank account of a test token such as tok_visa; returns its id."""
    return _make(unit, "card" if isinstance(kept, Card) else "bank_account", kept)


async def take(unit: UnitOfWork, caller: Caller, id: str, *, by: str, param: str) -> Card | BankAccount:
    """The card or bank account of a token, which the object `by` redeems; `param` names the token. Raises Refusal."""
    fresh = named(caller, id)
    if fresh is not None:
        return fresh
    state = await unit.load(TOKEN, id)
    if not state.id:
        hint = other_mode_hint(caller.livemode) if unit.in_other_mode(TOKEN, id) else ""
        raise Refusal(f"No such token: '{masked_id(id)}'{hint}", code="resource_missing", param=param)
    kept = state.card or state.bank_account
    if kept is None:
        raise Refusal(f"A token of type {state.type} cannot be used for payments.", param=param)
    try:
        unit.do(TOKEN, id, UseToken(id=id, by=by))
    except Refusal as refusal:
        raise Refusal(refusal.message, code=refusal.code, param=param) from None
    return kept


def named(caller: Caller, id: str) -> Card | BankAccount | None:
    """The card or bank account of a test token such as tok_visa; None for any other id."""
    if id.startswith(CARD):
        return cards.of_name(caller, id.removeprefix(CARD))
    if id.startswith(BANK_ACCOUNT):
        return cards.bank_of_name(caller, id.removeprefix(BANK_ACCOUNT))
    return None


def streams(caller: Caller, given: object) -> tuple[str, ...]:
    """The stream of a token, of which there is none where a name for tests was sent, or no token at all."""
    return (TOKEN.stream(given),) if isinstance(given, str) and named(caller, given) is None else ()


def _make(unit: UnitOfWork, type: str, kept: Card | BankAccount | None) -> str:
    id, holds = ids.new(PREFIXES.get(type, "tok"), os.urandom(ids.ID_BYTES)), ""
    if kept is not None:
        holds = ids.new("card" if isinstance(kept, Card) else "ba", os.urandom(ids.ID_BYTES))
    command = CreateToken(
        id=id,
        bank_account=kept if isinstance(kept, BankAccount) else None,
        card=kept if isinstance(kept, Card) else None,
        created=int(unit.origin.at.timestamp()),
        holds=holds,
        type=type,
    )
    unit.begin(TOKEN, id)
    unit.do(TOKEN, id, command)
    return id
