"""A customer: one stream each, `customer-cus_…`, with every facet of it; decided and folded by pure functions."""

from dataclasses import dataclass, replace
from typing import assert_never

from events.customer import profile
from events.customer.profile import Attributes, Profile, ProfilePatch
from events.errors import Missing

KIND = "customer"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCustomer:
    """Bring a customer into being; `created` is Unix seconds, `invoice_prefix` serves when the patch names none."""

    id: str
    created: int
    invoice_prefix: str
    patch: ProfilePatch


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateCustomer:
    """Change some attributes."""

    id: str
    patch: ProfilePatch


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteCustomer:
    """End the customer for good."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerCreated:
    """The customer came into being with these attributes; what is not named has its default."""

    attributes: Attributes
    created: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerUpdated:
    """These attributes changed, each to this whole new value."""

    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerDeleted:
    """The customer ended."""

    id: str


Command = CreateCustomer | UpdateCustomer | DeleteCustomer
Event = CustomerCreated | CustomerUpdated | CustomerDeleted


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A customer as the events so far have left it; `id` is empty before the first of them."""

    id: str = ""
    created: int = 0
    deleted: bool = False
    profile: Profile = profile.BLANK

    @property
    def exists(self) -> bool:
        """Whether commands find it."""
        return bool(self.id) and not self.deleted


NOBODY = Customer()


def stream(id: str) -> str:
    """The name of a customer's stream."""
    return f"{KIND}-{id}"


def decide(state: Customer, command: Command) -> list[Event]:
    """Say what `command` would make happen; nothing when all is so already.

    Raises Missing when the customer never was or is no more, Refusal when a rule forbids the change.
    """
    match command:
        case CreateCustomer():
            assert not state.id, "ids of new customers are fresh"
            patch: ProfilePatch = {"invoice_prefix": command.invoice_prefix, **command.patch}
            attributes = profile.changes(state.profile, patch)
            return [CustomerCreated(id=command.id, created=command.created, attributes=attributes)]
        case UpdateCustomer():
            _must_exist(state, command.id)
            attributes = profile.changes(state.profile, command.patch)
            return [CustomerUpdated(attributes=attributes)] if attributes else []
        case DeleteCustomer():
            _must_exist(state, command.id)
            return [CustomerDeleted(id=command.id)]
        case _:
            assert_never(command)


def evolve(state: Customer, event: Event) -> Customer:
    """Fold one event in."""
    match event:
        case CustomerCreated():
            return Customer(id=event.id, created=event.created, profile=profile.apply(state.profile, event.attributes))
        case CustomerUpdated():
            return replace(state, profile=profile.apply(state.profile, event.attributes))
        case CustomerDeleted():
            return replace(state, deleted=True)
        case _:
            assert_never(event)


def _must_exist(state: Customer, id: str) -> None:
    if not state.exists:
        raise Missing(KIND, id)
