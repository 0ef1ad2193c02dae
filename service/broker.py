"""The broker of the settings: its URL, once every file that it names can be used."""

from service.settings import Misconfigured, Settings
from webhooks.broker import broker_tls


def url(settings: Settings) -> str | None:
    """The URL of the broker; None without one. Raises Misconfigured for a file of its TLS that cannot be used."""
    if settings.amqp_url is None:
        return None
    given = settings.amqp_url.get_secret_value()
    try:
        broker_tls.check_files(given)
    except broker_tls.UnusableFile as error:
        raise Misconfigured(f"AMQP_URL: {error}") from None
    return given
