"""Payment methods of a customer: attaching one, and the test payment methods such as pm_card_visa."""

import os
from dataclasses import dataclass

from events import ids
from events.card import Card
from events.customer import CUSTOMER
from events.customer.payment_methods import AttachPaymentMethod
from events.errors import Declined, Missing, Refusal
from events.payment_method import NAME, PAYMENT_METHOD, AttachToCustomer, CreatePaymentMethod
from events.unit_of_work import UnitOfWork
from service.commands import cards
from service.commands.caller import Caller
from service.masking import masked_id

CARD, BANK_ACCOUNT = "pm_card_", "pm_usBankAccount"  # prefix of test ids


@dataclass(frozen=True, slots=True)
class BringPaymentMethod:
    """Attach a payment method to a new customer."""

    payment_method: str  # its id, or a test id

    async def apply(self, unit: UnitOfWork, caller: Caller, customer: str, at: int) -> None:
        """Attach it. Raises Declined; Refusal if it does not exist or cannot be attached."""
        given = self.payment_method
        try:
            await attach(unit, await found(unit, caller, given), customer, at)
        except Missing:
            raise Refusal(
                Missing(NAME, masked_id(given)).message, code="resource_missing", param="payment_method"
            ) from None
        except Declined:
            raise
        except Refusal as refusal:
            raise Refusal(refusal.message, code=refusal.code, param="payment_method") from None

    def streams(self, caller: Caller) -> tuple[str, ...]:
        """The stream of the payment method."""
        return (PAYMENT_METHOD.stream(self.payment_method),)


async def found(unit: UnitOfWork, caller: Caller, id: str) -> str:
    """Load a payment method, or create one from a test id; returns its id. Raises Missing."""
    command = fresh(unit, caller, id)
    if command is not None:
        unit.begin(PAYMENT_METHOD, command.id)
        unit.do(PAYMENT_METHOD, command.id, command)
        return command.id
    state = await unit.load(PAYMENT_METHOD, id)
    if not state.id:
        raise Missing(NAME, id)
    return id


async def attach(unit: UnitOfWork, id: str, customer: str, at: int) -> None:
    """Attach a loaded payment method to a loaded customer. Raises Declined, Refusal."""
    unit.do(PAYMENT_METHOD, id, AttachToCustomer(id=id, customer=customer))
    unit.do(CUSTOMER, customer, AttachPaymentMethod(id=id, at=at))


def fresh(unit: UnitOfWork, caller: Caller, name: str) -> CreatePaymentMethod | None:
    """The command that creates a test payment method such as pm_card_visa; None for any other id."""
    card: Card | None = None
    details: dict[str, str | None] = {}
    if name.startswith(CARD):
        card = cards.of_name(caller, name.removeprefix(CARD))
    elif name.startswith(BANK_ACCOUNT):
        account = name.removeprefix(BANK_ACCOUNT).removeprefix("_")
        bank = cards.bank_of_name(caller, "us_verified" if account in ("", "success") else f"us_verified_{account}")
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
