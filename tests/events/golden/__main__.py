"""Write the golden files that are missing."""

from service.wiring import codec
from tests.events.golden.files import KEY, STREAM, VERSION, path_of, write
from tests.events.samples import SAMPLES

known = codec()
for name, event_type in known.types.items():
    path = path_of(name, event_type.schema_version)
    if not path.exists():
        event = SAMPLES[name]
        write(path, known.encode(event, key=KEY, stream=STREAM, version=VERSION), event)
        print(path.name)
