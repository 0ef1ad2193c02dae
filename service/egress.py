"""Egress of webhooks, wired from settings: SSRF policy, proxy, DNS resolver, and TLS trust."""

import ssl

from service.settings import Misconfigured, Settings
from webhooks.post import proxy, tls
from webhooks.post.proxy import Proxy
from webhooks.post.sender import Sender
from webhooks.post.ssrf import Policy


def policy(settings: Settings) -> Policy:
    """What may be called: the same when an endpoint is registered and when it is sent to."""
    return Policy(
        production=settings.production,
        allow_networks=settings.allow_networks,
        deny_networks=settings.deny_networks,
        allowed_ports=settings.allowed_ports,
    )


def sender(settings: Settings) -> Sender:
    """What sends. Raises Misconfigured when a file it needs cannot be used."""
    url = settings.webhook_proxy_url
    return Sender(
        policy(settings),
        tls=secured(settings),
        proxy=Proxy(proxy.parse(url.get_secret_value()), resolves=settings.webhook_proxy_resolves) if url else None,
        connect_timeout_s=settings.webhook_connect_timeout_s,
        total_timeout_s=settings.webhook_timeout_s,
        in_flight_max=settings.webhook_in_flight_max,
    )


def secured(settings: Settings) -> ssl.SSLContext:
    """What connections are secured with. Raises Misconfigured, as `sender` does."""
    given = {
        "CA_FILE": settings.webhook_ca_file,
        "CLIENT_CERT_FILE": settings.webhook_client_cert_file,
        "CLIENT_KEY_FILE": settings.webhook_client_key_file,
    }
    try:
        return tls.context(*given.values())
    except tls.Unusable as error:
        names = [f"ROLLBOOK_WEBHOOK_{name}" for name, path in given.items() if path in error.files]
        raise Misconfigured(f"{', '.join(names)}: {error}") from None
