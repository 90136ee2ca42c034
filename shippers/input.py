"""The inputs of a shipper as frozen data: what it follows, and how it labels the lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shippers.encode.text import UNREDACTED, Refining
from shippers.parse.multiline import Joining
from shippers.services import NO_SERVICES, Services

COMPRESSED = ("*.gz", "*.bz2", "*.xz", "*.zst", "*.lz4", "*.zip", "*.Z")
_ENDINGS = tuple(pattern[1:] for pattern in COMPRESSED)


def is_compressed(path: str) -> bool:
    """Report whether the name of a file ends like that of a compressed one."""
    return path.endswith(_ENDINGS)


def compressed_except(globs: Sequence[str]) -> tuple[str, ...]:
    """Return the patterns of compressed files to exclude: all except those whose ending one of the globs has."""
    return tuple(pattern for pattern in COMPRESSED if not any(glob.endswith(pattern[1:]) for glob in globs))


Address = tuple[str, int]
"""Host and port. An empty host stands for all addresses of this machine."""


@dataclass(frozen=True, slots=True)
class Stdin:
    """Standard input: its bytes are lines like those of a file."""


@dataclass(frozen=True, slots=True)
class Syslog:
    """The addresses on which to listen for syslog, and the limits.

    unix: paths of datagram sockets.   unix_stream: paths of stream sockets.
    host: the host of all records; '' means the host that a message names, else the address that it came from.
    max_line: bytes of a message that are kept; a longer message is truncated and marked as cut.
    max_spool: bytes that may wait for the broker. Above that, senders on streams wait, and the mildest datagrams are
    discarded.
    certificate, key, client_ca: PEM files for `tls`.   max_clients: connections at a time, on all streams together.
    idle_timeout: seconds without a byte after which a connection is closed.
    """

    udp: tuple[Address, ...] = ()
    tcp: tuple[Address, ...] = ()
    unix: tuple[str, ...] = ()
    unix_stream: tuple[str, ...] = ()
    host: str = ""
    max_line: int = 1 << 20
    max_spool: int = 1 << 30
    tls: tuple[Address, ...] = ()
    certificate: str = ""
    key: str = ""
    client_ca: str = ""
    max_clients: int = 1000
    idle_timeout: float = 86_400.0


@dataclass(frozen=True, slots=True)
class Journal:
    """The systemd journal.

    units: names or patterns; none means all units.   directory: the journal files to read; '' means this machine's.
    first_read: how many of the last entries to read when the journal is followed for the first time; None means all.
    host: the host of all records; '' means the host that an entry names.
    max_line: bytes of a message that are kept; a longer message is truncated and marked as cut.
    max_spool: bytes that may wait for the broker; above that, reading pauses.
    """

    units: tuple[str, ...] = ()
    directory: str = ""
    first_read: int | None = 1000
    host: str = ""
    max_line: int = 1 << 20
    max_spool: int = 1 << 30

    @property
    def name(self) -> str:
        """The name in logs."""
        return f"the journal in {self.directory}" if self.directory else "the journal"

    @property
    def max_entry(self) -> int:
        """The limit of an entry as JSON, in bytes: an escaped byte takes up to six."""
        return 8 * self.max_line + (64 << 10)


@dataclass(frozen=True, slots=True)
class Input:
    """What to follow, files or a spool, and how to label its lines.

    service: '' means the service of each line's program, according to `services`.
    globs: absolute paths with `*`, `?`, `[...]`, `**`.     exclude: patterns of names, or of paths if they hold a `/`.
    host: '' means the agent's host.                        severity: the severity of lines that state none.
    read_from: where to begin in files that exist at the first start: "start", or a number of bytes before their end.
    max_line: bytes of a line that are kept, without the newline; a longer line is truncated and marked as cut.
    joining: how lines are joined to records; None means that each line is a record.
    feed: what fills the spool that is followed in place of files; None means that files are followed.
    refining: redaction and extraction of fields, applied to each text before it leaves the host.
    compressed: whether messages are compressed with zstd.
    olddir: the directory of rotated files, like logrotate's; a relative one is below the directory of each file.
    """

    service: str
    globs: tuple[str, ...] = ()
    host: str = ""
    severity: str = "info"
    read_from: int | Literal["start"] = "start"
    max_line: int = 1 << 20
    exclude: tuple[str, ...] = COMPRESSED
    joining: Joining | None = None
    feed: Stdin | Syslog | Journal | None = None
    services: Services = NO_SERVICES
    refining: Refining = UNREDACTED
    compressed: bool = False
    olddir: str = ""

    @property
    def name(self) -> str:
        """The name in logs: the service, or else where the lines come from."""
        return self.service or _UNNAMED.get(type(self.feed), "by program")


_UNNAMED = {Syslog: "syslog", Journal: "journal"}
