"""The layout of the repository: names of tests, modules that have to be pure, one function a file.

`test_*.py` are tests, and only tests; what several test modules need is in a module of its own.
"""

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

from events import migrate
from service.wiring import EVENT_MODULES

ROOT = Path(__file__).parents[1]
PACKAGES = ("events", "projections", "webhooks", "service")
PURE = "Decisions and values know nothing of drivers and frameworks"


def imported_by(path: Path) -> Iterator[str]:
    """The full names of what a module imports, and of what it imports from."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_no_file_outside_of_tests_is_named_as_tests_are() -> None:
    """pytest would collect it, and a reader would pass over it."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    outside = [path for path in map(Path, names) if path.parts[0] != "tests"]
    assert Path("events/log.py") in outside
    assert [str(path) for path in outside if path.name.startswith("test_") and (ROOT / path).exists()] == []


def test_nothing_is_imported_from_a_test_module() -> None:
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in (ROOT / "tests").rglob("*.py")}
    tests = {name for name in modules if name.rpartition(".")[2].startswith("test_")}
    assert {name: found for name, path in modules.items() if (found := tests.intersection(imported_by(path)))} == {}


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def decides(path: Path) -> bool:
    """Whether a module has a `decide` or an `evolve` of its own."""
    body = ast.parse(path.read_text("utf-8")).body
    return any(isinstance(node, ast.FunctionDef) and node.name in ("decide", "evolve") for node in body)


def test_every_decision_is_under_the_import_contract_of_pure_modules() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    [contract] = [contract for contract in linter["contracts"] if contract["name"] == PURE]
    listed = tuple(contract["source_modules"])
    decisions = {module_of(path) for package in PACKAGES for path in (ROOT / package).rglob("*.py") if decides(path)}
    assert "events.customer.balance" in decisions
    decisions |= {module.__name__ for module in EVENT_MODULES}
    assert [name for name in sorted(decisions) if not f"{name}.".startswith(tuple(f"{one}." for one in listed))] == []


def test_a_file_of_sql_functions_has_the_one_that_it_is_named_for() -> None:
    """In all its signatures, as the migration replaces them together; see the decision on SQL functions."""
    found = {path: migrate.FUNCTION.findall(path.read_text("utf-8")) for path in ROOT.glob("*/sql/functions/*.sql")}
    named = {path: {(path.relative_to(ROOT).parts[0], path.stem)} for path in found}
    assert found
    assert {path.name: names for path, names in found.items() if set(names) != named[path]} == {}
