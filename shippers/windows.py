"""A window of a source -> the parts that are published: one for each (service, host, severity) in it. Pure.

In comes what a source held between two positions, with the settings of its input and the time it was read; out go
parts whose records rebuild every byte of it (`logrouter.record.original`), save for lines that had to be cut.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal

from logrouter.batch import Part
from logrouter.keys import routing_key
from logrouter.record import Record, encode_lines, rfc3339
from shippers.parsing.severity import severities
from shippers.parsing.time import DAY, times

COMPRESSED = ("*.gz", "*.bz2", "*.xz", "*.zst", "*.lz4", "*.zip", "*.Z")


@dataclass(frozen=True, slots=True)
class Input:
    """What to follow, and how its lines are labelled.

    globs: absolute paths with `*`, `?`, `[...]`, `**`.     exclude: patterns of names (or of paths, with a `/`).
    host: '' stands for the agent's.                        severity: of lines that state none.
    read_from: where files that are there at the first start begin: "start", or so many bytes from their end.
    max_line: bytes without the newline; of a longer line the first `max_line` are kept and it is marked as cut.
    """

    service: str
    globs: tuple[str, ...]
    host: str = ""
    severity: str = "info"
    read_from: int | Literal["start"] = "start"
    max_line: int = 1 << 20
    exclude: tuple[str, ...] = COMPRESSED


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


def parts(window: Window, settings: Input, now: float) -> tuple[Part, ...]:
    """The parts of a window in the order in which they first appear in it; `now` is when it was read (Unix time)."""
    groups = _groups(window, settings, now)
    keys = tuple(routing_key(settings.service, settings.host, severity) for severity in groups)
    return tuple(
        Part(
            source=window.source,
            start=window.start,
            from_=window.from_,
            to=window.to,
            part=number,
            keys=keys,
            service=settings.service,
            host=settings.host,
            severity=severity,
            count=len(group.records),
            first=min(group.filed),
            last=max(group.filed),
            body=encode_lines(group.records),
        )
        for number, (severity, group) in enumerate(groups.items())
    )


def _groups(window: Window, settings: Input, now: float) -> dict[str, _Group]:
    lines = _split(window)
    levels = severities(lines.texts, settings.severity)
    moments = times(lines.texts, now)
    fields = {"cut": {"length": window.cut.length, "sha256": window.cut.sha256}} if window.cut else None
    groups: dict[str, _Group] = {}
    now_ms, received = int(now * 1000), rfc3339(now)
    pos = window.from_
    columns = zip(lines.texts, lines.ends, levels, moments, strict=True)
    for index, (text, end, (severity, severity_from), (ts, ms)) in enumerate(columns):
        far = abs(ms - now_ms) > DAY * 1000
        group = groups.get(severity)
        if group is None:
            group = groups[severity] = _Group()
        group.filed.append(now_ms if far else ms)
        group.records.append(
            Record(
                ts=ts,
                service=settings.service,
                host=settings.host,
                severity=severity,
                message=text,
                source=window.source,
                pos=pos,
                end=end,
                received=received if far else None,
                severity_from=severity_from,
                fields=fields,
                raw=lines.raw.get(index),
            )
        )
        pos = end
    return groups


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
