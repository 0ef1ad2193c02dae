"""Rendering of a webhook endpoint: the API object, and the object of failure notifications."""

from typing import Any, assert_never

from webhooks.endpoints.endpoint import Endpoint, EndpointDisabled, EndpointFailed


def render(state: Endpoint, livemode: bool) -> dict[str, Any]:
    """A living endpoint as the API shows it (API reference, the webhook endpoint object), without its secret."""
    return {
        "id": state.id,
        "object": "webhook_endpoint",
        "api_version": state.api_version,
        "application": None,
        "created": state.created_at,
        "description": state.description,
        "enabled_events": list(state.enabled_events),
        "livemode": livemode,
        "metadata": dict(state.metadata),
        "status": "disabled" if state.disabled else "enabled",
        "url": state.url,
    }


def render_with_secret(state: Endpoint, livemode: bool) -> dict[str, Any]:
    """The response to its creation or to a new secret: with the secret, in alphabetical order."""
    return _in_order({**render(state, livemode), "secret": state.secret})


def render_failing(state: Endpoint, livemode: bool, event: EndpointFailed | EndpointDisabled) -> dict[str, Any]:
    """The object of a failure notification: the endpoint with `failure`, in alphabetical order."""
    failing: dict[str, Any] = {"attempts": event.attempts, "since": event.since}
    match event:
        case EndpointFailed():
            failing["hours"] = event.hours
        case EndpointDisabled():
            failing["reason"] = event.reason
        case _:
            assert_never(event)
    return _in_order({**render(state, livemode), "failing": dict(sorted(failing.items()))})


def render_deleted(id: str) -> dict[str, Any]:
    """A deleted endpoint."""
    return {"id": id, "object": "webhook_endpoint", "deleted": True}


def _in_order(shown: dict[str, Any]) -> dict[str, Any]:
    """The id and what it is first, the rest by name."""
    return {"id": shown.pop("id"), "object": shown.pop("object"), **dict(sorted(shown.items()))}
