"""A PostgreSQL of the test's own, to be killed and started again."""

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, urlsplit

import psutil

from service.dev.cluster import PORT, SOCKET, SUPERUSER, Cluster
from service.dev.postgres import installed_programs

# For servers whose machine stays up: what survives a killed server is in the operating system's hands already.
QUICK = {"fsync": "off", "full_page_writes": "off", "max_connections": "200"}


class PrivatePostgres:
    """One server over one directory; `settings` are PostgreSQL's, by name."""

    def __init__(self, directory: Path, settings: Mapping[str, str] = QUICK) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._cluster = Cluster(directory / "postgres", programs=installed_programs(), settings=dict(settings))

    def start(self) -> str:
        """Start the server, on the data of last time if there are any, and give its DSN, the same each time."""
        self._cluster.ensure_made()
        socket_dir = self._cluster.ensure_running()
        return f"postgresql://{SUPERUSER}@/postgres?host={quote(str(socket_dir))}&port={PORT}"

    def kill9(self) -> None:
        """Kill every process of the server at once, as the end of its machine would, and wait until they are gone."""
        server = self._cluster.server()
        assert server is not None, "no server runs"
        postmaster = psutil.Process(server.pid)
        processes = [postmaster, *postmaster.children()]
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        psutil.wait_procs(processes, timeout=10)

    def restart(self) -> str:
        """Kill the server and start it again on the same data."""
        self.kill9()
        return self.start()

    @property
    def socket(self) -> Path:
        """The socket that the server listens on."""
        server = self._cluster.server()
        assert server is not None, "no server runs"
        return server.socket_dir / SOCKET

    def start_standby(self, of: "PrivatePostgres") -> str:
        """Start as a standby of another server, on a copy of its data, and give the DSN."""
        if os.geteuid() == 0:
            self._cluster.owner = of._cluster.owner
        path = self._cluster.path
        path.mkdir(mode=0o700)
        self._cluster._give_to_owner(path)
        source = ("-h", str(of.socket.parent), "-p", str(PORT), "-U", SUPERUSER)
        self._cluster._run("pg_basebackup", "-D", ".", "-R", "-X", "stream", "-c", "fast", *source, data=path)
        return self.start()

    def promote(self) -> None:
        """Make the primary of a standby."""
        self._cluster._run("pg_ctl", "promote", "-w")

    def signal(self, number: signal.Signals) -> None:
        """Send every process of the server a signal."""
        server = self._cluster.server()
        assert server is not None, "no server runs"
        postmaster = psutil.Process(server.pid)
        for process in (postmaster, *postmaster.children()):
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)

    def stop(self) -> None:
        """Stop the server in good order; without one, do nothing."""
        self._cluster.stop()


def with_database(dsn: str, name: str) -> str:
    """The DSN of another database on the same server."""
    return urlsplit(dsn)._replace(path=f"/{name}").geturl()
