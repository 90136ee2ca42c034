"""What a shipper follows, and how the lines of it are labelled: frozen data, as the configuration comes to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shippers.encode.text import UNREDACTED, Refining
from shippers.parse.multiline import Joining
from shippers.services import NONE_KNOWN, Services

COMPRESSED = ("*.gz", "*.bz2", "*.xz", "*.zst", "*.lz4", "*.zip", "*.Z")
_ENDINGS = tuple(pattern[1:] for pattern in COMPRESSED)


def is_compressed(path: str) -> bool:
    """Whether a file's name says that it is compressed."""
    return path.endswith(_ENDINGS)


def compressed_except(globs: Sequence[str]) -> tuple[str, ...]:
    """The patterns of compressed files that stay out: all but those whose endings a glob names."""
    return tuple(pattern for pattern in COMPRESSED if not any(glob.endswith(pattern[1:]) for glob in globs))


Address = tuple[str, int]
"""Host and port."""


@dataclass(frozen=True, slots=True)
class Stdin:
    """Standard input: its bytes are lines like those of a file."""


@dataclass(frozen=True, slots=True)
class Syslog:
    """Where syslog messages are listened for. unix: paths of datagram sockets; unix_stream: of stream sockets.

    host: what records carry whatever the messages say; '' is the host that they name, or else come from.
    max_line: bytes of a message; of a longer one so much is kept, and it is marked as cut.
    max_spool: bytes that may wait for the broker; above that senders wait, and of datagrams the mildest are left out.
    certificate, key, client_ca: PEM files for `tls`.   max_clients: connections at a time, all streams together.
    idle_timeout: seconds without a byte after which a connection is ended.
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
    """The systemd journal. units: names or patterns, none for all.   directory: of other files than this machine's.

    first_read: entries that are read when it is met for the first time, None for all.
    host: what records carry whatever the entries say.
    max_line: bytes of a message; of a longer one so much is kept, and it is marked as cut.
    max_spool: bytes that may wait for the broker; above that it is read no further.
    """

    units: tuple[str, ...] = ()
    directory: str = ""
    first_read: int | None = 1000
    host: str = ""
    max_line: int = 1 << 20
    max_spool: int = 1 << 30

    @property
    def name(self) -> str:
        """What people call it."""
        return f"the journal in {self.directory}" if self.directory else "the journal"

    @property
    def max_entry(self) -> int:
        """Bytes of an entry as JSON: what is escaped in it takes up to six for one."""
        return 8 * self.max_line + (64 << 10)


@dataclass(frozen=True, slots=True)
class Input:
    """What to follow, and how its lines are labelled: files, or what comes by way of a spool.

    service: '' for that of each line's program, by `services`.
    globs: absolute paths with `*`, `?`, `[...]`, `**`.     exclude: patterns of names (or of paths, with a `/`).
    host: '' stands for the agent's.                        severity: of lines that state none.
    read_from: where files that are there at the first start begin: "start", or so many bytes from their end.
    max_line: bytes without the newline; of a longer line the first `max_line` are kept and it is marked as cut.
    joining: how lines make records; None: each is one.
    feed: what fills the spool that is followed in place of files.
    refining: what becomes of each text before it leaves the host.
    compressed: whether messages travel as zstd.
    olddir: where rotation puts earlier files, as logrotate has it; a relative one is below each file's directory.
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
    services: Services = NONE_KNOWN
    refining: Refining = UNREDACTED
    compressed: bool = False
    olddir: str = ""

    @property
    def name(self) -> str:
        """What people call it: its service, or where its lines come from."""
        return self.service or _UNNAMED.get(type(self.feed), "by program")


_UNNAMED = {Syslog: "syslog", Journal: "journal"}
