"""Splits a window of a source into the texts of its records, joined and unwrapped as its input says. Pure.

Each text comes with its end position, and with its exact bytes if they cannot be rebuilt from the text.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from operator import add
from typing import Any

from logrouter.wire.record import split_raw
from logrouter.wire.truncated import Truncated
from shippers.parse.container_formats import Unwrapped, unwrap
from shippers.parse.multiline import Joining, heads

_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Window:
    """Whole lines of a source: `data` holds its bytes `[from_, to)`.

    start: where the first window of the source began.
    cut: the length and hash of a line that was truncated. `data` is the beginning of that one line.
    container: what is known of the container that wrote the lines.   hole: how many NULs are left out before `data`.
    after: for the first window of a source, the source before it in its log and the position up to which that was read.
    """

    source: str
    start: int
    from_: int
    to: int
    data: bytes
    cut: Truncated | None = None
    container: Mapping[str, Any] | None = None
    hole: int = 0
    after: tuple[str, int] | None = None

    @property
    def begin(self) -> int:
        """The position in the source where `data` begins."""
        return self.from_ + self.hole

    def rest(self, position: int) -> Window:
        """Return the window that begins at `position` and ends where this one ends."""
        data = self.data[position - self.begin :]
        return Window(self.source, self.start, position, self.to, data, container=self.container)


@dataclass(frozen=True, slots=True)
class Lines:
    """The columns from which records are made, one item for each record. Mappings are by its index.

    texts: the messages.   ends: where each record ends in the source.   raw: the exact bytes (base64) of texts from
    which they cannot be rebuilt.   firsts: the first line of each, from which severity and program are read.
    starts: where each line begins, for records of several lines.
    whens: the line, or the part of it, from which the time is read.   fields: additional fields.
    """

    texts: list[str]
    ends: list[int]
    raw: dict[int, str]
    firsts: list[str]
    starts: dict[int, list[int]]
    time_texts: list[str]
    fields: dict[int, dict[str, Any]] = field(default_factory=dict)


def lines_of(window: Window, joining: Joining | None) -> Lines:
    """Return the texts of a window. joining: None if each line is a record."""
    lines = _split(window)
    if not window.from_ and lines.texts[0].startswith(_MARK):
        _without_mark(lines, window)
    if joining is None or window.cut:
        return lines
    return (_unwrap if joining.wrapping else _join)(lines, window, joining)


def _split(window: Window) -> Lines:
    """Split at newlines. Empty lines count, and so does what follows the last newline.

    A truncated line gets a newline in place of the rest, so that it remains a line of its own.
    """
    data = window.data + b"\n" if window.cut else window.data
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return _decode_each(data, window)
    texts = text.split("\n")
    if not texts[-1]:
        texts.pop()
    ends = _ends(texts if text.isascii() else data.split(b"\n"), len(texts), window)
    if "\r" in text:
        rest = "" if text.endswith("\n") else texts.pop()
        texts = [each.removesuffix("\r") for each in texts] + ([rest] if rest else [])
    return Lines(texts, ends, {}, texts, {}, texts)


def _ends(pieces: Sequence[str | bytes], count: int, window: Window) -> list[int]:
    """Return where each of `count` lines ends. pieces: the lines, as bytes or as text of ASCII, where lengths agree."""
    ends = list(map(add, accumulate(map(len, pieces)), range(window.begin + 1, window.begin + 1 + count)))
    ends[-1] = window.to
    return ends


def _without_mark(lines: Lines, window: Window) -> None:
    """Remove a byte order mark from the first text, and keep its exact bytes."""
    exact = window.data if window.cut else window.data[: lines.ends[0] - window.begin]
    lines.raw.setdefault(0, base64.b64encode(exact).decode())
    lines.texts[0] = lines.texts[0].removeprefix(_MARK)


def _decode_each(data: bytes, window: Window) -> Lines:
    """Split data of which at least one line is not UTF-8, line by line."""
    pieces = data.split(b"\n")
    rest = pieces.pop()
    exact = [piece + b"\n" for piece in pieces] + ([rest] if rest else [])
    ends = _ends([*pieces, rest], len(exact), window)
    found = [split_raw(line) for line in exact]
    texts = [text for text, _ in found]
    raw = {index: each for index, (_, each) in enumerate(found) if each is not None}
    return Lines(texts, ends, raw, texts, {}, texts)


def _join(lines: Lines, window: Window, joining: Joining) -> Lines:
    """Join lines to records of one or several lines."""
    data, begin = window.data, window.begin
    begins = heads(data.removesuffix(b"\n").split(b"\n"), joining)
    if len(begins) == len(lines.texts):
        return lines
    positions = [begin, *lines.ends]
    firsts = [lines.texts[first] for first in begins]
    joined = Lines([], [], {}, firsts, {}, firsts)
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


def _unwrap(lines: Lines, window: Window, joining: Joining) -> Lines:
    """Restore the records that a program in a container wrote, from the lines that the engine wrapped or split."""
    pieces = window.data.removesuffix(b"\n").split(b"\n")
    positions = [window.begin, *lines.ends]
    whole = Lines([], [], {}, [], {}, [])
    for number, (first, following) in enumerate(pairwise([*heads(pieces, joining), len(pieces)])):
        unwrapped = [unwrap(piece, joining.wrapping) for piece in pieces[first:following]]
        content = _content(unwrapped)
        text = content.decode(errors="replace").replace("\r\n", "\n").removesuffix("\r")
        if text.encode() != content:
            whole.raw[number] = base64.b64encode(content + b"\n").decode()
        if following > first + 1:
            whole.starts[number] = positions[first:following]
        begin = text.partition("\n")[0]
        whole.texts.append(text)
        whole.ends.append(positions[following])
        whole.firsts.append(begin)
        whole.time_texts.append(unwrapped[0].time or begin)
        if unwrapped[0].stream:
            attributes = {"attributes": unwrapped[0].attributes} if unwrapped[0].attributes else {}
            whole.fields[number] = {"stream": unwrapped[0].stream, **attributes}
    return whole


def _content(unwrapped: Sequence[Unwrapped]) -> bytes:
    """Return the lines as one, separated by newlines except where a line is only a piece that continues."""
    return b"".join(each.content if each.is_partial else each.content + b"\n" for each in unwrapped).removesuffix(b"\n")
