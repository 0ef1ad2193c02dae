"""deploy/SETTINGS.md, made of the settings themselves: `.venv/bin/python -m tests.service.settings_page` writes it."""

from pathlib import Path

from service.settings import Settings, _variable

PAGE = Path(__file__).parents[2] / "deploy" / "SETTINGS.md"
HEAD = """\
# Settings

Environment variables, read once at startup. `rollbook config` prints those in force, with secrets masked. `_S` at the
end of a name is seconds, `_MAX` an upper limit. What is unsafe in production is refused there at startup.

| variable | default | meaning |
| --- | --- | --- |
"""


def page() -> str:
    """The page as it should be."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        rows.append(f"| `{_variable(name)}` | {default} | {(field.description or '').replace('|', chr(92) + '|')} |\n")
    return HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
