"""A token: a single-use reference to a card or bank account; its stream is `token-tok_…`.

A token of personal details or of a security code stores nothing of them, only that they were sent.
"""

from dataclasses import dataclass, replace
from typing import Annotated, assert_never

from events.card import BankAccount, Card
from events.decider import Decider
from events.errors import Refusal
from events.personal import PERSONAL

KIND = "token"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateToken:
    """Create a token; `created` is Unix seconds, `type` the type in the API."""

    id: str
    bank_account: BankAccount | None = None
    card: Card | None = None
    created: int
    holds: str = ""  # id of the card or bank account that the token shows
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UseToken:
    """Use the token for the card, bank account or payment method of this id."""

    id: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseToken:
    """Erase the personal data of a used token, since its customer is erased."""

    id: str
    customer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCreated:
    """The token was created."""

    bank_account: Annotated[BankAccount | None, PERSONAL] = None
    card: Annotated[Card | None, PERSONAL] = None
    created: int
    holds: str
    id: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUsed:
    """The token was used for this object, and cannot be used again."""

    by: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenErased:
    """The encryption key of the token was destroyed, together with those of its customer."""

    customer: str
    id: str


Command = CreateToken | UseToken | EraseToken
Event = TokenCreated | TokenUsed | TokenErased
EVENT_TYPES: dict[str, type] = {
    "token.created": TokenCreated,
    "token.used": TokenUsed,
    "token.erased": TokenErased,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """State of a token; `id` is empty before its first event."""

    id: str = ""
    bank_account: BankAccount | None = None
    card: Card | None = None
    created: int = 0
    erased: bool = False
    holds: str = ""
    type: str = ""
    used: bool = False


NO_TOKEN = Token()


def decide(state: Token, command: Command) -> list[Event]:
    """Decide the events of `command`. Raises Refusal for an unknown token and for one that was used."""
    match command:
        case CreateToken():
            assert not state.id, "ids of new tokens are fresh"
            created = TokenCreated(
                bank_account=command.bank_account,
                card=command.card,
                created=command.created,
                holds=command.holds,
                id=command.id,
                type=command.type,
            )
            return [created]
        case UseToken():
            if not state.id:
                raise Refusal(f"No such token: '{command.id}'", code="resource_missing")
            if state.used:
                raise Refusal(f"You cannot use a Stripe token more than once: {command.id}.", code="token_already_used")
            return [TokenUsed(by=command.by, id=command.id)]
        case EraseToken():
            return [TokenErased(customer=command.customer, id=command.id)] if state.id and not state.erased else []
        case _:
            assert_never(command)


def evolve(state: Token, event: Event) -> Token:
    """Fold one event in."""
    match event:
        case TokenCreated():
            return Token(
                id=event.id,
                bank_account=event.bank_account,
                card=event.card,
                created=event.created,
                holds=event.holds,
                type=event.type,
            )
        case TokenUsed():
            return replace(state, used=True)
        case TokenErased():
            return replace(state, bank_account=None, card=None, erased=True)
        case _:
            assert_never(event)


TOKEN: Decider[Token, Command, Event] = Decider(KIND, NO_TOKEN, decide, evolve, erasable=True)
