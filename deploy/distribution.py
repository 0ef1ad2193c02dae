"""The distributions, sdist and wheel: how they are built, and a proof that an installation of one serves a request.

The wheel is built from the sdist, so a file that the sdist lacks is missing from both.
"""

import base64
import json
import os
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

TEST_KEY = "sk_test_rollbook"
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0
REQUEST_TIMEOUT_S = 30.0
OF_THE_SERVICE = ("ROLLBOOK_", "DATABASE_URL", "AMQP_URL", "PG", "PYTHONPATH")  # variables that are not handed on
BUILD_SDIST = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


class Distributions(NamedTuple):
    """The files of one version."""

    sdist: Path
    wheel: Path


def build(tree: Path, directory: Path) -> Distributions:
    """Build the sdist from `tree`, and the wheel from the sdist, with the pinned setuptools of this Python."""
    directory.mkdir(parents=True, exist_ok=True)
    _run(sys.executable, "-c", BUILD_SDIST, str(directory), cwd=tree)
    [sdist] = directory.glob("*.tar.gz")
    _run(*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(directory), str(sdist))
    [wheel] = directory.glob("*.whl")
    return Distributions(sdist, wheel)


def install(environment: Path, distribution: Path, requirements: Path) -> None:
    """Install a distribution with what `requirements` pins, in a new environment."""
    _run(sys.executable, "-m", "venv", str(environment))
    pip = (str(environment / "bin" / "python"), *PIP[1:], "install")
    _run(*pip, "--require-hashes", "--requirement", str(requirements))
    _run(*pip, "--no-deps", "--no-index", "--no-build-isolation", str(distribution))


def serve_a_request(environment: Path, directory: Path) -> str:
    """Start `rollbook serve` of an environment in `directory`, create a customer and read it; gives the customer's id.

    The service has a free port, a database of its own, and none of this process's settings.
    """
    with _service(environment, directory) as url:
        created = _request(f"{url}/v1/customers", {"email": "jenny.rosen@example.com"})
        read = _request(f"{url}/v1/customers/{created['id']}")
    if read != created or read["email"] != "jenny.rosen@example.com":
        raise RuntimeError(f"created {created}, but read {read}")
    return str(read["id"])


@contextmanager
def _service(environment: Path, directory: Path) -> Iterator[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OF_THE_SERVICE)}
    own = {"ROLLBOOK_PORT": "0", "ROLLBOOK_DATA_DIR": str(directory / "data")}
    service = subprocess.Popen(
        [environment / "bin" / "rollbook", "serve"],
        cwd=directory,
        env=inherited | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = threading.Timer(START_TIMEOUT_S, service.kill)
    deadline.start()
    try:
        yield _address(service)
    finally:
        deadline.cancel()
        service.terminate()
        try:
            printed, _ = service.communicate(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            service.kill()
            raise
    if service.returncode:
        raise RuntimeError(f"the service ended with {service.returncode}; it printed: {printed}")


def _address(service: "subprocess.Popen[str]") -> str:
    assert service.stdout is not None
    printed = []
    for line in service.stdout:
        if found := re.search(r"Rollbook is at (http://\S+),", line):
            return found[1]
        printed.append(line)
    raise RuntimeError(f"the service does not answer; it printed: {''.join(printed)}")


def _request(url: str, form: dict[str, str] | None = None) -> Any:
    data = None if form is None else urlencode(form).encode()
    authorization = "Basic " + base64.b64encode(f"{TEST_KEY}:".encode()).decode()
    request = urllib.request.Request(url, data, {"Authorization": authorization})
    with urllib.request.urlopen(request, timeout=REQUEST_TIMEOUT_S) as answer:
        return json.load(answer)


def _run(*command: str, cwd: Path | None = None) -> None:
    done = subprocess.run(command, check=False, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
