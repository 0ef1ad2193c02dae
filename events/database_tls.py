"""TLS to PostgreSQL: the files that DATABASE_URL or libpq's variables name, checked before a connection is made.

The driver reads the same files, but its errors name none of them. It has no `sslrootcert=system` either, which in libpq
means the authorities that this machine trusts (PostgreSQL's documentation, 34.1.2 and 34.19).
"""

import os
import ssl
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from events.database_url import InvalidDatabaseUrl

VARIABLES = {
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcrl": "PGSSLCRL",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
}
SYSTEM = "system"
VERIFYING = ("require", "verify-ca", "verify-full")
ENCRYPTING = ("allow", "prefer", *VERIFYING)


def context_for(url: str, environment: Mapping[str, str] = os.environ) -> ssl.SSLContext | None:
    """A context that trusts the system's authorities, where `sslrootcert=system` is set; None leaves TLS to the driver.

    Reads every file that will be used. Raises InvalidDatabaseUrl, which names the parameter and the file, for one that
    is missing, unreadable or of another kind, and where `system` meets a mode weaker than verify-full.
    """
    given = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    named = {name: given.get(name) or environment.get(variable, "") for name, variable in VARIABLES.items()}
    system = named["sslrootcert"] == SYSTEM
    mode = named["sslmode"] or ("verify-full" if system else "prefer")
    if system and mode != "verify-full":
        raise InvalidDatabaseUrl(f"sslrootcert=system needs sslmode=verify-full, and sslmode is {mode}")
    if mode not in ENCRYPTING:
        return None
    context = ssl.create_default_context() if system else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if mode in VERIFYING:
        for name in ("sslrootcert", "sslcrl"):
            if named[name] and not (system and name == "sslrootcert"):
                _load(context, name, named[name])
    if named["sslcrl"]:
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    if named["sslcert"]:
        _load_pair(context, named["sslcert"], named["sslkey"], given.get("sslpassword", ""))
    if not system:
        return None
    context.minimum_version = _version("ssl_min_protocol_version", named) or ssl.TLSVersion.TLSv1_2
    context.maximum_version = _version("ssl_max_protocol_version", named) or ssl.TLSVersion.MAXIMUM_SUPPORTED
    context.set_alpn_protocols(["postgresql"])  # without which a server refuses sslnegotiation=direct
    return context


def _load(context: ssl.SSLContext, name: str, file: str) -> None:
    try:
        context.load_verify_locations(cafile=file)
    except ssl.SSLError:
        wanted = "revocation list" if name == "sslcrl" else "certificate"
        raise InvalidDatabaseUrl(f"{name}: {file} holds no {wanted} in PEM form") from None
    except OSError as error:
        raise InvalidDatabaseUrl(f"{name}: {file} cannot be read: {error.strerror}") from None


def _load_pair(context: ssl.SSLContext, cert: str, key: str, password: str) -> None:
    _load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "sslcert", cert)
    default = os.path.expanduser("~/.postgresql/postgresql.key")
    key = key or (default if os.path.exists(default) else cert)
    try:
        with open(key, "rb"):
            pass
        context.load_cert_chain(cert, key, password=lambda: password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise InvalidDatabaseUrl(f"sslkey: {key} is not the key of the certificate in {cert}") from None
        raise InvalidDatabaseUrl(
            f"sslkey: {key} holds no private key in PEM form, or one that is encrypted with another password than "
            "sslpassword gives"
        ) from None
    except OSError as error:
        raise InvalidDatabaseUrl(f"sslkey: {key} cannot be read: {error.strerror}") from None


def _version(name: str, named: Mapping[str, str]) -> ssl.TLSVersion | None:
    if not named[name]:
        return None
    try:
        return ssl.TLSVersion[named[name].replace(".", "_")]
    except KeyError:
        raise InvalidDatabaseUrl(f"{name} has to be one of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3") from None
