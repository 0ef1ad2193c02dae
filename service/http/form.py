"""Form encoding as the API's clients spell it: `a[b][c]=d`, `a[]=x`, `a[0]=x`, brackets literal or percent-encoded.

Every leaf is text. `a[0]=x&a[1]=y` stays a hash with the keys "0" and "1": only the parameter knows whether an array is
meant or a metadata key (see params.fields.array). `a[][k]` begins a new element when a key repeats.
"""

import re
from binascii import a2b_qp
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import unquote

from events.errors import Refusal

FormValue = str | list["FormValue"] | dict[str, "FormValue"]

ASCII = {digits: chr(code) for code in range(128) for digits in (f"{code:02X}", f"{code:02x}")}
PARAMETERS_MAX = 1000
DEPTH_MAX = 10
ESCAPES_FEW = 100  # percent signs up to which a text is decoded one by one
NO_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def decode(body: bytes | str) -> dict[str, FormValue]:
    """The nested parameters of a form or a query string.

    Raises Refusal when it is not UTF-8, holds NUL characters, has too many parameters, nests too deep, or gives one
    name both a value and keys.
    """
    try:
        text = body if isinstance(body, str) else body.decode()
        if not text.isascii():
            text.encode()  # a URL's raw bytes come as lone surrogates
        if text.count("&") >= PARAMETERS_MAX:
            raise too_many()
        pairs = _pairs(text)
    except UnicodeError:
        raise not_utf8() from None
    if "%00" in text or "\x00" in text:
        raise nul()
    return nest(pairs)


def checked(pairs: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """Names and values that were decoded elsewhere, when they are what `decode` would let pass. Raises Refusal."""
    if len(pairs) > PARAMETERS_MAX:
        raise too_many()
    for name, value in pairs:
        if "\x00" in name or "\x00" in value:
            raise nul()
        try:
            f"{name}{value}".encode()
        except UnicodeError:
            raise not_utf8() from None
    return pairs


def too_many() -> Refusal:
    """The refusal of more parameters than are read."""
    return Refusal(f"Too many parameters were sent; at most {PARAMETERS_MAX} are allowed.")


def not_utf8() -> Refusal:
    """The refusal of bytes that are no text."""
    return Refusal("Invalid UTF-8 was sent in the parameters.")


def nul() -> Refusal:
    """The refusal of a character that no text of ours may hold."""
    return Refusal("Parameters may not contain NUL characters.")


def _pairs(text: str) -> list[tuple[str, str]]:
    """Names and values. The whole text is decoded at once, unless a name or a value holds one of the two separators."""
    if "%26" in text or "%3D" in text or "%3d" in text:
        return [(_unquoted(name), _unquoted(value)) for name, value in _divided(text)]
    return _divided(_unquoted(text))


def _divided(text: str) -> list[tuple[str, str]]:
    pairs = []
    for part in text.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((name, value))
    return pairs


def _unquoted(text: str) -> str:
    """Most forms have nothing to decode, or ASCII alone, and looking is cheaper than calling."""
    if "+" in text:
        text = text.replace("+", " ")
    if "%" not in text:
        return text
    if text.count("%") > ESCAPES_FEW:
        return _many_unquoted(text)
    first, *escaped = text.split("%")
    decoded = [first]
    for piece in escaped:
        character = ASCII.get(piece[:2])
        if character is None:  # of several bytes, or no escape at all
            return unquote(text, errors="strict")
        decoded.append(character)
        decoded.append(piece[2:])
    return "".join(decoded)


def _many_unquoted(text: str) -> str:
    """The same for a text full of escapes: a megabyte of them takes 5 ms, where a loop takes 100.

    The standard library's C decoder of quoted-printable is put to use, which differs in its escape character alone:
    `=41` for `%41`. So whatever it would read otherwise, `=` and line ends, is escaped before. Raises Refusal for a
    text with many percent signs that are no escapes.
    """
    raw = text.encode()
    for byte, escape in ((b"=", b"%3D"), (b"\r", b"%0D"), (b"\n", b"%0A")):
        raw = raw.replace(byte, escape)
    decoded = a2b_qp(raw.replace(b"%", b"="))
    if len(raw) - len(decoded) != 2 * raw.count(b"%"):  # some percent sign was no escape, and means itself
        raw, odd = NO_ESCAPE.subn(b"%25", raw, ESCAPES_FEW + 1)
        if odd > ESCAPES_FEW:
            raise Refusal("Invalid percent-encoding was sent in the parameters.")
        decoded = a2b_qp(raw.replace(b"%", b"="))
    return decoded.decode()


def nest(pairs: Iterable[tuple[str, str]]) -> dict[str, FormValue]:
    """Names with brackets, nested; a name repeated: the last wins. Raises Refusal as `decode` does."""
    nested: dict[str, FormValue] = {}
    for name, value in pairs:
        if "[" in name and (path := _path(name)):
            _put(nested, path, value, name)
        elif isinstance(nested.get(name, ""), str):
            nested[name] = value
        else:
            raise _conflict(name)
    return nested


def _path(name: str) -> list[str]:
    """`a[b][]` as ["a", "b", ""]; empty when the brackets do not pair, which makes it a plain, odd name."""
    root, _, rest = name.partition("[")
    if not root or not rest.endswith("]"):
        return []
    path = [root, *rest[:-1].split("][")]
    if len(path) > DEPTH_MAX:
        raise Refusal(f"Parameters can be nested at most {DEPTH_MAX} levels deep.", param=root)
    if any("[" in key or "]" in key for key in path[1:]):
        return []
    if "[][]" in name:
        raise Refusal("Invalid parameters: an array cannot hold arrays.", param=root)
    return path


def _put(nested: dict[str, FormValue], path: list[str], value: str, name: str) -> None:
    container: Any = nested
    for depth, key in enumerate(path[:-1], start=1):
        container = _element(container, path[depth:]) if key == "" else _inside(container, key, path[depth], name)
    last = path[-1]
    if last == "":
        container.append(value)
    elif isinstance(container.get(last, ""), str):
        container[last] = value
    else:
        raise _conflict(name)


def _inside(container: dict[str, Any], key: str, following: str, name: str) -> Any:
    """The container that `key` names within `container`: a list when an empty key follows, else a hash."""
    kind: type = list if following == "" else dict
    inner = container.setdefault(key, kind())
    if not isinstance(inner, kind):
        raise _conflict(name)
    return inner


def _element(elements: list[Any], rest: list[str]) -> dict[str, Any]:
    """The hash that the rest of a path leads into: the last element, or a new one where the last has that path."""
    if not elements or not isinstance(elements[-1], dict) or _repeats(elements[-1], rest):
        elements.append({})
    last: dict[str, Any] = elements[-1]
    return last


def _repeats(element: dict[str, Any], path: list[str]) -> bool:
    """Whether the path already has a value; an array takes any number of them."""
    container: Any = element
    for key in path:
        if not isinstance(container, dict) or key not in container:
            return False
        container = container[key]
    return True


def _conflict(name: str) -> Refusal:
    root = name.partition("[")[0]
    return Refusal(f"Invalid parameters: {root} was sent in conflicting forms (value, array or hash).", param=root)
