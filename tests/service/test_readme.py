"""The READMEs' lines work as they are printed, and what they name exists."""

import asyncio
import re
import sys
from pathlib import Path

import pytest
import typer.main

from service.cli import app
from service.commands.keys import DEVELOPMENT_KEY
from tests.service.serving import Api

ROOT = Path(__file__).parents[2]
PACKAGES = ("events", "projections", "webhooks", "service", "tests", "deploy")
PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", *(f"{package}/README.md" for package in PACKAGES))
TEXTS = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}
README = "\n".join(TEXTS.values())
ADDRESS = "http://127.0.0.1:8420"


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def here(block: str, api: Api) -> str:
    """A block as a user would type it, for the server of the test."""
    return block.replace(ADDRESS, api.url).replace("port: 8420", f"port: {api.port}").replace(DEVELOPMENT_KEY, api.key)


async def customer_of(api: Api, *program: str) -> None:
    """Run a program that prints the id of the customer it makes."""
    process = await asyncio.create_subprocess_exec(
        *program, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    id = output.decode().strip()
    assert process.returncode == 0, id
    assert (await api.get(f"/v1/customers/{id}")).json["email"] == "jenny.rosen@example.com"


async def test_the_python_lines_make_a_customer(api: Api) -> None:
    [block] = blocks("python", TEXTS["README.md"])
    await customer_of(api, sys.executable, "-c", here(block, api))


@pytest.mark.node
async def test_the_node_lines_make_a_customer(api: Api, node: Path) -> None:
    [block] = blocks("js", TEXTS["README.md"])
    script = ROOT / "tests" / "node" / f"readme-{api.port}.mjs"  # beside the packages that it imports
    try:
        script.write_text(here(block, api))
        await customer_of(api, str(node), str(script))
    finally:
        script.unlink(missing_ok=True)


async def test_the_curl_lines_are_answered(api: Api) -> None:
    lines = "\n".join(blocks("sh")).replace("\\\n", " ").splitlines()
    curls = [line for line in lines if line.startswith("curl") and "-N" not in line]
    assert len(curls) >= 3
    for line in curls:
        process = await asyncio.create_subprocess_shell(
            here(line, api).replace("wait=30", "wait=0").replace("curl ", "curl --silent --fail-with-body ", 1),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, (line, output.decode())


def test_every_command_that_is_named_exists() -> None:
    commands = set(re.findall(r"rollbook ((?:[a-z]+(?:-[a-z]+)*)(?: [a-z]+(?:-[a-z]+)*)?)(?=[ `\n|\\])", README))
    root = typer.main.get_command(app)
    known = set()
    for name, command in root.commands.items():  # type: ignore[attr-defined]  # a group has them
        known.add(name)
        known |= {f"{name} {each}" for each in getattr(command, "commands", {})}
    groups = {name for name in known if " " in name}
    for command in commands:
        first, _, second = command.partition(" ")
        assert first in known, command
        if any(group.startswith(f"{first} ") for group in groups) and second:
            assert command in known, command


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_exists(page: str) -> None:
    text, beside = TEXTS[page], (ROOT / page).parent
    linked = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    named = re.findall(r"`([\w./-]+/(?:[\w.-]+\.(?:py|sql|md|txt|yaml|json))?)`", text)
    named = [name for name in named if "PACKAGE" not in name and "NNNN" not in name]
    assert [link for link in linked if not (beside / link).exists()] == []
    assert [name for name in named if not (ROOT / name).exists() and not (beside / name).exists()] == []


def test_the_readme_is_one_page() -> None:
    assert len(TEXTS["README.md"].split()) < 1_200
