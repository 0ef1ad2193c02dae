"""What a newcomer sees when the service has started: where it is, a key, and three lines to try."""

from service.dev.inbox import PATH
from service.keys import DEVELOPMENT_KEY

WELCOME = """
  Rollbook is at {url}, test key {key}.

  Watch webhooks arrive:   curl -N {url}{inbox}
  Register a webhook:      curl -u {key}: {url}/v1/webhook_endpoints -d url={url}{inbox} -d 'enabled_events[]=*'
  Create a customer:       curl -u {key}: {url}/v1/customers -d email=jenny.rosen@example.com -d name='Jenny Rosen'
"""


def welcome(url: str) -> str:
    """The text for a service that listens at `url`."""
    return WELCOME.format(url=url, key=DEVELOPMENT_KEY, inbox=PATH)
