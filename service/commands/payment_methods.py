"""Payment methods: create, update, attach to a customer, detach."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from events import customer, ids
from events.card import Card
from events.customer import CUSTOMER
from events.customer.payment_methods import DetachPaymentMethod
from events.errors import Missing, Refusal
from events.payment_method import (
    PAYMENT_METHOD,
    CreatePaymentMethod,
    DetachFromCustomer,
    EditPaymentMethod,
    PaymentMethodPatch,
)
from events.unit_of_work import UnitOfWork
from service.commands import cards, customer_time, payment_details, tokens
from service.commands.caller import Caller
from service.commands.cards import NewCard, NewExpiry
from service.commands.customer import load, moment, payment_method


@dataclass(frozen=True, slots=True)
class NewPaymentMethod:
    """Parameters of a new payment method: a card, the token of a card, or the details of another type."""

    type: str
    patch: PaymentMethodPatch
    card: NewCard | str | None
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CardChange:
    """Changes of a card."""

    expiry: NewExpiry
    sets_network: bool = False
    preferred_network: str | None = None


async def create(unit: UnitOfWork, caller: Caller, new: NewPaymentMethod) -> str:
    """Create a payment method without a customer; returns its id. Raises Declined, Refusal."""
    id = ids.new("pm", os.urandom(ids.ID_BYTES))
    card, token = None, None
    if isinstance(new.card, str):
        card = await _card_of(unit, caller, new.card, id)
        token = new.card if tokens.named(caller, new.card) is None else None
    elif new.card is not None:
        card = cards.read_card(caller, new.card)
    command = CreatePaymentMethod(
        id=id,
        card=card,
        created=int(unit.origin.at.timestamp()),
        details={} if card is not None else payment_details.read(caller, new.type, new.details),
        patch=new.patch,
        token=token,
        type=new.type,
    )
    unit.begin(PAYMENT_METHOD, id)
    unit.do(PAYMENT_METHOD, id, command)
    return id


async def update(
    unit: UnitOfWork, caller: Caller, id: str, patch: PaymentMethodPatch, card: CardChange | None = None
) -> None:
    """Change a payment method that is attached. Raises Missing; Refusal; Declined for a month that is over."""
    state = await unit.load(PAYMENT_METHOD, id)
    if state.customer is not None:
        await moment(unit, state.customer)  # not while its clock advances
    for type, changed in (("card", card is not None), ("us_bank_account", "details" in patch)):
        if changed and state.id and state.type != type:
            raise Refusal(f"This PaymentMethod is of the type {state.type}, and has no {type}.", param=type)
    if card is not None:
        patch = {**patch, "card": _card_patch(caller, card, state.card)}
    unit.do(PAYMENT_METHOD, id, EditPaymentMethod(id=id, patch=patch))


async def attach(unit: UnitOfWork, caller: Caller, given: str, owner: str) -> str:
    """Attach a payment method, or a new one made from a test id such as pm_card_visa, to a customer; returns its id.

    Raises Missing, Declined, Refusal.
    """
    id = await payment_method.found(unit, caller, given)
    state = await unit.load(CUSTOMER, owner)
    if not state.exists:
        raise no_such_customer(owner)
    await payment_method.attach(unit, id, owner, await customer_time.now(unit, state))
    return id


async def detach(unit: UnitOfWork, id: str) -> None:
    """Detach a payment method from its customer; it cannot be attached again. Raises Missing, Refusal."""
    owner = (await unit.load(PAYMENT_METHOD, id)).customer
    unit.do(PAYMENT_METHOD, id, DetachFromCustomer(id=id))
    assert owner is not None, "one that is not attached was refused"
    at = await customer_time.now(unit, await load(unit, owner))
    unit.do(CUSTOMER, owner, DetachPaymentMethod(id=id, at=at))


def no_such_customer(id: str) -> Refusal:
    """The error that the customer named by a parameter does not exist."""
    return Refusal(Missing(customer.KIND, id).message, code="resource_missing", param="customer")


async def _card_of(unit: UnitOfWork, caller: Caller, token: str, by: str) -> Card:
    kept = await tokens.take(unit, caller, token, by=by, param="card[token]")
    if not isinstance(kept, Card):
        raise Refusal("A payment method of type card can only be created from a card token.", param="card[token]")
    return kept


def _card_patch(caller: Caller, given: CardChange, known: Card | None) -> dict[str, object]:
    patch: dict[str, object] = {}
    if known is not None and given.expiry.given:
        patch["exp_month"], patch["exp_year"] = cards.new_expiry(caller, known, given.expiry)
    if given.sets_network:
        patch["preferred_network"] = given.preferred_network
    return patch
