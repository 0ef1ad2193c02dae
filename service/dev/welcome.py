"""The startup banner of development: URL, test key, and commands to try."""

import os
import sys
from pathlib import Path

from service.commands.keys import DEVELOPMENT_KEY
from service.dev.inbox import PATH

WELCOME = """
  Rollbook is at {url}, test key {key}. The API's reference: {url}/docs

  Watch webhooks arrive:   curl -N {url}{inbox}
  Register a webhook:      curl -u {key}: {url}/v1/webhook_endpoints -d url={url}{inbox} -d 'enabled_events[]=*'
  Create a customer:       curl -u {key}: {url}/v1/customers -d email=jenny.rosen@example.com -d name='Jenny Rosen'
  More commands:           {command} --help
"""


def welcome(url: str) -> str:
    """The text for a service that listens at `url`."""
    return WELCOME.format(url=url, key=DEVELOPMENT_KEY, inbox=PATH, command=_command())


def _command() -> str:
    """How to type the `rollbook` command in this directory."""
    command = Path(sys.executable).with_name("rollbook")
    if str(command.parent) in os.environ.get("PATH", "").split(os.pathsep) or not command.exists():
        return "rollbook"
    return os.path.relpath(command) if command.is_relative_to(Path.cwd()) else str(command)
