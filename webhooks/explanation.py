"""Failure reasons of attempts, as sentences for the owner of the endpoint.

Pure. What is recorded of an attempt is a code: a Fault (webhooks/outcome.py) and, after a dot, what is known more
exactly, like `tls.expired`. The words are made when it is shown, so that they can be improved. Nothing a receiver sent
is part of them, and no address that one of its names led to.
"""

import ssl
from errno import ECONNREFUSED, ECONNRESET, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT
from http import HTTPStatus

WORDS: dict[str, str] = {
    "dns": "The name in the URL does not resolve to an address.",
    "connect": "No connection to the receiver could be made.",
    "connect.refused": "The connection was refused: nothing listens at that host and port.",
    "connect.timeout": "The receiver did not accept a connection in time; a firewall may drop it.",
    "connect.unreachable": "The network or host of the receiver cannot be reached.",
    "connect.reset": "The receiver closed the connection while it was being made.",
    "connect.proxy": "Our egress proxy reports that the receiver cannot be reached.",
    "tls": "The TLS handshake with the receiver failed.",
    "tls.expired": "The receiver's certificate, or one that signed it, has expired.",
    "tls.not_yet_valid": "The receiver's certificate, or one that signed it, is not valid yet.",
    "tls.wrong_host": "The receiver's certificate is for another host name than the one in the URL.",
    "tls.self_signed": "The receiver's certificate is self-signed, or signed by an authority that is not trusted.",
    "tls.unknown_issuer": "The issuer of the receiver's certificate is not known: it does not send the intermediate "
    "certificate, or the authority is not trusted.",
    "tls.revoked": "The receiver's certificate has been revoked.",
    "tls.certificate": "The receiver's certificate could not be verified.",
    "tls.version": "The receiver speaks no TLS version that is accepted: TLS 1.2 or later is needed.",
    "tls.not_tls": "The receiver does not speak TLS on that port; it may serve plain HTTP there.",
    "tls.client_certificate": "The receiver asks for a client certificate that it accepts.",
    "tls.closed": "The receiver closed the connection during the TLS handshake.",
    "tls.ciphers": "The receiver and Rollbook have no TLS cipher in common.",
    "timeout": "The receiver did not answer in time.",
    "reset": "The receiver closed the connection before it answered.",
    "protocol": "The answer is not valid HTTP/1.1.",
    "protocol.not_http": "The answer does not begin with an HTTP/1.1 status line; another kind of server may be there.",
    "protocol.too_many_interim": "The receiver sent more than 16 interim answers (1xx) and no final one.",
    "protocol.head_too_long": "No final status came within the first 64 KiB of the answer.",
    "address_refused": "The URL, or every address that its name resolves to, is not open to webhooks.",
    "proxy": "Our egress proxy is not available, or does not allow the connection.",
    "resolver": "Our own name servers do not answer.",
    "exhausted": "Rollbook is out of file handles, ports or buffers.",
    "internal": "Rollbook could not make the request.",
}
CERTIFICATE_CODES = {  # X509_V_ERR_…
    9: "tls.not_yet_valid",
    10: "tls.expired",
    18: "tls.self_signed",
    19: "tls.self_signed",
    20: "tls.unknown_issuer",
    21: "tls.unknown_issuer",
    23: "tls.revoked",
    62: "tls.wrong_host",
    64: "tls.wrong_host",
}
TLS_REASONS = {
    "UNSUPPORTED_PROTOCOL": "tls.version",
    "TLSV1_ALERT_PROTOCOL_VERSION": "tls.version",
    "WRONG_SSL_VERSION": "tls.version",
    "VERSION_TOO_LOW": "tls.version",
    "WRONG_VERSION_NUMBER": "tls.not_tls",
    "HTTP_REQUEST": "tls.not_tls",
    "RECORD_LAYER_FAILURE": "tls.not_tls",
    "PACKET_LENGTH_TOO_LONG": "tls.not_tls",
    "UNEXPECTED_EOF_WHILE_READING": "tls.closed",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "tls.ciphers",
    "NO_SHARED_CIPHER": "tls.ciphers",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "tls.client_certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "tls.client_certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "tls.client_certificate",
}
ERRNO_CODES = {
    ECONNREFUSED: "connect.refused",
    ETIMEDOUT: "connect.timeout",
    EHOSTUNREACH: "connect.unreachable",
    ENETUNREACH: "connect.unreachable",
    ECONNRESET: "connect.reset",
}


def of_tls(error: BaseException | None) -> str:
    """The code of a handshake that failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return CERTIFICATE_CODES.get(error.verify_code, "tls.certificate")
    if isinstance(error, ssl.CertificateError):
        return "tls.wrong_host"
    if isinstance(error, ssl.SSLError):
        return TLS_REASONS.get(error.reason or "", "tls")
    return "tls.closed"


def of_connection(error: OSError) -> str:
    """The code of a connection that was not made."""
    return ERRNO_CODES.get(error.errno or 0, "connect")


def fault_of(code: str | None) -> str | None:
    """The Fault that a code is of."""
    return None if code is None else code.partition(".")[0]


def words(code: str | None, status: int | None) -> str | None:
    """Why an attempt with that code or status failed; None when it did not."""
    if code is not None:
        return WORDS.get(code) or WORDS.get(code.partition(".")[0]) or "The attempt failed."
    if status is None or 200 <= status < 300:
        return None
    if status == HTTPStatus.GONE:
        return "The receiver answered 410: the address is gone, so nothing more is sent to it."
    if 300 <= status < 400:
        return f"The receiver answered {status}: redirects are not followed; register the URL that they lead to."
    return f"The receiver answered {status}; only 2xx counts as received."
