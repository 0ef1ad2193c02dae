"""The digest of folding code: which code made a state of events, so that no other code goes on from that state.

It covers the text of the module that folds, of every module of ours that it imports, directly or not, and of those
that decode events and states. A change of a comment changes it too: that costs a fold of the whole history, once a
stream, where too small a digest would cost a wrong state.
"""

import functools
import re
import sys
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

IMPORT = re.compile(r"^(?:from ([\w.]+) )?import (\([^)]*\)|[^\n]+)$", re.MULTILINE)
ALWAYS = ("events.codec", "events.state_codec")


@functools.cache
def digest(module: str) -> bytes | None:
    """32 bytes that change with the code of a module, or of what it imports.

    None where it was installed without source: then there are no snapshots.
    """
    packages = {"events", module.partition(".")[0]}
    texts: dict[str, str] = {}
    waiting = [module, *ALWAYS]
    while waiting:
        name = waiting.pop()
        if name not in texts:
            text = _source(name)
            if text is None:
                return None
            texts[name] = text
            waiting += [each for each in _imported(text) if _ours(each, packages)]
    total = sha256()
    for name, text in sorted(texts.items()):
        total.update(name.encode() + b"\0" + sha256(text.encode()).digest())
    return total.digest()


def _source(name: str) -> str | None:
    spec = sys.modules[name].__spec__
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    file = Path(spec.origin)
    return file.read_text(encoding="utf-8") if file.is_file() else None


def _imported(source: str) -> Iterable[str]:
    """Names of what the source imports: modules, and what may be modules in a package."""
    for package, names in IMPORT.findall(source):
        imported = [part.strip().partition(" as ")[0] for part in names.strip("()").split(",")]
        yield from [package, *(f"{package}.{name}" for name in imported)] if package else imported


def _ours(name: str, packages: set[str]) -> bool:
    return name in sys.modules and name.partition(".")[0] in packages
