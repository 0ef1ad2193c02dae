"""Whom webhooks trust, and as whom they show themselves.

Certificates are always verified, for the name in the URL, with TLS 1.2 at least. An authority's file is trusted instead
of the system's authorities, not beside them: whoever wants both puts both into the file. A client certificate is shown
to every receiver that asks for one, and to an egress proxy that is spoken to by https.
"""

import ssl
from pathlib import Path


class Unusable(Exception):
    """A file that is not there, or holds something else; says which and why."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path


def context(ca_file: Path | None = None, cert_file: Path | None = None, key_file: Path | None = None) -> ssl.SSLContext:
    """What connections are secured with; the key may be in the certificate's file.

    Raises:
        Unusable: a file cannot be used.
    """
    try:
        made = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise Unusable(ca_file or Path(), _why(error, "it holds no certificates in PEM form")) from error
    made.set_alpn_protocols(["http/1.1"])
    if cert_file is not None:
        for path in (cert_file, key_file):
            _readable(path)
        try:
            made.load_cert_chain(cert_file, key_file, password=_no_password)
        except (OSError, ValueError) as error:
            why = "they are no certificate and its key, unencrypted, in PEM form"
            raise Unusable(cert_file if key_file is None else key_file, _why(error, why)) from error
    return made


def _readable(path: Path | None) -> None:
    try:
        if path is not None:
            path.open("rb").close()
    except OSError as error:
        raise Unusable(path or Path(), _why(error, "")) from error


def _no_password() -> str:
    raise ValueError("it is encrypted")  # or OpenSSL would ask at the terminal


def _why(error: Exception, otherwise: str) -> str:
    return otherwise if isinstance(error, ssl.SSLError | ValueError) else getattr(error, "strerror", "") or otherwise
