"""A window of a source -> the parts that are published: one for each (service, host, severity) in it. Pure.

In comes what a source held between two positions, with the settings of its input and the time it was read; out go
parts whose records rebuild every byte of it (`logrouter.record.original`), save for lines that had to be cut. A spool
of syslog messages holds envelopes: its records rebuild what was received.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from itertools import accumulate, repeat
from typing import Literal

from logrouter.batch import Part
from logrouter.keys import routing_key
from logrouter.record import Record, encode_lines, rfc3339, split_lines
from shippers.envelopes import unseal
from shippers.parsing.severity import STATED, severities, severity
from shippers.parsing.syslog import parse, program
from shippers.parsing.time import DAY, times
from shippers.refining import UNREDACTED, Refining, refine, refine_message
from shippers.services import NONE_KNOWN, Services

COMPRESSED = ("*.gz", "*.bz2", "*.xz", "*.zst", "*.lz4", "*.zip", "*.Z")

MAX_PARTS = 64
"""In a window: each part's message names the keys of all, and whoever sends syslog can make up services and hosts."""

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
    """

    udp: tuple[Address, ...] = ()
    tcp: tuple[Address, ...] = ()
    unix: tuple[str, ...] = ()
    unix_stream: tuple[str, ...] = ()
    host: str = ""
    max_line: int = 1 << 20
    max_spool: int = 1 << 30


@dataclass(frozen=True, slots=True)
class Input:
    """What to follow, and how its lines are labelled: files, or what comes by way of a spool.

    service: '' for that of each line's program, by `services`.
    globs: absolute paths with `*`, `?`, `[...]`, `**`.     exclude: patterns of names (or of paths, with a `/`).
    host: '' stands for the agent's.                        severity: of lines that state none.
    read_from: where files that are there at the first start begin: "start", or so many bytes from their end.
    max_line: bytes without the newline; of a longer line the first `max_line` are kept and it is marked as cut.
    feed: what fills the spool that is followed in place of files.
    refining: what becomes of each text before it leaves the host.
    """

    service: str
    globs: tuple[str, ...] = ()
    host: str = ""
    severity: str = "info"
    read_from: int | Literal["start"] = "start"
    max_line: int = 1 << 20
    exclude: tuple[str, ...] = COMPRESSED
    feed: Stdin | Syslog | None = None
    services: Services = NONE_KNOWN
    refining: Refining = UNREDACTED

    @property
    def name(self) -> str:
        """What people call it: its service, or where its lines come from."""
        return self.service or ("syslog" if isinstance(self.feed, Syslog) else "by program")


@dataclass(frozen=True, slots=True)
class Cut:
    """A line too long to be kept: its length in bytes and its sha256 in hex, both with the newline."""

    length: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Window:
    """Whole lines of a source: its bytes `[from_, to)` are `data`; with `cut`, `data` is the beginning of one line."""

    source: str
    start: int
    from_: int
    to: int
    data: bytes
    cut: Cut | None = None


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines of a window: their texts, where each ends, and the exact bytes (base64) of those that need them."""

    texts: list[str]
    ends: list[int]
    raw: dict[int, str]


@dataclass(slots=True)
class _Group:
    """The records of one part, and the time in ms since 1970 that each is filed by."""

    records: list[Record] = field(default_factory=list)
    filed: list[int] = field(default_factory=list)


Label = tuple[str, str, str]
"""Service, host, severity: what all records of a part have in common."""


def parts(window: Window, settings: Input, now: float) -> tuple[Part, ...]:
    """The parts of a window in the order in which they first appear in it; `now` is when it was read (Unix time).

    A window of more than MAX_PARTS is cut before the line that would begin another: the parts say where, in `to`.
    """
    groups = _envelopes(window, settings, now) if isinstance(settings.feed, Syslog) else _lines(window, settings, now)
    keys = tuple(routing_key(*label) for label in groups)
    to = max(group.records[-1].end for group in groups.values())
    return tuple(
        Part(
            source=window.source,
            start=window.start,
            from_=window.from_,
            to=to,
            part=number,
            keys=keys,
            service=service,
            host=host,
            severity=level,
            count=len(group.records),
            first=min(group.filed),
            last=max(group.filed),
            body=encode_lines(group.records),
        )
        for number, ((service, host, level), group) in enumerate(groups.items())
    )


