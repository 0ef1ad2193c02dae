"""Large response bodies, written in parts.

Written whole, a body is copied once more when it is joined with the headers, and both copies stay until the client has
read the last byte.
"""

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

PART_BYTES = 128 * 1024


class LargeBody(Payload):
    """The bytes of a response; the writer waits for the client after each part."""

    _value: bytes

    def __init__(self, body: bytes, content_type: str) -> None:
        super().__init__(body, content_type=content_type)
        self._size = len(body)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The body as text."""
        return self._value.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the body part by part."""
        body = memoryview(self._value)
        for start in range(0, len(body), PART_BYTES):
            await writer.write(body[start : start + PART_BYTES])
