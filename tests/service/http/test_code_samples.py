"""The reference's code samples run as printed, and its example answers are what the service answers.

`RECORD_ANSWERS=1 pytest tests/service/http/test_code_samples.py` writes answers.json again from what curl prints.
"""

import asyncio
import contextlib
import io
import json
import os
import re
from asyncio.subprocess import DEVNULL, PIPE
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import stripe

from service.asyncapi import OBJECTS
from service.http import openapi
from service.http.app import OPERATIONS
from service.http.docs import samples
from service.http.docs.event_types import EVENT_TYPES
from service.http.operation import Operation
from tests.servers.receiver import Answer, Receiver
from tests.service.described import check
from tests.service.http.sample_objects import VERSION, SampleObjects
from tests.service.serving import Api, working

ANSWERS = Path(str(resources.files("service.http.docs").joinpath("answers.json")))
NODE_MODULES = Path(__file__).parents[2] / "node" / "node_modules"
SAMPLES: dict[str, dict[str, str]] = {
    operation.name: {
        one["label"]: one["source"]
        for one in samples.samples(operation.name, operation.method, operation.path, openapi.sample(operation))
    }
    for operation in OPERATIONS
}
LINES = ("audit.log", "feed.read")
# Imports the modules that standard input names, and says of each how it ran.
RUNNER = r"""
import readline from "node:readline";
for await (const name of readline.createInterface({ input: process.stdin })) {
  try {
    await import(name);
    console.error("ran");
  } catch (error) {
    console.error(`failed\n${error.message.replaceAll("\n", " ")}`);
  }
}
"""


def with_failing_webhooks(api: Api, receiver: Receiver) -> SampleObjects:
    """Objects whose deliveries fail, so that they stay pending."""
    receiver.behave("/hooks", Answer(status=500))
    return SampleObjects(api, receiver.url("/hooks"))


def here(api: Api, source: str, names: dict[str, str]) -> str:
    """A sample as the page of `api` prints it, with ids that exist."""
    node = f'{{ host: "127.0.0.1", port: {api.port}, protocol: "http" }}'
    for printed, own in {samples.BASE_URL: api.url, samples.KEY: api.key, samples.NODE_OPTIONS: node, **names}.items():
        source = source.replace(printed, own)
    return source


async def test_curl_samples_run_and_answer_as_the_reference_shows(api: Api, receiver: Receiver) -> None:
    recorded: dict[str, Any] = {}
    objects = with_failing_webhooks(api, receiver)
    async with working(api):
        for operation in OPERATIONS:
            names = await objects.make(operation)
            source = here(api, SAMPLES[operation.name]["curl"], names).replace("curl ", "curl -sS ", 1)
            process = await asyncio.create_subprocess_shell(source, stdout=PIPE, stderr=PIPE)
            output, errors = await process.communicate()
            assert process.returncode == 0, errors.decode()
            text = output.decode()
            if operation.name in LINES:
                answer = [json.loads(line) for line in text.splitlines()]
                assert len(answer) == 3, f"{source}\n{text}"
                recorded[operation.name] = [json.loads(printable(line, names)) for line in text.splitlines()]
                continue
            answer = json.loads(text)
            assert "error" not in answer, f"{source}\n{text}"
            recorded[operation.name] = json.loads(printable(text, names))
    if os.environ.get("RECORD_ANSWERS"):
        await asyncio.to_thread(ANSWERS.write_text, json.dumps(recorded, indent=1) + "\n")
    shown = json.loads(await asyncio.to_thread(ANSWERS.read_text))
    assert shown.keys() == recorded.keys()
    for name, answer in recorded.items():
        assert alike(shown[name], answer), name


def printable(text: str, names: dict[str, str]) -> str:
    """An answer with the ids that the samples print, and no secret."""
    for printed, own in names.items():
        text = text.replace(own, printed)
    return re.sub(r"whsec_\w+", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", text)


def alike(one: Any, other: Any) -> bool:
    """Whether two answers have the same keys and kinds of values; where one is null, empty or 0 nothing is compared."""
    if not one or not other:
        return True
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(alike(value, other[key]) for key, value in one.items())
        case list(), list():
            return alike(one[0], other[0])
        case _:
            return type(one) is type(other)


async def test_python_samples_run_with_the_official_client(api: Api, receiver: Receiver) -> None:
    def run(source: str) -> str:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(source, "sample", "exec"), {})
        return printed.getvalue()

    objects = with_failing_webhooks(api, receiver)
    async with working(api):
        for operation in OPERATIONS:
            if source := SAMPLES[operation.name].get("Python"):
                source = here(api, source, await objects.make(operation))
                try:
                    printed = await asyncio.to_thread(run, source)
                except (stripe.StripeError, AttributeError, TypeError) as error:
                    pytest.fail(f"{operation.name}: {error!r}\n{source}")
                assert printed, operation.name


@pytest.mark.node
async def test_node_samples_run_with_the_official_client(
    api: Api, receiver: Receiver, node: Path, tmp_path: Path
) -> None:
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    (tmp_path / "runner.mjs").write_text(RUNNER)
    objects = with_failing_webhooks(api, receiver)
    process = await asyncio.create_subprocess_exec(
        str(node), str(tmp_path / "runner.mjs"), stdin=PIPE, stdout=DEVNULL, stderr=PIPE
    )
    assert process.stdin is not None
    assert process.stderr is not None
    async with working(api):
        for operation in OPERATIONS:
            if source := SAMPLES[operation.name].get("Node"):
                source = here(api, source, await objects.make(operation))
                file = tmp_path / f"{operation.name}.mjs"
                await asyncio.to_thread(file.write_text, source)
                process.stdin.write(f"./{file.name}\n".encode())
                assert await process.stderr.readline() == b"ran\n", f"{await process.stderr.readline()!r}\n{source}"
    process.stdin.close()
    assert await process.wait() == 0


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_example_answers_are_as_they_are_described(operation: Operation) -> None:
    path = samples.PLACEHOLDER.sub("x", operation.path)
    answer = json.loads(ANSWERS.read_text())[operation.name]
    for body in answer if operation.name in LINES else (answer,):
        check(operation.method, path, 200, VERSION, json.dumps(body).encode())


def test_every_event_type_is_described() -> None:
    assert EVENT_TYPES.keys() == OBJECTS.keys()