def _lines(window: Window, settings: Input, now: float) -> dict[Label, _Group]:
    """The records of a window of lines."""
    lines = _split(window)
    levels = severities(lines.texts, settings.severity)
    moments = times(lines.texts, now)
    refined = refine(lines.texts, settings.refining)
    raw = refined.raw(lines.raw, lines.texts, [window.from_, *lines.ends])
    if window.cut:
        refined.mark_cut(window.cut.length, window.cut.sha256)
    programs = repeat((None, None)) if settings.service else refined.programs(map(program, lines.texts))
    fields, conversations = refined.fields, refined.conversations
    groups: dict[Label, _Group] = {}
    now_ms, received = int(now * 1000), rfc3339(now)
    pos, service, host = window.from_, settings.service, settings.host
    columns = zip(refined.texts, lines.ends, levels, moments, programs, strict=False)  # `repeat` has no end
    for index, (text, end, (level, severity_from), (ts, ms), (app, pid)) in enumerate(columns):
        if not settings.service:
            service = settings.services.of(app)
        far = abs(ms - now_ms) > DAY * 1000
        label = (service, host, level)
        group = groups.get(label)
        if group is None:
            if len(groups) == MAX_PARTS:
                break
            group = groups[label] = _Group()
        group.filed.append(now_ms if far else ms)
        group.records.append(
            Record(
                ts=ts,
                service=service,
                host=host,
                severity=level,
                message=text,
                source=window.source,
                pos=pos,
                end=end,
                received=received if far else None,
                severity_from=severity_from,
                app=app,
                pid=pid,
                fields=fields.get(index) if fields else None,
                conversation=conversations.get(index) if conversations else None,
                raw=raw.get(index) if raw else None,
            )
        )
        pos = end
    return groups


def _envelopes(window: Window, settings: Input, now: float) -> dict[Label, _Group]:
    """The records of a window of a syslog spool."""
    groups: dict[Label, _Group] = {}
    pos = window.from_
    for line in split_lines(window.data):
        record, filed = _message(line, settings, now, (window.source, pos))
        label = (record.service, record.host, record.severity)
        if len(groups) == MAX_PARTS and label not in groups:
            break
        pos = record.end
        group = groups.setdefault(label, _Group())
        group.records.append(record)
        group.filed.append(filed)
    return groups


def _message(line: bytes, settings: Input, now: float, place: tuple[str, int]) -> tuple[Record, int]:
    """The record of one envelope, and the time in ms that it is filed by."""
    assert isinstance(settings.feed, Syslog)
    envelope = unseal(line, now)
    content = envelope.content
    text = content.decode(errors="replace").rstrip("\n\r\0")
    said = parse(text)
    level, severity_from = (said.severity, STATED) if said.severity else severity(said.message, settings.severity)
    ((ts, ms),) = times([said.time or said.message], envelope.received)
    received_ms = int(envelope.received * 1000)
    far = abs(ms - received_ms) > DAY * 1000
    said, content, refined = refine_message(text, said, content, settings.refining)
    exact = content if content.endswith(b"\n") else content + b"\n"
    if envelope.length:
        refined.mark_cut(envelope.length, envelope.sha256)
    record = Record(
        ts=ts,
        service=settings.service or settings.services.of(said.app, said.facility),
        host=settings.feed.host or said.host or envelope.peer or settings.host,
        severity=level,
        message=said.message,
        source=place[0],
        pos=place[1],
        end=place[1] + len(line),
        received=rfc3339(envelope.received) if far else None,
        severity_from=severity_from,
        facility=said.facility,
        app=said.app,
        pid=said.pid,
        msgid=said.msgid,
        sd=said.sd,
        fields=refined.fields.get(0),
        conversation=refined.conversations.get(0),
        raw=None if said.message.encode() + b"\n" == exact else base64.b64encode(exact).decode(),
    )
    return record, received_ms if far else ms


def _split(window: Window) -> _Lines:
    """Each newline-terminated range is a line, an empty one too, and so is what follows the last newline.

    A cut line is given a newline in place of what it lost, so that it stays a line of its own.
    """
    data = window.data + b"\n" if window.cut else window.data
    pieces = data.split(b"\n")
    if not pieces[-1]:
        pieces.pop()
    ends = list(accumulate((len(piece) + 1 for piece in pieces), initial=window.from_))[1:]
    ends[-1] = window.to
    try:
        return _Lines(data.decode().replace("\r\n", "\n").split("\n")[: len(pieces)], ends, {})
    except UnicodeDecodeError:
        exact = [piece + b"\n" for piece in pieces[:-1]]
        exact.append(data[sum(map(len, exact)) :])
        return _decode_each(exact, ends)


def _decode_each(exact: list[bytes], ends: list[int]) -> _Lines:
    """Lines of which at least one is not UTF-8."""
    lines = _Lines([], ends, {})
    for index, line in enumerate(exact):
        content = line[:-2] if line.endswith(b"\r\n") else line.removesuffix(b"\n")
        try:
            lines.texts.append(content.decode())
        except UnicodeDecodeError:
            lines.texts.append(content.decode(errors="replace"))
            lines.raw[index] = base64.b64encode(line).decode()
    return lines
