"""Scope: an account in one mode, live or test. Every object belongs to one, and none sees another's (multi-tenancy)."""

from typing import NamedTuple


class Scope(NamedTuple):
    """Whose objects: a named tuple, so that it is a key of mappings and two arguments of a statement as it is."""

    account: str
    livemode: bool

    @property
    def other_mode(self) -> "Scope":
        """The same account in its other mode."""
        return Scope(self.account, not self.livemode)
