"""Tokens as the API shows them; they have no notices."""

from typing import Any

from events import token
from events.decider import Change
from events.token import Token
from projections.rows import Rows, resource_row
from projections.sources import in_order, render_bank_account, render_card


def render(state: Token, livemode: bool) -> dict[str, Any]:
    """A token (API reference, the token object)."""
    shown: dict[str, Any] = {
        "id": state.id,
        "object": "token",
        "client_ip": None,
        "created": state.created,
        "livemode": livemode,
        "type": state.type,
        "used": state.used,
    }
    if state.card is not None:
        networks = {"preferred": state.card.preferred_network}
        shown["card"] = in_order(render_card(state.card, state.holds) | {"metadata": {}, "networks": networks})
    if state.bank_account is not None:
        shown["bank_account"] = render_bank_account(state.bank_account, state.holds)
    return in_order(shown)


def rows(change: Change[Token]) -> Rows:
    """The token's row."""
    state, origin = change.after, change.origin
    shown = render(state, origin.livemode)
    row = resource_row(origin, change.version, kind=token.KIND, id=state.id, created=state.created, shown=shown)
    return Rows(resources=(row,))
