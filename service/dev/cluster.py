"""One PostgreSQL cluster (data directory): initdb, start and stop with pg_ctl.

Whatever was killed at whatever moment, the next start finds the server or makes one, and never two over one directory:
each of a server's processes inherits an open lock file, so that the lock says whether any of them lives.
"""

import fcntl
import os
import pwd
import re
import shlex
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

PORT = 5432  # only a part of the socket's name: the server listens on no network address
SOCKET = f".s.PGSQL.{PORT}"
SUPERUSER = "postgres"
SYSTEM_USER = "pgserver"  # PostgreSQL refuses to run as root, so root runs it as this user
SOCKET_PATH_BYTES_MAX = 107  # unix(7): sun_path holds 108, the last of them zero
START_TIMEOUT_S = 300  # a recovery replays up to a gigabyte of write-ahead log
STOP_TIMEOUT_S = 60
POLL_S = 0.01
PROBE_TIMEOUT_S = 1.0
LOG_BYTES_MAX = 8 * 1024 * 1024


class PostgresFailed(Exception):
    """A PostgreSQL of our own cannot be had; the message says why, and what to do where we know."""


@dataclass(frozen=True, slots=True)
class Server:
    """A live server, as the `postmaster.pid` in its data directory describes it."""

    pid: int
    socket_dir: Path
    status: str  # "starting", "ready" or "stopping"


@dataclass(frozen=True, slots=True)
class Owner:
    """The system user that owns the data directory and runs the server, where that is not ourselves."""

    uid: int
    gid: int


@dataclass(slots=True)
class Cluster:
    """The data directory at `path`, tended with the programs in `programs`; `settings` are put to its next server.

    One process at a time may call its methods: see `EmbeddedPostgres`.
    """

    path: Path
    programs: Path
    settings: dict[str, str] = field(default_factory=dict)
    owner: Owner | None = None

    @property
    def log(self) -> Path:
        """What the server has to say; the one before it is kept as `log.old`."""
        return self.path / "log"

    def ensure_made(self) -> None:
        """Make the cluster, unless it is there.

        It is created next to its final path and renamed, so that a killed `initdb` leaves nothing that looks made.
        """
        if os.geteuid() == 0:
            self.owner = _owner(self.path)
            _let_in(self.path, self.programs)
        if (self.path / "PG_VERSION").exists():
            return
        unfinished = self.path.with_name(f"{self.path.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self._give_to_owner(unfinished)
        # The locale is ours, not the machine's: one order everywhere, and no failure where LANG names a missing one.
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"]
        self._run("initdb", *locale, "--auth=trust", "-U", SUPERUSER, data=unfinished)
        unfinished.rename(self.path)

    def ensure_running(self) -> Path:
        """Start the server, or wait for the one that runs, and give the directory of its socket.

        Raises:
            PostgresFailed: it did not start, or was not ready in time; the end of its log is quoted.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            lock = self._lock_unless_alive()
            if lock is not None:
                try:
                    self._start(lock)
                finally:
                    os.close(lock)
            server = self.server()
            if server is not None and server.status == "ready" and _listens(server.socket_dir):
                return server.socket_dir
            time.sleep(POLL_S)  # a killed process left it starting or stopping, or a killed server its last sessions
        raise PostgresFailed(f"PostgreSQL in {self.path} was not ready in {START_TIMEOUT_S} s.{self._log_tail()}")

    def server(self) -> Server | None:
        """The server that runs; None when there is none, or it has only just begun."""
        lock = self._lock_unless_alive()
        if lock is not None:
            os.close(lock)
            return None
        try:
            lines = [line.strip() for line in (self.path / "postmaster.pid").read_text().splitlines()]
            return Server(pid=int(lines[0]), socket_dir=Path(lines[4]), status=lines[7])
        except (FileNotFoundError, IndexError, ValueError):  # the server writes the file line by line as it starts
            return None

    def stop(self) -> None:
        """Stop the server, closing its connections; without one, do nothing."""
        server = self.server()
        if server is None or not self._can_see(server):
            return
        stop = ["stop", "-w", "-t", str(STOP_TIMEOUT_S), "-m"]
        try:
            self._run("pg_ctl", *stop, "fast")
        except PostgresFailed:
            self._run("pg_ctl", *stop, "immediate")
        if server.socket_dir != self.path:
            shutil.rmtree(server.socket_dir, ignore_errors=True)

    def _lock_unless_alive(self) -> int | None:
        """The server lock, kept by the file descriptor returned; None while a process of a server has it."""
        lock = os.open(self.path.with_name(f"{self.path.name}.server.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return lock

    def _start(self, lock: int) -> None:
        socket_dir = self._socket_dir()
        # With the lock ours these files are stale, yet PostgreSQL would not start if the pid in them were some other
        # program's by now, or a zombie's: a container that is restarted gives out the same pids.
        for stale in (self.path / "postmaster.pid", socket_dir / SOCKET, socket_dir / f"{SOCKET}.lock"):
            stale.unlink(missing_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES_MAX:
            self.log.replace(self.log.with_suffix(".old"))
        settings = {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": str(socket_dir),
            "log_error_verbosity": "terse",  # an error's DETAIL quotes rows, and rows hold personal data
            **self.settings,
        }
        options = shlex.join(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))
        try:
            self._run("pg_ctl", "start", "-w", "-t", str(START_TIMEOUT_S), "-l", "log", "-o", options, keep_open=lock)
        except PostgresFailed as failure:
            raise PostgresFailed(f"{failure}{self._log_tail()}") from failure

    def _socket_dir(self) -> Path:
        """The data directory, or one in the directory for temporary files where that path cannot be a socket's."""
        length_bytes = len(os.fsencode(self.path / SOCKET))
        # A comma, to name one, separates directories for the server and hosts for its clients.
        if length_bytes <= SOCKET_PATH_BYTES_MAX and re.fullmatch(r"[\w./-]+", str(self.path), re.ASCII):
            return self.path
        name = sha256(os.fsencode(self.path)).hexdigest()[:16]
        elsewhere = Path(tempfile.gettempdir(), f"rollbook-{name}")
        with suppress(FileExistsError):
            elsewhere.mkdir(mode=0o700)
        found = elsewhere.lstat()
        ours = {os.geteuid(), self.owner.uid if self.owner else os.geteuid()}
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in ours or found.st_mode & 0o077:
            raise PostgresFailed(f"{elsewhere} is somebody else's; PostgreSQL wants it for its socket.")
        self._give_to_owner(elsewhere)
        return elsewhere

    def _can_see(self, server: Server) -> bool:
        """Whether its pid means the server to us too: it may run in another container, with pids of its own."""
        import psutil

        with suppress(psutil.Error):
            return psutil.Process(server.pid).cwd() == str(self.path)
        return False

    def _give_to_owner(self, directory: Path) -> None:
        if self.owner is not None:
            os.chown(directory, self.owner.uid, self.owner.gid)

    def _run(self, program: str, *arguments: str, data: Path | None = None, keep_open: int | None = None) -> None:
        # LC_* and PG* of the environment would change the messages, the port and more.
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "PG"))}
        # The directory is passed in PGDATA and entered: pg_ctl puts a path given by -D or -l in a shell command, where
        # a quote or a dollar sign in it would be the shell's.
        directory = data or self.path
        # A file, not a pipe: a pipe would have to be drained for as long as the server that pg_ctl starts holds it.
        with tempfile.TemporaryFile("w+") as output:
            finished = subprocess.run(
                [self.programs / program, *arguments],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment | {"LC_ALL": "C", "PGDATA": str(directory)},
                cwd=directory,
                pass_fds=[] if keep_open is None else [keep_open],
                user=self.owner.uid if self.owner else None,
                group=self.owner.gid if self.owner else None,
                extra_groups=[] if self.owner else None,
            )
            if finished.returncode != 0:
                output.seek(0)
                raise PostgresFailed(f"{program} failed for {self.path}:\n{output.read().strip()}")

    def _log_tail(self) -> str:
        with suppress(OSError):
            return "\nThe end of its log:\n" + "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
        return ""


