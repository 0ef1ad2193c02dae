"""A PgBouncer of the test's own, in front of a PostgreSQL that is reached by a socket."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
START_TIMEOUT_S = 10.0
CONFIGURATION = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = trust
auth_file = {directory}/users
pool_mode = {mode}
default_pool_size = 40
max_client_conn = 100
{further}
"""


class PgBouncer:
    """One pooler, in a mode of pooling."""

    def __init__(self, directory: Path, dsn: str, mode: str, further: str = "") -> None:
        """`dsn` is the server's; `further` are lines of the configuration."""
        url = urlsplit(dsn)
        where = parse_qs(url.query)
        host = where["host"][0] if "host" in where else url.hostname
        port = where["port"][0] if "port" in where else url.port or 5432
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self._port = taken.getsockname()[1]
        directory.mkdir(parents=True)
        directory.chmod(0o755)
        self._file = directory / "pgbouncer.ini"
        self._file.write_text(
            CONFIGURATION.format(
                host=host, port=port, listen=self._port, directory=directory, mode=mode, further=further
            )
        )
        (directory / "users").write_text(f'"{url.username}" ""\n')
        self._user = url.username
        self._socket_dir = Path(str(host))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start it, and give the DSN of the server through it, without a database."""
        assert PROGRAM is not None
        words = [PROGRAM, "-q", str(self._file)]
        if os.geteuid() == 0:  # it refuses to be root
            owner = self._socket_dir.stat().st_uid if self._socket_dir.is_dir() else 0
            words[1:1] = ["-u", pwd.getpwuid(owner).pw_name if owner else "nobody"]
        self._process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
            except OSError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.02)
            else:
                return f"postgresql://{self._user}@127.0.0.1:{self._port}/"

    def stop(self) -> None:
        """Stop it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
