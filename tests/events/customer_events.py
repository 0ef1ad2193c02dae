"""Commands and events of one customer, in short."""

from typing import Any

from events.customer import (
    KIND,
    NOBODY,
    CreateCustomer,
    CustomerCreated,
    CustomerUpdated,
    UpdateCustomer,
    decide,
    evolve,
)
from events.decider import Decider

CUSTOMER = Decider(KIND, NOBODY, decide, evolve)
ID = "cus_NffrFeUfNV2Hib"
PREFIX = "0A1B2C3D"
CREATED = 1_700_000_000


def create(**patch: Any) -> CreateCustomer:
    return CreateCustomer(id=ID, created=CREATED, invoice_prefix=PREFIX, patch=patch)  # type: ignore[arg-type]  # shorthand


def update(**patch: Any) -> UpdateCustomer:
    return UpdateCustomer(id=ID, patch=patch)  # type: ignore[arg-type]  # shorthand


def created(**attributes: Any) -> CustomerCreated:
    return CustomerCreated(id=ID, created=CREATED, attributes={"invoice_prefix": PREFIX, **attributes})  # type: ignore[typeddict-item]  # shorthand


def updated(**attributes: Any) -> CustomerUpdated:
    return CustomerUpdated(attributes=attributes)  # type: ignore[arg-type]  # shorthand
