"""A tax id of the account itself: its own stream, `account_tax_id-txi_…`; it is created, and deleted, and that is all.

Nobody verifies it (API reference, the tax id object: `verification` is of customers' tax ids).
"""

from dataclasses import dataclass, replace
from typing import Annotated, assert_never

from events.decider import Decider
from events.errors import Missing
from events.personal import PERSONAL

KIND = "account_tax_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTaxId:
    """Note down a number of the account's own, valid of its type; `created` is Unix seconds."""

    id: str
    country: str | None
    created: int
    type: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteTaxId:
    """Strike it out."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxIdCreated:
    """The account has this number."""

    country: str | None
    created: int
    id: str
    type: str
    value: Annotated[str, PERSONAL] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxIdDeleted:
    """The account no longer has it."""

    id: str


Command = CreateTaxId | DeleteTaxId
Event = TaxIdCreated | TaxIdDeleted
EVENT_TYPES: dict[str, type] = {"account_tax_id.created": TaxIdCreated, "account_tax_id.deleted": TaxIdDeleted}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTaxId:
    """State of a tax id; `id` is empty before its first event."""

    id: str = ""
    country: str | None = None
    created: int = 0
    deleted: bool = False
    type: str = ""
    value: str = ""


NOTHING = AccountTaxId()


def decide(state: AccountTaxId, command: Command) -> list[Event]:
    """Decide the events of `command`. Raises Missing when there is no such tax id."""
    match command:
        case CreateTaxId():
            assert not state.id, "ids of new tax ids are fresh"
            created = TaxIdCreated(
                country=command.country,
                created=command.created,
                id=command.id,
                type=command.type,
                value=command.value,
            )
            return [created]
        case DeleteTaxId():
            if not state.id or state.deleted:
                raise Missing("tax id", command.id)
            return [TaxIdDeleted(id=command.id)]
        case _:
            assert_never(command)


def evolve(state: AccountTaxId, event: Event) -> AccountTaxId:
    """Fold one event in."""
    match event:
        case TaxIdCreated():
            return AccountTaxId(
                id=event.id, country=event.country, created=event.created, type=event.type, value=event.value
            )
        case TaxIdDeleted():
            return replace(state, deleted=True)
        case _:
            assert_never(event)


ACCOUNT_TAX_ID: Decider[AccountTaxId, Command, Event] = Decider(KIND, NOTHING, decide, evolve)
