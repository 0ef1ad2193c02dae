"""The order and the panels of commands in `rollbook --help`, by what they are for."""

from collections.abc import Mapping
from typing import Any

from typer.core import TyperGroup

PANELS: Mapping[str, tuple[str, ...]] = {
    "Run it": ("serve", "api", "relay", "worker", "migrate", "roles", "config"),
    "Webhooks and events": ("endpoints", "deliveries", "listen", "trigger", "subscribers", "asyncapi"),
    "Audit and proof": ("history", "verify", "checkpoint", "checkpoint-key", "export", "import", "replay"),
    "Privacy": ("erase", "hold", "retain"),
    "Operations": ("keys", "master-key", "rebuild", "parked"),
}


class PanelGroup(TyperGroup):
    """A group of commands in the order of their panels; what is in no panel comes first."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for panel, names in PANELS.items():
            for name in names:
                command: Any = self.commands.pop(name)
                command.rich_help_panel = panel
                self.commands[name] = command
