"""Other log routers on the same lines: rsyslog and syslog-ng, unpacked beside each other by scripts/bench-needs.sh.

Each is set up as its documentation advises for throughput; what it took is counted from its start until all lines are
where they should be.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from pathlib import Path

from rabbitmq_node import PASSWORD, USER, RabbitNode

from benchmarks.bench import Bench, Rival
from benchmarks.lines import END
from benchmarks.machine import version_of
from benchmarks.processes import Running
from benchmarks.queues import depth

PEERS = Path(__file__).parents[2] / ".peers"
_LIBRARIES = PEERS / "usr" / "lib" / "x86_64-linux-gnu"
_STILL_SECONDS = 5.0
_RSYSLOG, _SYSLOG_NG = PEERS / "usr" / "sbin" / "rsyslogd", PEERS / "usr" / "sbin" / "syslog-ng"
_MODULES = PEERS / "usr" / "lib" / "syslog-ng"
_ENVIRONMENT = {"LD_LIBRARY_PATH": f"{_LIBRARIES}:{PEERS / 'lib' / 'x86_64-linux-gnu'}:{_MODULES}"}
_RSYSLOG_CONFIG = """\
global(workDirectory="{room}" maxMessageSize="64k")
module(load="imfile" mode="inotify")
main_queue(queue.type="LinkedList" queue.size="100000" queue.dequeueBatchSize="1024")
template(name="message" type="string" string="%msg%\\n")
input(type="imfile" file="{lines}" tag="app")
if $msg == "{end}" then {{ action(type="omfile" file="{room}/end") stop }}
if re_match($msg, "nothing has (this|that) in it") then stop
action(type="omfile" file="{room}/out.gz" template="message" zipLevel="1" ioBufferSize="256k" asyncWriting="on")
"""

_SYSLOG_NG_CONFIG = """\
@version: 3.38
options {{ stats-freq(0); }};
source lines {{ file("{lines}" follow-freq(1) flags(no-parse)); }};
destination broker {{
  amqp(host("127.0.0.1") port({port}) vhost("/") exchange("log") exchange-declare(no) persistent(yes)
    username("{user}") password("{password}") routing-key("app.h1.info") body("$MSG"));
}};
log {{ source(lines); destination(broker); }};
"""


def rsyslog(bench: Bench) -> tuple[str, Rival | None]:
    """imfile -> omfile with gzip, a regex on each line, no broker; lines a second. RuntimeError if any is lost."""
    version = version_of([str(_RSYSLOG), "-v"], _ENVIRONMENT)
    name = f"rsyslog {version}: imfile to omfile gzip"
    if not version:
        return name, None

    def measure(room: Path) -> float:
        config, modules = room / "rsyslog.conf", _LIBRARIES / "rsyslog"
        config.write_text(_RSYSLOG_CONFIG.format(room=room, lines=bench.corpus, end=END))
        command = [_RSYSLOG, "-n", "-f", config, "-i", room / "pid", "-M", modules]
        running = Running([str(part) for part in command], room, env=_ENVIRONMENT)
        running.until((room / "end").exists)
        seconds = running.end().seconds
        with gzip.open(room / "out.gz") as file:
            written = sum(1 for _ in file)
        if written != bench.lines - 1:
            raise RuntimeError(f"rsyslog wrote {written} lines of {bench.lines - 1}")
        return bench.lines / seconds

    return name, measure


def syslog_ng(bench: Bench, node: RabbitNode, queue: str) -> tuple[str, Rival | None]:
    """file() -> amqp(), persistent, unconfirmed (it has no confirms); lines a second until no more come to `queue`."""
    version = version_of([str(_SYSLOG_NG), "-V"], _ENVIRONMENT)
    name = f"syslog-ng {version}: file() to amqp()"
    if not version:
        return name, None

    def measure(room: Path) -> float:
        config = room / "syslog-ng.conf"
        config.write_text(_SYSLOG_NG_CONFIG.format(lines=bench.corpus, port=node.port, user=USER, password=PASSWORD))
        modules = _MODULES / version.rpartition(".")[0]
        places = ["-R", room / "persist", f"--control={room / 'control'}", "-p", room / "pid"]
        command = [_SYSLOG_NG, "-F", "-f", config, "--module-path", modules, *places]
        running = Running([str(part) for part in command], room, env=_ENVIRONMENT)
        arrived = _Growth(lambda: depth(node.url, queue))
        running.until(arrived.is_over, pause=0.25)
        running.end()
        return arrived.per_second

    return name, measure


class _Growth:
    """How fast a number grows, until it has not for a while: nobody says when all is there, and some may never be."""

    def __init__(self, number: Callable[[], int]) -> None:
        self._number = number
        self._began = self._grown = time.monotonic()
        self._last = 0

    def is_over(self) -> bool:
        """To be asked again and again."""
        number, now = self._number(), time.monotonic()
        if number > self._last:
            self._last, self._grown = number, now
        return self._last > 0 and now - self._grown > _STILL_SECONDS

    @property
    def per_second(self) -> float:
        """Up to when it last grew."""
        return self._last / (self._grown - self._began)
