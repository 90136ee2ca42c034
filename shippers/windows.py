"""A window of a source -> the parts that are published: one for each (service, host, severity) in it. Pure.

In comes what a source held between two positions, with the settings of its input and the time it was read; out go
parts whose records rebuild every byte of it (`logrouter.record.original`), save for lines that had to be cut. A spool
of syslog messages holds envelopes: its records rebuild what was received; one of a journal holds its entries.
"""

from __future__ import annotations

import base64
import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise, repeat
from typing import Any, Literal

from logrouter.batch import Part
from logrouter.keys import routing_key
from logrouter.record import Record, encode_lines, rfc3339, split_lines
from shippers.envelopes import unseal
from shippers.parsing import journal
from shippers.parsing.application import from_application
from shippers.parsing.containers import service_of
from shippers.parsing.joining import Joining, heads
from shippers.parsing.severity import STATED, severities, severity
from shippers.parsing.stamps import moment
from shippers.parsing.syslog import parse, program
from shippers.parsing.time import DAY, times
from shippers.parsing.wrapping import Unwrapped, unwrap
from shippers.refining import UNREDACTED, Refining, refine, refine_entry, refine_message
from shippers.services import NONE_KNOWN, Services

COMPRESSED = ("*.gz", "*.bz2", "*.xz", "*.zst", "*.lz4", "*.zip", "*.Z")


def is_compressed(path: str) -> bool:
    """Whether a file's name says that it is compressed."""
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in COMPRESSED)


_MARK = "\ufeff"

MAX_PARTS = 64
"""In a window: each part's message names the keys of all, and whoever sends syslog can make up services and hosts."""

_UNSTATED = "user"
"""The facility of a syslog message that states none, by RFC 3164."""

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

    @property
    def name(self) -> str:
        """What people call it: its service, or where its lines come from."""
        return self.service or _UNNAMED.get(type(self.feed), "by program")


_UNNAMED = {Syslog: "syslog", Journal: "journal"}


@dataclass(frozen=True, slots=True)
class Cut:
    """A line too long to be kept: its length in bytes and its sha256 in hex, both with the newline."""

    length: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Window:
    """Whole lines of a source: its bytes `[from_, to)` are `data`; with `cut`, `data` is the beginning of one line.

    container: what is known of the container that wrote them.
    """

    source: str
    start: int
    from_: int
    to: int
    data: bytes
    cut: Cut | None = None
    container: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Lines:
    """What records are made of: their texts, where each ends, and the exact bytes (base64) of those that need them.

    firsts: the first line of each, which says what it is.   starts: of those of several lines, where each line begins.
    whens: the line or part of it that tells the time of each.   fields: what else is known of some.
    """

    texts: list[str]
    ends: list[int]
    raw: dict[int, str]
    firsts: list[str]
    starts: dict[int, list[int]]
    whens: list[str]
    fields: dict[int, dict[str, Any]] = field(default_factory=dict)


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
    is_spooled = isinstance(settings.feed, Syslog | Journal)
    groups = _spooled(window, settings, now) if is_spooled else _lines(window, settings, now)
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
    if not window.from_ and lines.texts[0].startswith(_MARK):
        _without_mark(lines, window)
    if settings.joining is not None and not window.cut:
        join = _unwrap if settings.joining.wrapping else _join
        lines = join(lines, window, settings.joining)
    levels = severities(lines.firsts, settings.severity)
    moments = times(lines.whens, now)
    refined = refine(lines.texts, settings.refining)
    raw = refined.raw(lines.raw, lines.texts, [window.from_, *lines.ends])
    if window.cut:
        refined.mark_cut(window.cut.length, window.cut.sha256)
    programs = repeat((None, None)) if settings.service else refined.programs(map(program, lines.firsts))
    fields, conversations = _fields(refined.fields, lines, window), refined.conversations
    own_service = settings.service or service_of(window.container or {})
    groups: dict[Label, _Group] = {}
    now_ms, received = int(now * 1000), rfc3339(now)
    pos, service, host = window.from_, own_service, settings.host
    columns = zip(refined.texts, lines.ends, levels, moments, programs, strict=False)  # `repeat` has no end
    for index, (text, end, (level, severity_from), (ts, ms), (app, pid)) in enumerate(columns):
        if not own_service:
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
                lines=lines.starts.get(index) if lines.starts else None,
            )
        )
        pos = end
    return groups


def _fields(refined: Mapping[int, dict[str, Any]], lines: _Lines, window: Window) -> Mapping[int, dict[str, Any]]:
    """What is known of each record beside its message: from it, from its wrapping, and of its container."""
    if not (lines.fields or window.container):
        return refined
    common = {"container": window.container} if window.container else {}
    every = range(len(lines.texts)) if common else refined.keys() | lines.fields.keys()
    return {index: {**refined.get(index, {}), **common, **lines.fields.get(index, {})} for index in every}


def _spooled(window: Window, settings: Input, now: float) -> dict[Label, _Group]:
    """The records of a window of a spool of syslog messages, or of entries of a journal."""
    read = _entry if isinstance(settings.feed, Journal) else _message
    groups: dict[Label, _Group] = {}
    pos = window.from_
    for line in split_lines(window.data):
        record, filed = read(line, settings, now, (window.source, pos))
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
    said = parse(text, is_local=envelope.local)
    level, severity_from = (said.severity, STATED) if said.severity else severity(said.message, settings.severity)
    stated = moment(said.time, envelope.received) if said.time else None
    ts, ms = stated or times(["" if said.time else said.message], envelope.received)[0]
    received_ms = int(envelope.received * 1000)
    far = abs(ms - received_ms) > DAY * 1000
    said, content, refined = refine_message(text, said, content, settings.refining)
    exact = content if content.endswith(b"\n") else content + b"\n"
    if envelope.length:
        refined.mark_cut(envelope.length, envelope.sha256)
    fields, conversation, sd = from_application(said.sd)
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
        facility=said.facility or _UNSTATED,
        app=said.app,
        pid=said.pid,
        msgid=said.msgid,
        sd=sd,
        fields={**(fields or {}), **refined.fields.get(0, {})} or None,
        conversation=conversation or refined.conversations.get(0),
        raw=None if said.message.encode() + b"\n" == exact else base64.b64encode(exact).decode(),
    )
    return record, received_ms if far else ms


