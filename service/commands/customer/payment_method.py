"""`payment_method`: the one that a new customer has from the beginning."""

import os
from collections.abc import Iterable

from events import ids
from events.card import Card
from events.customer import CUSTOMER
from events.customer.payment_methods import AttachPaymentMethod
from events.errors import Declined, Missing, Refusal
from events.payment_method import NAME, PAYMENT_METHOD, AttachToCustomer, CreatePaymentMethod
from events.unit_of_work import UnitOfWork
from service.commands import cards
from service.http.params.customer import CreateCustomer
from service.http.pipeline import RequestContext
from service.masking import masked_id

PARAMETERS: tuple[str, ...] = ("payment_method",)
CARD, BANK_ACCOUNT = "pm_card_", "pm_usBankAccount"  # names for tests begin so


async def apply(unit: UnitOfWork, call: RequestContext, id: str, parameters: CreateCustomer, at: int) -> None:
    """Attach it. Raises Declined; Refusal when it is not there, or not to be had."""
    assert parameters.payment_method is not None
    given = parameters.payment_method
    try:
        await attach(unit, await found(unit, call, given), id, at)
    except Missing:
        raise Refusal(
            Missing(NAME, masked_id(given)).message, code="resource_missing", param="payment_method"
        ) from None
    except Declined:
        raise
    except Refusal as refusal:
        raise Refusal(refusal.message, code=refusal.code, param="payment_method") from None


def streams(call: RequestContext, parameters: CreateCustomer) -> Iterable[str]:
    """That of the payment method."""
    assert parameters.payment_method is not None
    return (PAYMENT_METHOD.stream(parameters.payment_method),)


async def found(unit: UnitOfWork, call: RequestContext, id: str) -> str:
    """The id of a payment method that the unit has: a fresh one where `id` is a name for tests. Raises Missing."""
    command = fresh(unit, call, id)
    if command is not None:
        unit.begin(PAYMENT_METHOD, command.id)
        unit.do(PAYMENT_METHOD, command.id, command)
        return command.id
    state = await unit.load(PAYMENT_METHOD, id)
    if not state.id:
        raise Missing(NAME, id)
    return id


async def attach(unit: UnitOfWork, id: str, customer: str, at: int) -> None:
    """Attach a payment method to a customer, both of which the unit has. Raises Declined, Refusal."""
    unit.do(PAYMENT_METHOD, id, AttachToCustomer(id=id, customer=customer))
    unit.do(CUSTOMER, customer, AttachPaymentMethod(id=id, at=at))


def fresh(unit: UnitOfWork, call: RequestContext, name: str) -> CreatePaymentMethod | None:
    """The command that makes what a well-known name for tests stands for; None for anything else."""
    card: Card | None = None
    details: dict[str, str | None] = {}
    if name.startswith(CARD):
        card = cards.of_name(call, name.removeprefix(CARD))
    elif name.startswith(BANK_ACCOUNT):
        account = name.removeprefix(BANK_ACCOUNT).removeprefix("_")
        bank = cards.bank_of_name(call, "us_verified" if account in ("", "success") else f"us_verified_{account}")
        if bank is not None:
            details = {
                "account_holder_type": bank.account_holder_type,
                "account_type": "checking",
                "bank_name": bank.bank_name,
                "fingerprint": bank.fingerprint,
                "last4": bank.last4,
                "routing_number": bank.routing_number,
            }
    if card is None and not details:
        return None
    return CreatePaymentMethod(
        id=ids.new("pm", os.urandom(ids.ID_BYTES)),
        card=card,
        created=int(unit.origin.at.timestamp()),
        details=details,
        patch={},
        type="card" if card is not None else "us_bank_account",
    )
