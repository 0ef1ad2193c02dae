"""Bodies of the type multipart/form-data (RFC 7578), parsed from memory.

A body is read whole first, for it is no larger than a form may be, and is then divided by its boundary in one step. A
reader of streams takes it line by line: a body of empty lines alone would hold the event loop for a second. What
departs from the RFC is refused, with a message that quotes nothing. The body is read before it is known who sends it,
so whatever it holds must cost little: headers are bounded, and divided rather than searched by patterns that backtrack.
"""

import re
from collections.abc import Sequence

from events.errors import Refusal
from service.http import form
from service.http.refusals import Unreadable

PART_HEAD_BYTES_MAX = 2048
PART_HEADERS_MAX = 16
HEADER_PARAMETERS_MAX = 16
HEADER_ESCAPES_MAX = 64
BOUNDARY = re.compile(
    r';[ \t]*boundary=(?:"([\x21-\x7e ]{0,69}[\x21-\x7e])"|([^\s;"]{1,70}))[ \t]*(?=;|$)', re.IGNORECASE
)
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
PARAMETER = re.compile(r'[ \t]*;[ \t]*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=("[^"\\]*(?:\\.[^"\\]*)*"|[^\s;"]*)', re.DOTALL)
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
CHARSETS = frozenset(("utf-8", "utf8", "us-ascii", "ascii"))
ENCODINGS = frozenset(("7bit", "8bit", "binary"))


def decode(body: bytes, content_type: str) -> dict[str, form.FormValue]:
    """The nested parameters of a multipart form. Raises Refusal for what is no such form, and for files."""
    return form.nest(form.checked(parts(body, content_type)))


def parts(body: bytes, content_type: str) -> Sequence[tuple[str, str]]:
    """The names and values of a body whose Content-Type header is given. Raises Refusal."""
    boundary = BOUNDARY.search(content_type)
    if boundary is None:
        raise Unreadable
    delimiter = b"\r\n--" + (boundary[1] or boundary[2]).encode("ascii", "surrogateescape")
    _, *sections = (b"\r\n" + body).split(delimiter, form.PARAMETERS_MAX + 2)
    if len(sections) > form.PARAMETERS_MAX + 1:
        raise form.too_many()
    if not sections or not sections[-1].startswith(b"--"):  # it breaks off
        raise Unreadable
    return [_part(section) for section in sections[:-1]]


def _part(section: bytes) -> tuple[str, str]:
    """The name and the value between two delimiters."""
    line_end, separator, content = section.partition(b"\r\n")
    if line_end.strip(b" \t") or not separator:  # another boundary that begins like ours, or none
        raise Unreadable
    head, separator, value = content.partition(b"\r\n\r\n")
    if not separator or len(head) > PART_HEAD_BYTES_MAX:
        raise Unreadable
    headers = _headers(head)
    disposition, parameters = _with_parameters(headers.get("content-disposition", ""))
    name = parameters.get("name")
    if disposition != "form-data" or name is None:
        raise Unreadable
    if "filename" in parameters or "filename*" in parameters:
        raise Refusal("Invalid string: a file was sent where text is expected.", param=name)
    kind, parameters = _with_parameters(headers.get("content-type", "text/plain"))
    if kind != "text/plain" or parameters.get("charset", "utf-8").lower() not in CHARSETS:
        raise Unreadable
    if headers.get("content-transfer-encoding", "binary").lower() not in ENCODINGS:
        raise Unreadable
    return name, _text(value)


def _headers(head: bytes) -> dict[str, str]:
    lines = _text(head).split("\r\n", PART_HEADERS_MAX)
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not HEADER_NAME.fullmatch(name) or "\r" in line or "\n" in line or name in headers:
            raise Unreadable
        headers[name] = value.strip(" \t")
    return headers


def _with_parameters(header: str) -> tuple[str, dict[str, str]]:
    """A header's value in lower case, and the parameters behind it. Raises Unreadable."""
    if header.count(";") > HEADER_PARAMETERS_MAX or header.count("\\") > HEADER_ESCAPES_MAX:
        raise Unreadable
    value, _, _ = header.partition(";")
    offset, parameters = len(value), dict[str, str]()
    while offset < len(header):
        match = PARAMETER.match(header, offset)
        if match is None:
            if header[offset:].strip(" \t;"):
                raise Unreadable
            break
        given = match[2]
        parameters[match[1].lower()] = ESCAPED.sub(r"\1", given[1:-1]) if given.startswith('"') else given
        offset = match.end()
    return value.strip(" \t").lower(), parameters


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeError:
        raise form.not_utf8() from None
