"""The caller of a command: the principal of an API key (account, mode and permissions), and the clock it acts by."""

from dataclasses import dataclass, field
from typing import Self

from events.clock import Clock
from events.keys import MasterKeys
from projections.read import Principal


@dataclass(frozen=True, slots=True)
class Caller(Principal):
    """Who a command acts for, and what it takes to act for them."""

    clock: Clock = field(compare=False, repr=False)
    master_keys: MasterKeys = field(compare=False, repr=False)  # what numbers of cards are known by is made with them

    @classmethod
    def of(cls, principal: Principal, clock: Clock, master_keys: MasterKeys) -> Self:
        """The caller that a principal is."""
        return cls(
            principal.key_id,
            principal.scope,
            principal.key_type,
            principal.permissions,
            clock,
            master_keys,
        )
