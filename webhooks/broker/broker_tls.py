"""TLS to RabbitMQ: the files that the parameters of AMQP_URL name, checked before a connection is made.

aiormq reads the same files at each connection, when all that can be done is to wait; its errors name none of them, and
for a key that is encrypted it asks at the terminal.
"""

import os
import ssl
from urllib.parse import parse_qsl, urlsplit


class UnusableFile(Exception):
    """A file that TLS to the broker needs is missing or holds something else; names the parameter and the file."""


def check_files(url: str) -> None:
    """Read every file that will be used. Raises UnusableFile."""
    parts = urlsplit(url)
    if parts.scheme != "amqps":
        return
    named = dict(reversed(parse_qsl(parts.query)))  # of one that is given twice aiormq takes the first
    if "cafile" in named:
        _read_certificates("cafile", named["cafile"])
    if "capath" in named:
        _list(named["capath"])
    if "certfile" in named:
        _read_certificates("certfile", named["certfile"])
        _read_key(named["certfile"], named.get("keyfile"))


def _read_certificates(name: str, file: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
    except ssl.SSLError:
        raise UnusableFile(f"{name}: {file} holds no certificate in PEM form") from None
    except OSError as error:
        raise UnusableFile(f"{name}: {file} cannot be read: {error.strerror}") from None


def _list(directory: str) -> None:
    try:
        os.scandir(directory).close()
    except OSError as error:
        raise UnusableFile(f"capath: {directory} cannot be read: {error.strerror}") from None


def _read_key(cert: str, key: str | None) -> None:
    name, file = ("certfile", cert) if key is None else ("keyfile", key)
    try:
        open(file, "rb").close()
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(cert, key, password=_no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise UnusableFile(f"{name}: {file} does not hold the key of the certificate in {cert}") from None
        raise UnusableFile(f"{name}: {file} holds no private key in PEM form") from None
    except OSError as error:
        raise UnusableFile(f"{name}: {file} cannot be read: {error.strerror}") from None
    except ValueError:
        raise UnusableFile(f"{name}: the private key in {file} is encrypted, and must not be") from None


def _no_password() -> str:
    raise ValueError