def _entry(line: bytes, settings: Input, now: float, place: tuple[str, int]) -> tuple[Record, int]:
    """The record of one entry of a journal, and the time in ms that it is filed by."""
    assert isinstance(settings.feed, Journal)
    said = journal.parse(line, settings.feed.max_line, settings.severity)
    received = said.received or now
    stated = said.stated or received
    far = abs(stated - received) > DAY
    refined = refine_entry(said.message, said.fields, settings.refining)
    if said.length:
        refined.mark_cut(said.length, said.sha256)
    is_exact = refined.changed or said.message.encode() == said.exact
    record = Record(
        ts=rfc3339(stated),
        service=settings.service or settings.services.of(said.app, said.facility),
        host=settings.feed.host or said.host or settings.host,
        severity=said.severity,
        message=refined.texts[0],
        source=place[0],
        pos=place[1],
        end=place[1] + len(line),
        received=rfc3339(received) if far else None,
        severity_from=said.severity_from,
        facility=said.facility,
        app=said.app,
        pid=said.pid,
        msgid=said.msgid,
        fields=refined.fields.get(0),
        conversation=refined.conversations.get(0),
        raw=None if is_exact else base64.b64encode(said.exact + b"\n").decode(),
    )
    return record, int((received if far else stated) * 1000)


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
        texts = data.decode().replace("\r\n", "\n").split("\n")[: len(pieces)]
        return _Lines(texts, ends, {}, texts, {}, texts)
    except UnicodeDecodeError:
        exact = [piece + b"\n" for piece in pieces[:-1]]
        exact.append(data[sum(map(len, exact)) :])
        return _decode_each(exact, ends)


def _without_mark(lines: _Lines, window: Window) -> None:
    """A byte order mark at the beginning of a file is no text."""
    exact = window.data if window.cut else window.data[: lines.ends[0]]
    lines.raw.setdefault(0, base64.b64encode(exact).decode())
    lines.texts[0] = lines.texts[0].removeprefix(_MARK)


def _decode_each(exact: list[bytes], ends: list[int]) -> _Lines:
    """Lines of which at least one is not UTF-8."""
    texts: list[str] = []
    raw: dict[int, str] = {}
    for index, line in enumerate(exact):
        content = line[:-2] if line.endswith(b"\r\n") else line.removesuffix(b"\n")
        try:
            texts.append(content.decode())
        except UnicodeDecodeError:
            texts.append(content.decode(errors="replace"))
            raw[index] = base64.b64encode(line).decode()
    return _Lines(texts, ends, raw, texts, {}, texts)


def _join(lines: _Lines, window: Window, joining: Joining) -> _Lines:
    """Records of one line or several."""
    data, begin = window.data, window.from_
    begins = heads(data.removesuffix(b"\n").split(b"\n"), joining)
    if len(begins) == len(lines.texts):
        return lines
    positions = [begin, *lines.ends]
    firsts = [lines.texts[first] for first in begins]
    joined = _Lines([], [], {}, firsts, {}, firsts)
    for number, (first, following) in enumerate(pairwise([*begins, len(lines.texts)])):
        text = "\n".join(lines.texts[first:following])
        exact = data[positions[first] - begin : positions[following] - begin]
        if exact not in (text.encode() + b"\n", text.encode()) and (following > first + 1 or first in lines.raw):
            joined.raw[number] = base64.b64encode(exact).decode()
        if following > first + 1:
            joined.starts[number] = positions[first:following]
        joined.texts.append(text)
        joined.ends.append(positions[following])
    return joined


def _unwrap(lines: _Lines, window: Window, joining: Joining) -> _Lines:
    """Records of what a container's program wrote, put together again."""
    pieces = window.data.removesuffix(b"\n").split(b"\n")
    positions = [window.from_, *lines.ends]
    whole = _Lines([], [], {}, [], {}, [])
    for number, (first, following) in enumerate(pairwise([*heads(pieces, joining), len(pieces)])):
        unwrapped = [unwrap(piece, joining.wrapping) for piece in pieces[first:following]]
        content = _content(unwrapped)
        text = content.decode(errors="replace")
        if text.encode() != content:
            whole.raw[number] = base64.b64encode(content + b"\n").decode()
        if following > first + 1:
            whole.starts[number] = positions[first:following]
        begin = text.partition("\n")[0]
        whole.texts.append(text)
        whole.ends.append(positions[following])
        whole.firsts.append(begin)
        whole.whens.append(unwrapped[0].time or begin)
        if unwrapped[0].stream:
            whole.fields[number] = {"stream": unwrapped[0].stream, **(unwrapped[0].attributes or {})}
    return whole


def _content(unwrapped: Sequence[Unwrapped]) -> bytes:
    """The lines, with a newline between two unless the first of them is only a piece."""
    return b"".join(each.content if each.is_partial else each.content + b"\n" for each in unwrapped).removesuffix(b"\n")
