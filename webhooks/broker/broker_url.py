"""The URL of a RabbitMQ broker: validation of AMQP_URL, and error messages for connection failures.

Pure. aiormq takes a URL as yarl reads it; what would fail only when a connection is made is refused here. What is said
of a broker never has the password in it.
"""

import ssl
from socket import gaierror
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

# X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH (OpenSSL, X509_STORE_CTX_get_error).
NAME_MISMATCHES = frozenset({62, 64})
FILES = ("cafile", "capath", "certfile", "keyfile")  # parameters of the URL that aiormq reads
PORTS = {"amqp": 5672, "amqps": 5671}
SAID_CHARACTERS_MAX = 500
# Raised bare while the files are read; aiormq wraps what a connection raises.
FILE_ERRORS = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError, ssl.SSLError)


class BrokerUrl(NamedTuple):
    """A parsed AMQP URL: host, port, virtual host and user."""

    host: str
    port: int
    vhost: str
    user: str
    tls: bool

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}, virtual host '{self.vhost}', user '{self.user}'{', TLS' if self.tls else ''}"


def parse(url: str) -> BrokerUrl:
    """Raises ValueError, which says what is wrong, for a URL that can never lead to a broker."""
    form = "amqp[s]://USER:PASSWORD@HOST[:PORT]/[VIRTUAL HOST]"
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(f"is not a URL of the form {form}") from None
    if parts.scheme not in PORTS or not parts.netloc:
        raise ValueError(f"is not a URL of the form {form}")
    if "," in parts.netloc.rpartition("@")[2]:
        raise ValueError("names more than one host; give one, or a name or load balancer that leads to the cluster")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"has a port that is not a number up to 65535; the form is {form}") from None
    if not host or any(character.isspace() for character in url):
        raise ValueError(f"names no host; the form is {form}")
    if port == 0:
        raise ValueError("has port 0, on which nothing listens")
    vhost = unquote(parts.path.removeprefix("/")) or "/"
    return BrokerUrl(
        host, port or PORTS[parts.scheme], vhost, unquote(parts.username or "guest"), parts.scheme == "amqps"
    )


def cause(url: str, error: BaseException) -> str:
    """Why a broker could not be used, in one line with its host, port, virtual host and user."""
    broker = parse(url)
    if broker.tls and error.__cause__ is None and isinstance(error, FILE_ERRORS):
        return f"{broker}: {_files(url)} cannot be used: {_file_error(error)}"
    return f"{broker}: {_why(broker, error)}"


def said(refusal: BaseException) -> str:
    """The type of a broker's refusal and the first line of its text, of SAID_CHARACTERS_MAX at most: it names what was
    declared and the argument that differs, which are ours or the operator's, and nothing of customers.
    """
    return f"{type(refusal).__name__}: {_first_line(refusal)}"


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:SAID_CHARACTERS_MAX]


def _files(url: str) -> str:
    given = parse_qs(urlsplit(url).query)
    named = " ".join(f"{name}={given[name][0]}" for name in FILES if name in given)
    return f"a file that AMQP_URL names ({named})" if named else "the authorities of this machine"


def _file_error(error: OSError) -> str:
    match error:
        case ssl.SSLError(reason="KEY_VALUES_MISMATCH"):
            return "the key is not that of the certificate"
        case ssl.SSLError():
            return "it holds no certificate or no private key in PEM form"
    return error.strerror or type(error).__name__


def _why(broker: BrokerUrl, error: BaseException) -> str:
    kind, text = type(error).__name__, _first_line(error)
    origin = error.__cause__ or error
    if "Connection.OpenOk" in text:
        return f"there is no such virtual host, or user '{broker.user}' may not use it"
    if kind in ("ProbableAuthenticationError", "AuthenticationError"):
        return f"user '{broker.user}' is refused: wrong user name or password, or a user who may not log in from here"
    match origin:
        case gaierror():
            return "the host name does not resolve"
        case ssl.SSLCertVerificationError():
            advice = (
                "Name the broker in AMQP_URL by a name that its certificate is valid for"
                if origin.verify_code in NAME_MISMATCHES
                else "Set cafile in AMQP_URL to the file of its authority's certificate"
            )
            return f"the certificate of the broker is not accepted: {origin.verify_message.rstrip('.')}. {advice}"
        case ssl.SSLError():
            return "TLS could not be agreed on: does the broker speak TLS at this port?"
        case ConnectionResetError() if broker.tls and not text:
            return "it closed the connection: does the broker speak TLS at this port?"
        case ConnectionRefusedError():
            return "nothing accepts connections there"
        case TimeoutError() if not text:
            return "it did not answer in time"
        case _:
            return text or kind
