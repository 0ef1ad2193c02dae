"""Tax ids of a customer, as invoices show them.

A tax id that a registry can verify is pending until its verification; for others verification is unavailable (API
reference, the tax id object).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, assert_never

from events import tax_id_types
from events.errors import Missing, Refusal
from events.personal import PERSONAL

COUNT_MAX = 50  # maximum per customer; our own limit
PENDING = "pending"
UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTaxId:
    """Add a tax id that is valid for its type; `at` is Unix seconds."""

    id: str
    at: int
    country: str | None
    type: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyTaxId:
    """Record the result of the verification of a pending tax id."""

    id: str
    status: str
    verified_address: str | None = None
    verified_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveTaxId:
    """Remove a tax id."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxIdAdded:
    """A tax id was added at this time in Unix seconds."""

    at: int
    country: str | None
    id: str
    status: str
    type: str
    value: Annotated[str, PERSONAL] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxIdVerified:
    """The tax id was verified, with this result."""

    id: str
    status: str
    verified_address: Annotated[str | None, PERSONAL] = None
    verified_name: Annotated[str | None, PERSONAL] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxIdRemoved:
    """The tax id was removed."""

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
    """A tax id with the result of its verification."""

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
    """All tax ids of the customer, by id, the newest last."""

    by_id: Mapping[str, TaxId] = field(default_factory=dict)


NONE = TaxIds()


def decide(state: TaxIds, command: Command) -> list[Event]:
    """Decide the events of `command`; no events if there is nothing to change.

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
    """The events of the deletion of a customer: each tax id is removed."""
    return [TaxIdRemoved(id=id) for id in state.by_id]


def _known(state: TaxIds, id: str) -> TaxId:
    tax_id = state.by_id.get(id)
    if tax_id is None:
        raise Missing("tax id", id)
    return tax_id
