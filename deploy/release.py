"""Make a release: `make release`, or `make release VERSION=1.2.0` to set a new version in events/version.py.

The release commit is made and its distributions are proved in a worktree apart. The branch, the tag and `dist/` change
last, so a release that fails leaves nothing behind. Nothing is pushed.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from shutil import copy

from deploy import distribution

ROOT = Path(__file__).resolve().parents[1]
BRANCH = "main"
CHANGELOG = Path("CHANGELOG.md")
VERSION = Path("events", "version.py")
UNRELEASED = "## [Unreleased]\n"
ASSIGNED = re.compile(r'^VERSION = "(.*)"$', re.MULTILINE)


class Refused(Exception):
    """What keeps a release from being made, in one sentence."""


def released(changelog: str, version: str, day: date) -> str:
    """The changelog with what was unreleased under `version`. Raises Refused for nothing new, or a known version."""
    before, heading, after = changelog.partition(UNRELEASED)
    unreleased = after.partition("\n## [")[0]
    if not heading or not unreleased.strip():
        raise Refused(f"{CHANGELOG} has nothing under {UNRELEASED.strip()}.")
    if f"## [{version}]" in after:
        raise Refused(f"{CHANGELOG} has {version} already.")
    return f"{before}{UNRELEASED}\n## [{version}] - {day.isoformat()}\n{after}"


def with_version(module: str, version: str) -> str:
    """The text of events/version.py with another version. Raises Refused for one that is lower, or no version."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise Refused(f"{version!r} is no version of the form MAJOR.MINOR.PATCH.")
    present = _present(module)
    if _numbers(version) < _numbers(present):
        raise Refused(f"{version} is lower than {present}, the version in {VERSION}.")
    return ASSIGNED.sub(f'VERSION = "{version}"', module)


def _present(module: str) -> str:
    found = ASSIGNED.search(module)
    assert found is not None
    return found[1]


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def release(version: str) -> None:
    """Make the release. Raises Refused, and RuntimeError for distributions that do not work."""
    tag = f"v{version}"
    _check(tag)
    with tempfile.TemporaryDirectory(prefix="rollbook-release-") as made, _worktree(Path(made, "tree")) as tree:
        commit = _commit(tree, version)
        built = distribution.build(tree, Path(made, "dist"))
        for kind, file in built._asdict().items():
            environment, directory = Path(made, f"{kind}-environment"), Path(made, f"{kind}-run")
            directory.mkdir()
            distribution.install(environment, file, tree / "requirements.txt")
            _say(f"{file.name}: installed, and served {distribution.serve_a_request(environment, directory)}")
        _git("merge", "--quiet", "--ff-only", commit)
        _git("tag", "--annotate", "--message", f"Rollbook {version}", tag, commit)
        (ROOT / "dist").mkdir(exist_ok=True)
        for file in built:
            copy(file, ROOT / "dist" / file.name)
    _say(
        f"{tag} is {commit[:10]} on {BRANCH}; dist/ has {' and '.join(file.name for file in built)}. Nothing is pushed."
    )


def _check(tag: str) -> None:
    branch = _git("branch", "--show-current")
    if branch != BRANCH:
        raise Refused(f"A release is made on {BRANCH}, and this is {branch or 'no branch'}.")
    if _git("status", "--porcelain"):
        raise Refused("There are changes that are not committed.")
    if _git("tag", "--list", tag):
        raise Refused(f"There is a tag {tag} already.")


@contextmanager
def _worktree(tree: Path) -> Iterator[Path]:
    _git("worktree", "add", "--quiet", "--detach", str(tree), "HEAD")
    try:
        yield tree
    finally:
        _git("worktree", "remove", "--force", str(tree))


def _commit(tree: Path, version: str) -> str:
    for path, text in (
        (VERSION, with_version((tree / VERSION).read_text(encoding="utf-8"), version)),
        (CHANGELOG, released((tree / CHANGELOG).read_text(encoding="utf-8"), version, datetime.now(UTC).date())),
    ):
        (tree / path).write_text(text, encoding="utf-8")
    # Hooks before a commit run the checks of .venv, which a worktree has not; only a version and a heading change.
    _git("commit", "--quiet", "--no-verify", "--all", "--message", f"Release {version}", tree=tree)
    return _git("rev-parse", "HEAD", tree=tree)


def _git(*arguments: str, tree: Path = ROOT) -> str:
    done = subprocess.run(["git", *arguments], check=False, cwd=tree, capture_output=True, text=True)
    if done.returncode:
        raise Refused(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="make release", description="Commit, tag, build and prove a release.")
    parser.add_argument("version", nargs="?", help=f"MAJOR.MINOR.PATCH; by default the one in {VERSION}")
    version = parser.parse_args().version
    try:
        release(version or _present((ROOT / VERSION).read_text(encoding="utf-8")))
    except (Refused, RuntimeError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
