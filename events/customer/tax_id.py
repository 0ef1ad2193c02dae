"""The customer's tax ids, as invoices show them.

A number that a registry knows is pending until its verification says more of it; of the others nothing can be said
(API reference, the tax id object).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, assert_never

from events import tax_id_types
from events.errors import Missing, Refusal
from events.personal import PERSONAL

COUNT_MAX = 50  # of one customer; the API reference names no limit
PENDING = "pending"
UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTaxId:
    """Note down a number, valid of its type; `at` is Unix seconds."""

    id: str
    at: int
    country: str | None
    type: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyTaxId:
    """Say what is known of a number that is pending."""

    id: str
    status: str
    verified_address: str | None = None
    verified_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveTaxId:
    """Strike a number out."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxIdAdded:
    """The customer has this number, since this time in Unix seconds."""

    at: int
    country: str | None
    id: str
    status: str
    type: str
    value: Annotated[str, PERSONAL] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxIdVerified:
    """This came of the number's verification."""

    id: str
    status: str
    verified_address: Annotated[str | None, PERSONAL] = None
    verified_name: Annotated[str | None, PERSONAL] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxIdRemoved:
    """The customer no longer has the number."""

    id: str


Command = AddTaxId | VerifyTaxId | RemoveTaxId
Event = TaxIdAdded | TaxIdVerified | TaxIdRemoved
EVENT_TYPES: dict[str, type] = {
    "customer.tax_id_added": TaxIdAdded,
    "customer.tax_id_verified": TaxIdVerified,
    "customer.tax_id_removed": TaxIdRemoved,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxId:
    """A number and what is known of it."""

    id: str
    country: str | None
    created: int
    status: str
    type: str
    value: str
    verified_address: str | None = None
    verified_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxIds:
    """Every tax id the customer has, by id, the newest last."""

    by_id: Mapping[str, TaxId] = field(default_factory=dict)


NONE = TaxIds()


def decide(state: TaxIds, command: Command) -> list[Event]:
    """Say what `command` would make happen; nothing when all is so already.

    Raises Missing for a number that is not there, Refusal when there are too many.
    """
    match command:
        case AddTaxId():
            if len(state.by_id) >= COUNT_MAX:
                raise Refusal(f"A customer can have up to {COUNT_MAX} tax IDs.")
            status = PENDING if command.type in tax_id_types.OF_REGISTRIES else UNAVAILABLE
            added = TaxIdAdded(
                at=command.at,
                country=command.country,
                id=command.id,
                status=status,
                type=command.type,
                value=command.value,
            )
            return [added]
        case VerifyTaxId():
            if _known(state, command.id).status != PENDING or command.status == PENDING:
                return []
            verified = TaxIdVerified(
                id=command.id,
                status=command.status,
                verified_address=command.verified_address,
                verified_name=command.verified_name,
            )
            return [verified]
        case RemoveTaxId():
            return [TaxIdRemoved(id=_known(state, command.id).id)]
        case _:
            assert_never(command)


def evolve(state: TaxIds, event: Event) -> TaxIds:
    """Fold one event in."""
    match event:
        case TaxIdAdded():
            added = TaxId(
                id=event.id,
                country=event.country,
                created=event.at,
                status=event.status,
                type=event.type,
                value=event.value,
            )
            return TaxIds(by_id={**state.by_id, event.id: added})
        case TaxIdVerified():
            verified = replace(
                state.by_id[event.id],
                status=event.status,
                verified_address=event.verified_address,
                verified_name=event.verified_name,
            )
            return TaxIds(by_id={**state.by_id, event.id: verified})
        case TaxIdRemoved():
            return TaxIds(by_id={id: one for id, one in state.by_id.items() if id != event.id})
        case _:
            assert_never(event)


def end(state: TaxIds, at: int) -> list[Event]:
    """What ends with the customer: every tax id."""
    return [TaxIdRemoved(id=id) for id in state.by_id]


def _known(state: TaxIds, id: str) -> TaxId:
    tax_id = state.by_id.get(id)
    if tax_id is None:
        raise Missing("tax id", id)
    return tax_id
