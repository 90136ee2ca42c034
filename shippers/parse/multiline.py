"""Find the lines that begin a record, where records have several lines. Pure.

Records are found by a pattern of the user, or by the stack traces of Python, Java (and other languages on its virtual
machine), Go and Node. Without a pattern, an indented line always continues the record before it. A trace continues the
record before it if the previous line reports trouble, as it does when a logger is given an exception. Otherwise the
trace is a record of its own.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from logrouter.support.regex import compile_regex
from shippers.parse.container_formats import unwrap

NEAR = 1024
"""Bytes of a line that are examined."""


@dataclass(frozen=True, slots=True)
class Joining:
    """The way in which an input's lines form records.

    traces: names in TRACES.   begins: an RE2 pattern that the first line of each record matches.   continues: an RE2
    pattern that every other line matches.   flush: seconds for which a last record waits for more lines.
    wrapping: the format of the container engine, '' for none.   is_only_wrapped: join only the pieces of lines that
    the engine split.
    """

    traces: tuple[str, ...] = ()
    begins: str = ""
    continues: str = ""
    flush: float = 1.0
    wrapping: str = ""
    is_only_wrapped: bool = False


@dataclass(frozen=True, slots=True)
class _Trace:
    """Patterns for the lines of a trace.

    opens: its first line.   inside: lines that continue it without being indented.
    links: a line that leads to another trace of the same record. A trace that has this pattern includes one more line
    at its end, the first that is neither indented nor `inside`.
    """

    opens: re.Pattern[bytes]
    inside: re.Pattern[bytes]
    links: re.Pattern[bytes] | None = None


class _State(Enum):
    OPEN = auto()  # within a trace
    OVER = auto()  # after its last line; a link may follow
    LINKED = auto()  # after a link; a trace has to follow


TRACES: Mapping[str, _Trace] = {
    "python": _Trace(
        re.compile(rb"Traceback \(most recent call last\):"),
        re.compile(rb"(?!)"),
        re.compile(rb"During handling of the above exception, |The above exception was the direct cause "),
    ),
    "java": _Trace(
        re.compile(rb'(?:Exception in thread "[^"]*" )?(?:[A-Za-z_$][\w$]*\.)+[\w$]*(?:Exception|Error|Throwable)\b'),
        re.compile(rb"Caused by: |\.\.\. \d+ "),
    ),
    "go": _Trace(
        re.compile(rb"panic: |fatal error: |goroutine \d+ \["),
        re.compile(
            rb"$|panic: |\[signal |goroutine \d+ |created by |exit status \d|[\w./*(){}\[\]-]+\([^ ]*(?:, [^ ]*)*\)$"
        ),
    ),
    "node": _Trace(
        re.compile(rb"(?:Uncaught )?\w*(?:Error|Exception)(?: \[\w+\])?(?::|$)|/[^ :]+\.[cm]?js:\d+$"),
        re.compile(rb"\}|Node\.js v\d|$"),
    ),
}

_TROUBLE = re.compile(rb"\b(?:WARN(?:ING)?|ERR(?:OR)?|CRIT(?:ICAL)?|FATAL|SEVERE|ALERT|EMERG|[Ee]rror|fatal|panic)\b")
_BLANK = b" \t"


def heads(lines: Sequence[bytes], joining: Joining) -> list[int]:
    """Return the indexes of the lines that begin a record. The first line always does.

    lines: without their newlines.
    """
    if not joining.wrapping:
        return list(_begins(lines, joining))
    unwrapped = [unwrap(line, joining.wrapping) for line in lines]
    begins = _begins([each.content for each in unwrapped], joining)
    own = {index for index in begins if not (index and unwrapped[index - 1].is_partial)}
    changes = (index for index in range(1, len(lines)) if unwrapped[index - 1].stream != unwrapped[index].stream)
    return sorted(own.union(changes))  # an engine may interleave the two streams of a program


def last_record_start(content: bytes, joining: Joining) -> int:
    """Return the offset at which the last record begins; the length of `content` if that record is already complete.

    content: complete lines, the first of which begins a record.
    """
    lines = content.removesuffix(b"\n").split(b"\n")
    if joining.is_only_wrapped and not unwrap(lines[-1], joining.wrapping).is_partial:
        return len(content)
    return sum(map(len, lines[: (last := heads(lines, joining)[-1])])) + last


def _begins(lines: Sequence[bytes], joining: Joining) -> Iterable[int]:
    if joining.is_only_wrapped:
        return range(len(lines))
    begins = _by_pattern(joining) or functools.partial(_by_traces, joining.traces)
    return begins(lines)


def _by_pattern(joining: Joining) -> Callable[[Sequence[bytes]], Iterator[int]] | None:
    pattern = joining.begins or joining.continues
    if not pattern:
        return None
    search, found = _compiled(pattern), bool(joining.begins)

    def begins(lines: Sequence[bytes]) -> Iterator[int]:
        for index, line in enumerate(lines):
            if not index or (search(line[:NEAR].decode(errors="replace")) is not None) == found:
                yield index

    return begins


@functools.lru_cache(maxsize=64)
def _compiled(pattern: str) -> Callable[[str], object]:
    search: Callable[[str], object] = compile_regex(pattern).search
    return search


def _by_traces(names: Sequence[str], lines: Sequence[bytes]) -> Iterator[int]:
    traces = [TRACES[name] for name in names]
    trace: _Trace | None = None
    state: _State | None = None
    before = b""
    for index, line in enumerate(lines):
        if not (index and line[:1] and line[:1] in _BLANK):
            state = _next(trace, state, line) if trace and state else None
            if state is None:
                trace = next((each for each in traces if each.opens.match(line)), None)
                state = _State.OPEN if trace else None
                if not (index and trace and _TROUBLE.search(before, 0, NEAR)):
                    yield index
        before = line


def _next(trace: _Trace, state: _State, line: bytes) -> _State | None:
    """Return the state after a line that is not indented; None if the line is not part of the trace."""
    if state is _State.OPEN:
        if trace.inside.match(line, 0, NEAR):
            return state
        return _State.OVER if trace.links else None
    if not line.strip():
        return state
    if state is _State.LINKED:
        return _State.OPEN if trace.opens.match(line) else None
    return _State.LINKED if trace.links and trace.links.match(line) else None
