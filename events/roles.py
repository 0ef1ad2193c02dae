"""Database roles: the owner who migrates, the role with the service's privileges, and who the processes log in as.

Nobody of them is a superuser. The privileges are granted to a role that owns nothing and cannot log in; processes log
in as a member of it that owns nothing either, so that a leaked DATABASE_URL cannot change history.
"""

from events.outage import SERVICE_ROLE

# PostgreSQL's own log names what failed, and quotes no values: neither rows nor keys (DETAIL), nor parameters, nor the
# text of statements that somebody typed. Only a superuser may set most of these.
QUIET = {
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
STATEMENT = """\
DO $rollbook$
BEGIN
{body}
END $rollbook$;
"""


def setup_statement(owner: str, processes: str | None = None) -> str:
    """The one statement that a superuser executes once a server; executed again it changes nothing.

    `owner` migrates and owns the database; `processes` is the role that api, relay and worker log in as. Both are
    created, without a password, where they do not exist; for both, the log of PostgreSQL quotes no values.
    """
    lines = [
        *_ensure(SERVICE_ROLE, "NOLOGIN"),
        *_ensure(owner, "LOGIN"),
        *_granted(owner),
    ]
    if processes is not None:
        lines += [*_ensure(processes, "LOGIN"), *_granted(processes)]
    return STATEMENT.format(body="\n".join(lines))


def _ensure(role: str, attributes: str) -> list[str]:
    return [
        f"    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {_literal(role)}) THEN",
        f"        CREATE ROLE {_quoted(role)} {attributes};",
        "    END IF;",
    ]


def _granted(role: str) -> list[str]:
    return [
        f"    GRANT {SERVICE_ROLE} TO {_quoted(role)};",
        *(f"    ALTER ROLE {_quoted(role)} SET {name} = {_literal(value)};" for name, value in QUIET.items()),
    ]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
