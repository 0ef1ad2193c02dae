"""TLS of webhooks: trusted CA certificates, and the client certificate (mutual TLS).

Certificates are always verified, for the host name of the URL, with TLS 1.2 or later. A CA file replaces the system's
CAs: to trust both, put both into the file. The client certificate is sent to every receiver that requests one, and to
an egress proxy with an https URL.
"""

import ssl
from pathlib import Path


class Unusable(Exception):
    """A certificate or key file is missing or invalid; the message says why."""

    def __init__(self, files: tuple[Path, ...], why: str) -> None:
        super().__init__(f"{' and '.join(map(str, files))} {why}")
        self.files = files


def context(ca_file: Path | None = None, cert_file: Path | None = None, key_file: Path | None = None) -> ssl.SSLContext:
    """What connections are secured with; the key may be in the certificate's file.

    Raises:
        Unusable: a file cannot be used.
    """
    for path in filter(None, (ca_file, cert_file, key_file)):
        _readable(path)
    try:
        made = ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as error:
        raise Unusable(_given(ca_file), "holds no certificates in PEM form") from error
    made.minimum_version = ssl.TLSVersion.TLSv1_2  # a distribution's Python may leave it to OpenSSL's configuration
    made.set_alpn_protocols(["http/1.1"])
    if cert_file is not None:
        try:
            made.load_cert_chain(cert_file, key_file, password=_no_password)
        except (ssl.SSLError, ValueError) as error:
            why = "hold no certificate and its key, unencrypted, in PEM form"
            raise Unusable(_given(cert_file, key_file), why) from error
    return made


def _given(*files: Path | None) -> tuple[Path, ...]:
    return tuple(file for file in files if file is not None)


def _readable(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise Unusable((path,), f"cannot be read: {error.strerror}") from error


def _no_password() -> str:
    raise ValueError("the key is encrypted")  # or OpenSSL would ask for it at the terminal
