"""Webhook endpoints as read models: the API object, and the `facts` column for fan-out and workers.

The facts are read by `webhooks.sync_endpoints`, in the transaction that writes them.
There is no notice of a change that its owner makes to an endpoint; of what we find and do ourselves there is. Its
secret leaves the log sealed, so it is sealed again here, by a master key and for this endpoint alone.
"""

import base64
from dataclasses import asdict
from typing import Any

from events.decider import Change
from events.keys import MasterKeys
from projections.notices import Notification, notices_of
from projections.rows import Rows, resource_row
from webhooks.endpoints import endpoint, rendering
from webhooks.endpoints.endpoint import Endpoint, EndpointDisabled, EndpointFailed, EndpointTested


class EndpointProjection:
    """Turns changes of endpoints into their row and into notices, rendered in `api_version`."""

    def __init__(self, master_keys: MasterKeys, api_version: str) -> None:
        self._master_keys = master_keys
        self._api_version = api_version

    def rows(self, change: Change[Endpoint]) -> Rows:
        """The row after the change, and its notices."""
        state, origin = change.after, change.origin
        shown = rendering.render_deleted(state.id) if state.deleted else rendering.render(state, origin.livemode)
        status = "deleted" if state.deleted else "disabled" if state.disabled else "enabled"
        facts: dict[str, Any] = {
            "api_version": state.api_version,
            "cancellations": state.cancellations,
            "status": status,
            "url": "",
            "enabled_events": (),
            "notified_hours": state.notified_hours,
            "notified_since": state.notified_since,
            "recoveries": state.recoveries,
            "recovered_above": state.recovery and state.recovery.position,
            "recovered_since": state.recovery and state.recovery.since,
            "replay": state.replay,
            "rules": asdict(state.rules),
            "secrets": (),
            "secrets_until": (),
        }
        if not state.deleted:
            secrets = (state.secret, *(older.secret for older in state.older_secrets))
            facts["url"] = state.url
            facts["enabled_events"] = state.enabled_events
            facts["secrets"] = [self._sealed(secret, change.stream) for secret in secrets]
            facts["secrets_until"] = (None, *(older.until for older in state.older_secrets))
        row = resource_row(
            origin,
            change.version,
            kind=endpoint.KIND,
            id=state.id,
            created=state.created_at,
            shown=shown,
            deleted=state.deleted,
            facts=facts,
        )
        return Rows(resources=(row,), notices=notices_of(change, self._api_version, _notification))

    def _sealed(self, secret: str, stream: str) -> str:
        return base64.b64encode(self._master_keys.seal(secret.encode(), stream)).decode()


def _notification(event: Any, before: Endpoint, after: Endpoint, livemode: bool) -> Notification | None:
    match event:
        case EndpointFailed():
            return Notification("rollbook.endpoint.failing", rendering.render_failing(after, livemode, event))
        case EndpointDisabled():
            return Notification("rollbook.endpoint.disabled", rendering.render_failing(after, livemode, event))
        case EndpointTested():
            return Notification("rollbook.endpoint.test", rendering.render(after, livemode))
        case _:
            return None
