"""One event of every type, with every field set, a file a kind of stream or facet: what the golden files contain."""

from importlib import import_module
from pkgutil import iter_modules

from service.wiring import codec

_KNOWN = codec()
SAMPLES: dict[str, object] = {
    _KNOWN.type_of(event).name: event
    for module in iter_modules(__path__, f"{__name__}.")
    for event in import_module(module.name).SAMPLES
}