def _owner(cluster: Path) -> Owner:
    """Whom root runs the server as: the owner of the data directory, or the system user, made when missing."""
    if cluster.exists():
        made = cluster.stat()
        return Owner(made.st_uid, made.st_gid)
    try:
        user = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        print(f"Adding the system user {SYSTEM_USER}, for PostgreSQL does not run as root.", file=sys.stderr)
        try:
            subprocess.run(["useradd", "--system", "--user-group", SYSTEM_USER], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise PostgresFailed(
                "PostgreSQL does not run as root, and the user for it cannot be made. "
                f"Run as another user, or set DATABASE_URL. ({error})"
            ) from error
        user = pwd.getpwnam(SYSTEM_USER)
    return Owner(user.pw_uid, user.pw_gid)


def _let_in(cluster: Path, programs: Path) -> None:
    """Let the system user reach its data and its programs: pass through the directories above, but not list them."""
    for directory in {*cluster.parents, *programs.parents}:
        if _allow(directory, stat.S_IXOTH):
            print(f"Letting all users traverse {directory}, so that PostgreSQL's user can.", file=sys.stderr)
    installation = programs.parent
    package = installation.parent
    libraries = package.parent.glob(f"{package.name}.libs")  # where a wheel brings the shared libraries it is linked to
    for tree in (installation, *libraries):
        for path in (tree, *tree.rglob("*")):
            _allow(path, stat.S_IROTH | (stat.S_IXOTH if path.is_dir() or path.parent == programs else 0))


def _allow(path: Path, permissions: int) -> bool:
    """Give everybody `permissions`; whether they lacked them."""
    mode = path.stat().st_mode
    lacked = mode & permissions != permissions
    if lacked:
        path.chmod(stat.S_IMODE(mode) | permissions)
    return lacked


def _listens(socket_dir: Path) -> bool:
    """Whether a server accepts connections there: one that was killed leaves its `postmaster.pid`."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PROBE_TIMEOUT_S)
        try:
            probe.connect(str(socket_dir / f".s.PGSQL.{PORT}"))
        except OSError:
            return False
    return True
