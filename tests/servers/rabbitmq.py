"""A RabbitMQ of the test's own, to be killed and started again."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

HOST = "127.0.0.1"
DEBIANS_SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the one on PATH changes the user and the directory
START_TIMEOUT_S = 60
CONTROL_TRIES, CONTROL_TIMEOUT_S = 4, 20
POLL_S = 0.02
AMQP_0_9_1 = b"AMQP\x00\x00\x09\x01"  # the protocol header, AMQP 0-9-1 section 4.2.2; a ready broker answers it

CONFIGURATION = """
listeners.tcp.1 = {host}:{amqp_port}
log.console = false
log.file.level = warning
disk_free_limit.absolute = 64MB
"""


class PrivateRabbit:
    """One broker over one directory, with a port mapper (epmd) and an Erlang cookie of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        with ExitStack() as sockets:
            self.port, self._distribution_port, self._epmd_port = (
                sockets.enter_context(socket.create_server((HOST, 0))).getsockname()[1] for _ in range(3)
            )
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_NODENAME": f"rollbook-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": str(directory / "data"),
            "RABBITMQ_LOG_BASE": str(directory / "log"),
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": str(directory / "rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
        }
        self._epmd: subprocess.Popen[bytes] | None = None
        self._broker: subprocess.Popen[bytes] | None = None

    @staticmethod
    def installed() -> bool:
        """Whether this machine has a RabbitMQ to start."""
        return _script() is not None and shutil.which("epmd") is not None

    def start(self) -> str:
        """Start the broker, on the data of last time if there are any, and give its URL, the same each time."""
        assert self._broker is None, "it runs already"
        script = _script()
        assert script is not None, "RabbitMQ is not installed"
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / "rabbitmq.conf").write_text(CONFIGURATION.format(host=HOST, amqp_port=self.port))
        (self._directory / "enabled_plugins").write_text("[].\n")
        if self._epmd is None:  # Erlang would start one itself, and leave it behind
            self._epmd = self._spawn("epmd", "-address", HOST, "-port", str(self._epmd_port))
            _wait(self._epmd, lambda: _listens(self._epmd_port))
        self._broker = self._spawn(str(script))
        try:
            _wait(self._broker, lambda: answers(HOST, self.port))
        except BaseException:
            self.stop()
            raise
        return f"amqp://guest:guest@{HOST}:{self.port}/"

    def kill9(self) -> None:
        """Kill every process of the broker at once, and wait until they are gone.

        A quorum queue declared less than a second before may not come back: RabbitMQ 3 saves the register of these
        queues twice a second, and nacks what is published to one that is not in it.
        """
        assert self._broker is not None, "no broker runs"
        _kill_group(self._broker)
        self._broker = None

    def restart(self) -> str:
        """Kill the broker and start it again on the same data."""
        self.kill9()
        return self.start()

    def wipe(self) -> str:
        """Kill the broker and start it again with nothing: no queue, no exchange, no message."""
        self.kill9()
        shutil.rmtree(self._directory / "data")
        return self.start()

    def raise_alarm(self) -> None:
        """Have the broker find itself short of memory: it takes nothing from then on of those who publish."""
        self.control("set_vm_memory_high_watermark", "0.000001")

    def end_alarm(self) -> None:
        """Have the broker find that it has memory enough."""
        self.control("set_vm_memory_high_watermark", "0.4")

    def stop(self) -> None:
        """End broker and port mapper, at once: nothing reads their data again. Without them, do nothing."""
        for process in (self._broker, self._epmd):
            if process is not None:
                _kill_group(process)
        self._broker = self._epmd = None

    def control(self, *words: str) -> None:
        """Run a command of rabbitmqctl."""
        program = shutil.which("rabbitmqctl", path=f"{DEBIANS_SCRIPT.parent}:{os.environ['PATH']}")
        assert program is not None, "RabbitMQ is not installed whole"
        node = self._environment["RABBITMQ_NODENAME"]
        for attempt in range(CONTROL_TRIES):
            try:
                subprocess.run(
                    (program, "--quiet", "--node", node, *words),
                    check=True,
                    env=self._environment,
                    cwd=self._directory,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    timeout=CONTROL_TIMEOUT_S,
                )
            except subprocess.TimeoutExpired:  # a node that has only just started may leave it without an answer
                if attempt == CONTROL_TRIES - 1:
                    raise
            else:
                return

    def _spawn(self, *command: str) -> subprocess.Popen[bytes]:
        with (self._directory / "output").open("ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=self._directory,
                start_new_session=True,
            )


def _script() -> Path | None:
    if DEBIANS_SCRIPT.exists():
        return DEBIANS_SCRIPT
    found = shutil.which("rabbitmq-server")
    return Path(found) if found else None


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _listens(port: int) -> bool:
    with socket.create_connection((HOST, port), timeout=1):
        return True


def answers(host: str, port: int) -> bool:
    """Whether a broker takes AMQP connections there. Raises OSError where nothing listens."""
    with socket.create_connection((host, port), timeout=5) as connection:
        connection.sendall(AMQP_0_9_1)
        return connection.recv(1) == b"\x01"  # a method frame: Connection.Start


def _wait(process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, f"{process.args!r} ended with {process.returncode}"
        with suppress(OSError):
            if ready():
                return
        time.sleep(POLL_S)
    raise AssertionError(f"{process.args!r} was not ready in {START_TIMEOUT_S} s")
