"""API keys, found by the digest of the key. They have no notices."""

from typing import Any

from events import api_key
from events.api_key import ApiKey
from events.decider import Change
from events.scope import Scope
from projections.rows import Rows, resource_row


def render(key: ApiKey, scope: Scope) -> dict[str, Any]:
    """A key as the command line lists it."""
    return {
        "id": key.id,
        "object": "api_key",
        "account": scope.account,
        "created": key.created,
        "key": key.shown,
        "key_type": key.key_type,
        "livemode": scope.livemode,
        "name": key.name,
        "permissions": key.permissions,
        "revoked": key.revoked,
    }


def rows(change: Change[ApiKey]) -> Rows:
    """The key's row; a revoked key is a deleted row, which nothing finds."""
    key, origin = change.after, change.origin
    row = resource_row(
        origin,
        change.version,
        kind=api_key.KIND,
        id=key.id,
        created=key.created,
        shown=render(key, origin.scope),
        deleted=key.revoked,
        lookup=key.digest,
        facts={
            "key_type": key.key_type,
            "permissions": key.permissions,
            # What processes of the release before read; it goes a release later.
            "power": key.key_type,
            "rights": key.permissions,
        },
    )
    return Rows(resources=(row,))
