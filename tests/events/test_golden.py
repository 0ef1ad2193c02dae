"""What was ever stored is read for ever, and read the same."""

import orjson
import pytest

from events.codec import Codec
from service.wiring import codec
from tests.events.golden import files
from tests.events.samples import SAMPLES

KNOWN: Codec = codec()
SHIPPED = [(name, version) for name, known in KNOWN.types.items() for version in range(1, known.schema_version + 1)]
NOW = [(name, known.schema_version) for name, known in KNOWN.types.items()]


@pytest.mark.parametrize(("name", "version"), SHIPPED)
def test_every_version_of_every_type_that_was_shipped_is_kept_in_a_file(name: str, version: int) -> None:
    assert files.path_of(name, version).exists(), "run `python -m tests.events.golden` and commit what it writes"


def test_no_file_is_of_a_type_or_version_that_is_not_known() -> None:
    kept = {path.name for path in files.FOLDER.glob("*.json")}
    assert kept == {files.path_of(*shipped).name for shipped in SHIPPED}


@pytest.mark.parametrize(("name", "version"), SHIPPED)
def test_what_was_stored_decodes_to_the_same_event(name: str, version: int) -> None:
    golden = files.read(files.path_of(name, version))
    known = KNOWN.types[name]
    event = KNOWN.decode(files.record(known, version, golden.payload), key=files.KEY)
    assert type(event) is known.cls
    assert files.plain(event) == golden.event


@pytest.mark.parametrize(("name", "version"), NOW)
def test_an_event_is_still_written_as_it_was(name: str, version: int) -> None:
    golden = files.read(files.path_of(name, version))
    event = KNOWN.decode(files.record(KNOWN.types[name], version, golden.payload), key=files.KEY)
    payload = KNOWN.encode(event, key=files.KEY, stream=files.STREAM, version=files.VERSION)
    assert _but_sealed(payload) == _but_sealed(golden.payload)
    assert files.opened(name, payload) == golden.personal == files.opened(name, golden.payload)


@pytest.mark.parametrize(("name", "version"), NOW)
def test_a_sample_sets_every_field_there_is(name: str, version: int) -> None:
    event = SAMPLES[name]
    attributes = getattr(event, "attributes", None)
    if attributes is not None:
        hints = type(event).__annotations__["attributes"].__annotations__
        assert set(attributes) == set(hints)
    golden = files.read(files.path_of(name, version))
    assert golden.event == files.plain(event)


def _but_sealed(payload: bytes) -> bytes:
    """The bytes of a payload with its sealed part, which is never twice the same, cut out."""
    sealed = orjson.loads(payload).get("sealed", "")
    return payload.replace(sealed.encode(), b"") if sealed else payload
