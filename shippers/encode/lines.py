"""A window of a source -> the texts of its records: split, joined and unwrapped as its input says. Pure.

In comes what a source held between two positions; out go texts, where each ends, and what cannot be had back from it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from operator import add
from typing import Any

from logrouter.wire.record import message_and_raw
from logrouter.wire.truncated import Truncated
from shippers.parse.container_formats import Unwrapped, unwrap
from shippers.parse.multiline import Joining, heads

_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Window:
    """Whole lines of a source: its bytes `[from_, to)` are `data`; with `cut`, `data` is the beginning of one line.

    container: what is known of the container that wrote them.   hole: NULs in front of `data`.
    after: of the first window of a source, the source before it in its log, and up to where that had been read.
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
        """Where `data` begins."""
        return self.from_ + self.hole

    def rest(self, position: int) -> Window:
        """What of it begins there."""
        data = self.data[position - self.begin :]
        return Window(self.source, self.start, position, self.to, data, container=self.container)


@dataclass(frozen=True, slots=True)
class Lines:
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


def lines_of(window: Window, joining: Joining | None) -> Lines:
    """The texts of a window."""
    lines = _split(window)
    if not window.from_ and lines.texts[0].startswith(_MARK):
        _without_mark(lines, window)
    if joining is None or window.cut:
        return lines
    return (_unwrap if joining.wrapping else _join)(lines, window, joining)


def _split(window: Window) -> Lines:
    """Each newline-terminated range is a line, an empty one too, and so is what follows the last newline.

    A cut line is given a newline in place of what it lost, so that it stays a line of its own.
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
    """Where each of so many lines ends, of which these are the bytes, or as many characters."""
    ends = list(map(add, accumulate(map(len, pieces)), range(window.begin + 1, window.begin + 1 + count)))
    ends[-1] = window.to
    return ends


def _without_mark(lines: Lines, window: Window) -> None:
    """A byte order mark at the beginning of a file is no text."""
    exact = window.data if window.cut else window.data[: lines.ends[0] - window.begin]
    lines.raw.setdefault(0, base64.b64encode(exact).decode())
    lines.texts[0] = lines.texts[0].removeprefix(_MARK)


def _decode_each(data: bytes, window: Window) -> Lines:
    """Lines of which at least one is not UTF-8."""
    pieces = data.split(b"\n")
    rest = pieces.pop()
    exact = [piece + b"\n" for piece in pieces] + ([rest] if rest else [])
    ends = _ends([*pieces, rest], len(exact), window)
    found = [message_and_raw(line) for line in exact]
    texts = [text for text, _ in found]
    raw = {index: each for index, (_, each) in enumerate(found) if each is not None}
    return Lines(texts, ends, raw, texts, {}, texts)


def _join(lines: Lines, window: Window, joining: Joining) -> Lines:
    """Records of one line or several."""
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
    """Records of what a container's program wrote, put together again."""
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
        whole.whens.append(unwrapped[0].time or begin)
        if unwrapped[0].stream:
            attributes = {"attributes": unwrapped[0].attributes} if unwrapped[0].attributes else {}
            whole.fields[number] = {"stream": unwrapped[0].stream, **attributes}
    return whole


def _content(unwrapped: Sequence[Unwrapped]) -> bytes:
    """The lines, with a newline between two unless the first of them is only a piece."""
    return b"".join(each.content if each.is_partial else each.content + b"\n" for each in unwrapped).removesuffix(b"\n")
