"""Webhook endpoints as read models: what the API shows, and the facts that fan-out and senders need.

The facts are read by `webhooks.keep_endpoints`, in the transaction that writes them.
There is no notice of a change to an endpoint. Its secret leaves the log sealed, so it is sealed again here, by a master
key and for this endpoint alone.
"""

import base64
from typing import Any

import orjson

from events.decider import Change, Decider
from events.keys import MasterKeys
from projections.rows import ResourceRow, Rows
from webhooks import endpoint
from webhooks.endpoint import Endpoint

ENDPOINT: Decider[Endpoint] = Decider(endpoint.KIND, endpoint.NOWHERE, endpoint.decide, endpoint.evolve)


class EndpointProjection:
    """Turns changes of endpoints into their row."""

    def __init__(self, master_keys: MasterKeys) -> None:
        self._master_keys = master_keys

    def rows(self, change: Change[Endpoint]) -> Rows:
        """The row as the change left it."""
        state, origin = change.after, change.origin
        shown = endpoint.render_deleted(state.id) if state.deleted else endpoint.render(state, origin.livemode)
        status = "deleted" if state.deleted else "disabled" if state.disabled else "enabled"
        facts: dict[str, Any] = {
            "api_version": state.api_version,
            "status": status,
            "url": "",
            "enabled_events": (),
            "secrets": (),
        }
        if not state.deleted:
            sealed = self._master_keys.seal(state.secret.encode(), change.stream)
            facts["url"] = state.url
            facts["enabled_events"] = state.enabled_events
            facts["secrets"] = (base64.b64encode(sealed).decode(),)
        return Rows(
            resources=(
                ResourceRow(
                    account=origin.account,
                    livemode=origin.livemode,
                    id=state.id,
                    kind=endpoint.KIND,
                    parent="",
                    created=state.created_at,
                    version=change.version,
                    deleted=state.deleted,
                    lookup=None,
                    body=orjson.dumps(shown, option=orjson.OPT_INDENT_2),
                    facts=orjson.dumps(facts).decode(),
                ),
            )
        )
