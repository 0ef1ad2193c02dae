"""The version is written in one file, and everything that shows a version reads it there."""

import re
import subprocess
import tomllib
from pathlib import Path

from events.version import VERSION
from service import asyncapi
from tests.service.serving import command

ROOT = Path(__file__).parents[1]
PACKAGES = ("events", "projections", "webhooks", "service")


def test_it_is_a_semantic_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", VERSION)


def test_the_package_reads_it_from_the_module() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "events.version.VERSION"}


def test_the_command_line_and_the_asyncapi_document_show_it() -> None:
    printed = subprocess.run(command("--version"), cwd=ROOT, capture_output=True, text=True, check=True)
    assert printed.stdout == f"rollbook {VERSION}\n"
    assert asyncapi.document("rollbook")["info"]["version"] == VERSION


def test_no_other_module_repeats_it() -> None:
    repeated = re.compile(rf"\b{re.escape(VERSION)}\b|Rollbook/\d")
    modules = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    assert [str(path) for path in modules if repeated.search(path.read_text(encoding="utf-8"))] == [
        str(ROOT / "events" / "version.py")
    ]
