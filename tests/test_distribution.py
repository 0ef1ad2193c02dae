"""The wheel has every file of the packages, and an installation of it serves a request (`make release` tries both)."""

import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest

from deploy import distribution, release

ROOT = Path(__file__).parents[1]
PACKAGES = ("events", "projections", "webhooks", "service")
DAY = date(2026, 11, 27)


class Built(NamedTuple):
    tree: Path
    files: distribution.Distributions


def files() -> list[str]:
    """What is tracked, or would be."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in names if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    made = tmp_path_factory.mktemp("distribution")
    for name in files():
        if not name.startswith("tests/"):
            copy = made / "tree" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy)
    return Built(made / "tree", distribution.build(made / "tree", made / "dist"))


def test_the_wheel_has_every_file_of_the_packages_and_none_of_the_tests(built: Built) -> None:
    with zipfile.ZipFile(built.files.wheel) as wheel:
        packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    of_the_packages = {name for name in files() if name.partition("/")[0] in PACKAGES and not name.endswith(".md")}
    assert packed == of_the_packages


@pytest.mark.timeout(240)
def test_an_installation_serves_a_request(built: Built, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    paths = {"base": str(environment), "platbase": str(environment)}
    packages = Path(sysconfig.get_path("purelib", "venv", paths))
    # What is pinned comes from the environment at hand. An editable installation in it is found by a .pth file, which
    # Python does not read there.
    (packages / "pinned.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", str(environment), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--ignore-installed", str(built.files.wheel)], check=True)
    assert (packages / "service").is_dir()
    # Not in tmp_path: the user that PostgreSQL runs as has to pass through, and pytest closes its directory to others.
    with tempfile.TemporaryDirectory(prefix="rollbook-tests-") as directory:
        assert distribution.serve_a_request(environment, Path(directory)).startswith("cus_")


def test_what_was_unreleased_is_under_the_version_afterwards() -> None:
    changelog = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A new thing.\n\n## [0.9.0] - 2026-10-01\n\n- Old.\n"
    assert release.released(changelog, "1.0.0", DAY) == (
        "# Changelog\n\n## [Unreleased]\n\n## [1.0.0] - 2026-11-27\n\n### Added\n\n- A new thing.\n\n"
        "## [0.9.0] - 2026-10-01\n\n- Old.\n"
    )


@pytest.mark.parametrize(
    "changelog", ["## [Unreleased]\n\n## [0.9.0] - 2026-10-01\n\n- Old.\n", "## [Unreleased]\n\n- New.\n\n## [1.0.0]\n"]
)
def test_a_release_of_nothing_new_or_of_a_version_that_is_there_is_refused(changelog: str) -> None:
    with pytest.raises(release.Refused):
        release.released(changelog, "1.0.0", DAY)


def test_a_version_only_rises() -> None:
    module = '"""The version."""\n\nVERSION = "1.9.0"\n'
    assert release.with_version(module, "1.10.0") == '"""The version."""\n\nVERSION = "1.10.0"\n'
    assert release.with_version(module, "1.9.0") == module
    for version in ("1.8.9", "1.10", "v2.0.0"):
        with pytest.raises(release.Refused):
            release.with_version(module, version)
