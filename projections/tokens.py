"""Tokens as the API shows them; nothing is told of them."""

from typing import Any

import orjson

from events import token
from events.decider import Change
from events.token import Token
from projections.rows import ResourceRow, Rows
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
    row = ResourceRow(
        account=origin.account,
        livemode=origin.livemode,
        id=state.id,
        kind=token.KIND,
        parent="",
        created=state.created,
        version=change.version,
        deleted=False,
        lookup=None,
        body=orjson.dumps(render(state, origin.livemode), option=orjson.OPT_INDENT_2),
        facts="{}",
    )
    return Rows(resources=(row,))
