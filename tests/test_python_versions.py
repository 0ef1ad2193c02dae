"""What every CPython that is promised can run, though the one at hand may be newer.

Early releases of CPython 3.11 (Debian 12 has 3.11.2) give no member of an enumeration through another member:
`HTTPStatus.OK.CONFLICT` raises AttributeError there. All later ones do, and type checkers accept it, so the sources are
searched for it.
"""

import ast
import enum
import http
import signal
import socket
import ssl
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("events", "projections", "webhooks", "service", "deploy", "tests")
LIBRARY = (http, signal, socket, ssl)


def members_through_members(nodes: list[ast.AST], members: set[str]) -> Iterator[int]:
    """The lines that reach for one of `members` by way of something that is neither class nor module."""
    imported = {
        (alias.asname or alias.name).partition(".")[0]
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    for node in nodes:
        if not (isinstance(node, ast.Attribute) and node.attr in members):
            continue
        match node.value:
            case ast.Name(id=owner):
                direct = owner in imported or _is_class(owner, members)
            case ast.Attribute(attr=owner):
                direct = _is_class(owner, members)
            case _:
                direct = False
        if not direct:
            yield node.lineno


def _is_class(name: str, members: set[str]) -> bool:
    return name[0].isupper() and name not in members


def _members(sources: Iterable[list[ast.AST]]) -> set[str]:
    """The members of the library's enumerations and of those in `sources`."""
    found = {
        name
        for module in LIBRARY
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, enum.Enum)
        for name in each.__members__
    }
    for node in (node for nodes in sources for node in nodes):
        if isinstance(node, ast.ClassDef) and _is_enumeration(node):
            assignments = (line for line in node.body if isinstance(line, ast.Assign))
            found |= {ast.unparse(target) for line in assignments for target in line.targets}
    return found


def _is_enumeration(defined: ast.ClassDef) -> bool:
    return any(ast.unparse(base).endswith(("Enum", "Flag")) for base in defined.bases)


def _nodes(source: str) -> list[ast.AST]:
    return list(ast.walk(ast.parse(source)))


def test_no_member_of_an_enumeration_is_reached_through_another() -> None:
    paths = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if "node_modules" not in path.parts)
    sources = {path: _nodes(path.read_text()) for path in paths}
    members = _members(sources.values())
    assert [
        f"{path.relative_to(ROOT)}:{line}"
        for path, nodes in sources.items()
        for line in members_through_members(nodes, members)
    ] == []


def test_and_the_search_finds_what_it_is_for() -> None:
    nodes = _nodes("""
import signal
from http import HTTPStatus
HttpRefusal.status.TOO_MANY_REQUESTS
self.status.NOT_FOUND
HTTPStatus.OK.CONFLICT
HTTPStatus(200).CONFLICT
http.HTTPStatus.CONFLICT, HTTPStatus.OK, signal.SIGTERM, ssl.TLSVersion.TLSv1_2
class Colour(StrEnum):
    RED = "red"
Colour.RED, self.colour.RED
""")
    assert list(members_through_members(nodes, _members([nodes]))) == [4, 5, 6, 7, 11]
