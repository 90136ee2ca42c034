"""A RabbitMQ node of our own: own data, ports, cookie and port mapper, on loopback alone, gone when it is stopped.

In comes an empty directory, out comes a broker's URL. Nothing of the machine's own RabbitMQ is touched: the packaged
wrapper changes the user, so the server script behind it is run. It works outside of pytest too:

    with RabbitNode(Path(directory)) as node:
        print(node.url)

RABBITMQ=4 (or 4.3) in the environment takes the server that scripts/rabbitmq-4.sh has unpacked.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ports import free_ports

VERSION = os.environ.get("RABBITMQ", "")
"""Of the server that the tests run on; '' for the one that is installed."""

UNPACKED = Path(__file__).parents[1] / ".rabbitmq"

USER, PASSWORD = "router", "s3cret-pass"
START_SECONDS = 60
STOP_SECONDS = 20

_CONFIG = """\
listeners.tcp.1 = 127.0.0.1:{port}
default_user = {user}
default_pass = {password}
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
log.file.level = warning
log.console = false
raft.wal_max_size_bytes = 67108864
"""

_ADVANCED = "[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, 1000}]}].\n"
"""After which a delayed message whose target did not answer is tried again: 3 minutes in a server as it comes."""


@dataclass(frozen=True, slots=True)
class Server:
    """A RabbitMQ on this machine. scripts: where its own are.   path: where its Erlang is found."""

    scripts: Path
    path: str

    @classmethod
    def find(cls, version: str) -> Self | None:
        """The installed server (''), or one that was unpacked into .rabbitmq/VERSION; None if it is not there."""
        root = UNPACKED / version if version else Path("/")
        found = sorted((root / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin"))
        path = f"{root / 'usr/lib/erlang/bin'}:{os.environ['PATH']}" if version else os.environ["PATH"]
        return cls(found[-1], path) if found and shutil.which("epmd", path=path) else None


class RabbitNode:
    """A node with its data in `directory`; `start` after `stop` or `kill` is a restart on the same data and ports."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._port, self._distribution, self._mapper_port = free_ports(3)
        self._installed = Server.find(VERSION)
        self._server: subprocess.Popen[bytes] | None = None
        self._mapper: subprocess.Popen[bytes] | None = None

    @staticmethod
    def installed() -> bool:
        """Whether there is a RabbitMQ server on this machine."""
        return Server.find(VERSION) is not None

    @property
    def version(self) -> tuple[int, ...]:
        """Of the server, such as (3, 10, 8)."""
        return tuple(map(int, self._found.scripts.parent.name.partition("-")[2].split(".")))

    @property
    def log(self) -> str:
        """What the node has logged, of warnings and worse."""
        return "".join(path.read_text(errors="replace") for path in sorted((self._directory / "log").glob("*.log")))

    @property
    def port(self) -> int:
        """The AMQP port on 127.0.0.1."""
        return self._port

    @property
    def url(self) -> str:
        """The address with user and password."""
        return f"amqp://{USER}:{PASSWORD}@127.0.0.1:{self._port}/"

    def start(self) -> None:
        """Start, and return when the node takes connections. Raises RuntimeError with its log when it does not."""
        self._write_files()
        mapper = shutil.which("epmd", path=self._found.path)
        assert mapper is not None  # the server was found with it
        self._mapper = self._run([mapper, "-port", str(self._mapper_port), "-address", "127.0.0.1"])
        self._server = self._run([str(self._script("rabbitmq-server"))])
        deadline = time.monotonic() + START_SECONDS
        while not self._listens():
            if self._server.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"RabbitMQ did not start:\n{self._output()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Shut down in order (SIGTERM), as a package upgrade would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill at once (SIGKILL), as a power cut would."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it (SIGSTOP): connections stay open and nothing is answered any more."""
        self._running.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._running.send_signal(signal.SIGCONT)

    def control(self, *arguments: str) -> str:
        """Run rabbitmqctl against this node and return what it prints."""
        command = [str(self._script("rabbitmqctl")), "-q", *arguments]
        return subprocess.run(
            command, env=self._environment(), check=True, capture_output=True, text=True, timeout=60
        ).stdout

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._server is None:
            raise RuntimeError("the node is not running")
        return self._server

    def _script(self, name: str) -> Path:
        return self._found.scripts / name

    @property
    def _found(self) -> Server:
        if self._installed is None:
            raise RuntimeError(f"RabbitMQ {VERSION} is not installed")
        return self._installed

    def _write_files(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        config = _CONFIG.format(port=self._port, user=USER, password=PASSWORD)
        (self._directory / "rabbitmq.conf").write_text(config)
        (self._directory / "advanced.config").write_text(_ADVANCED)
        (self._directory / "plugins").write_text("[].")

    def _environment(self) -> dict[str, str]:
        directory = self._directory
        loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
        return {
            "PATH": self._found.path,
            "LANG": "C.UTF-8",
            "HOME": str(directory),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._mapper_port),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(directory / "advanced.config"),
            "RABBITMQ_ALLOW_INPUT": "1",  # the script becomes the server, so that our child is the server itself
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(directory / "none"),
            "RABBITMQ_CTL_ERL_ARGS": loopback,
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
            "RABBITMQ_LOG_BASE": str(directory / "log"),
            "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
            "RABBITMQ_NODENAME": f"logrouter-{self._port}@localhost",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"-noinput +S 2:2 {loopback}",
        }

    def _run(self, command: list[str]) -> subprocess.Popen[bytes]:
        """A child in a session of its own, so that a Ctrl-C meant for the tests does not reach it."""
        with (self._directory / "output").open("ab") as output:
            return subprocess.Popen(
                command,
                env=self._environment(),
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def _end(self, how: signal.Signals) -> None:
        server, mapper = self._server, self._mapper
        self._server = self._mapper = None
        if server is not None:
            server.send_signal(how)
            try:
                server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        if mapper is not None:
            mapper.kill()
            mapper.wait()

    def _output(self) -> str:
        logs = [self._directory / "output", *sorted((self._directory / "log").glob("*.log"))]
        return "\n".join(path.read_text(errors="replace")[-4000:] for path in logs if path.exists())
