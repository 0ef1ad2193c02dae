"""API keys, found by the digest of the key. They have no notices: who may act is nobody else's business."""

from typing import Any

import orjson

from events import api_key
from events.api_key import ApiKey
from events.decider import Change
from projections.rows import ResourceRow, Rows


def render(key: ApiKey, account: str, livemode: bool) -> dict[str, Any]:
    """A key as the command line lists it."""
    return {
        "id": key.id,
        "object": "api_key",
        "account": account,
        "created": key.created,
        "key": key.shown,
        "livemode": livemode,
        "name": key.name,
        "power": key.power,
        "revoked": key.revoked,
        "rights": key.rights,
    }


def rows(change: Change[ApiKey]) -> Rows:
    """The key's row; a revoked key is a deleted row, which nothing finds."""
    key, origin = change.after, change.origin
    return Rows(
        resources=(
            ResourceRow(
                account=origin.account,
                livemode=origin.livemode,
                id=key.id,
                kind=api_key.KIND,
                parent="",
                created=key.created,
                version=change.version,
                deleted=key.revoked,
                lookup=key.digest,
                body=orjson.dumps(render(key, origin.account, origin.livemode), option=orjson.OPT_INDENT_2),
                facts=orjson.dumps({"power": key.power, "rights": key.rights}).decode(),
            ),
        )
    )
