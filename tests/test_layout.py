"""What several test modules need is in a module of its own: nothing is imported from a `test_*.py`."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


def imported_by(path: Path) -> Iterator[str]:
    """The full names of what a module imports, and of what it imports from."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_nothing_is_imported_from_a_test_module() -> None:
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in (ROOT / "tests").rglob("*.py")}
    tests = {name for name in modules if name.rpartition(".")[2].startswith("test_")}
    assert {name: found for name, path in modules.items() if (found := tests.intersection(imported_by(path)))} == {}
