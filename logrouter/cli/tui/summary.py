"""Formats the numbers of a running `up`: as rows for a terminal of any width, or as a sentence for a log. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from logrouter.support.terminal import printable

SPAN = 5.0
"""Seconds over which the rate is averaged."""

LABEL = 10
"""Columns for the name of a row."""

_SEPARATOR = " · "

_QUIET_SECONDS = 60.0
"""A log gets a summary at least this often, even if nothing changed."""

_SERVICES, _DESTINATIONS = 6, 6
"""The most that the sentence for a log names, because its width has no limit."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The numbers at one moment.

    uptime: seconds.   lines: routed so far, by service.   destinations: lines by destination; a line may go to several.
    repeated: duplicate lines that were discarded.         rate: lines a second, averaged over SPAN.
    behind: bytes that are not confirmed yet.              in_hand: lines that were read and are not confirmed yet.
    mails: delivered so far.
    """

    uptime: float = 0.0
    lines: Mapping[str, int] = field(default_factory=dict)
    destinations: Mapping[str, int] = field(default_factory=dict)
    repeated: int = 0
    rate: float = 0.0
    behind: int = 0
    in_hand: int = 0
    mails: int = 0

    @property
    def total(self) -> int:
        """The number of lines routed so far."""
        return sum(self.lines.values())

    @property
    def work(self) -> tuple[object, ...]:
        """A value that differs between two snapshots if anything happened between them."""
        return self.lines, self.destinations, self.repeated, self.behind, self.in_hand, self.mails


@dataclass(frozen=True, slots=True)
class Places:
    """Where results go. mail: '' if no destination sends mail.   listen: the command to run in another terminal."""

    archive: str
    listen: str
    mail: str = ""


class Rate:
    """Computes lines a second over the last few seconds, from totals."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, now: float, total: int) -> float:
        """Add the total at `now` (seconds on any clock), and return the rate."""
        self._seen.append((now, total))
        while len(self._seen) > 2 and now - self._seen[1][0] >= SPAN:
            self._seen.popleft()
        since, before = self._seen[0]
        return (total - before) / (now - since) if now > since else 0.0


def rows(snapshot: Snapshot, places: Places, width: int) -> list[tuple[str, str]]:
    """Return (name, text) of each row. No row is wider than `width` columns, including its name."""
    room = max(width - LABEL, 1)
    found = [
        ("lines in", first_fitting([_number(snapshot.total), _rate(snapshot.rate), *_repeated(snapshot)], room)),
        ("from", fitted(_largest(snapshot.lines), room)),
        ("to", fitted(_largest(snapshot.destinations), room)),
        ("pending", first_fitting(_waiting(snapshot), room)),
    ]
    if places.mail:
        mails = f"{_number(snapshot.mails)} sent" if snapshot.mails else "none yet"
        found.append(("mail", first_fitting([mails, ending(places.mail, max(room - len(mails) - 3, 8))], room)))
    found.append(("archive", ending(places.archive, room)))
    found.append(("listen", ending(places.listen, room)))
    return found


def title(snapshot: Snapshot, width: int) -> str:
    """Return the line above the rows, at most `width` columns wide."""
    hint = "Ctrl-C to stop"
    begin = f"── logrouter up {duration(snapshot.uptime)} "
    line = max(width - len(begin) - len(hint) - 4, 0)
    whole = f"{begin}{'─' * line} {hint} ──" if line else begin
    return whole[:width]


def sentence(snapshot: Snapshot, places: Places) -> str:
    """Return the summary as one line."""
    return "; ".join([*_done(snapshot, places), _rate(snapshot.rate), *_waiting(snapshot)])


def closing(snapshot: Snapshot, places: Places) -> str:
    """Return the last summary: what was done, what is left, and where the archives are."""
    left = _waiting(snapshot) if snapshot.behind else []
    return "; ".join([*_done(snapshot, places), *left, f"archives are under {places.archive}"])


def _done(snapshot: Snapshot, places: Places) -> list[str]:
    done = f"{counted(snapshot.total, 'line')} in {duration(snapshot.uptime)}"
    if snapshot.lines:
        done += f" ({', '.join(_top(snapshot.lines, _SERVICES))})"
    to = [f"to {', '.join(_top(snapshot.destinations, _DESTINATIONS))}"] if snapshot.destinations else []
    mails = [f"{counted(snapshot.mails, 'mail')} {places.mail}"] if snapshot.mails else []
    return [done, *to, *mails, *_repeated(snapshot)]


def is_due(last: Snapshot, now: Snapshot) -> bool:
    """Report whether a log needs a new summary: something has changed since the last one, or it is a minute old."""
    return now.work != last.work or now.uptime - last.uptime >= _QUIET_SECONDS


def fitted(items: Sequence[str], room: int) -> str:
    """Return as many items as fit into `room` columns, and the number of the rest."""
    for shown in range(len(items), 0, -1):
        rest = [f"+{len(items) - shown} more"] if shown < len(items) else []
        text = _SEPARATOR.join([*items[:shown], *rest])
        if len(text) <= room:
            return text
    return first_fitting(items, room)


def first_fitting(items: Sequence[str], room: int) -> str:
    """Return as many items as fit into `room` columns. The first is truncated if it does not fit."""
    for shown in range(len(items), 0, -1):
        text = _SEPARATOR.join(items[:shown])
        if len(text) <= room:
            return text
    return f"{items[0][: room - 1]}…"


def ending(text: str, room: int) -> str:
    """Return the text, or its end if it does not fit: the end of a path is the part that matters."""
    text = printable(text)
    return text if len(text) <= room else f"…{text[len(text) - room + 1 :]}"


def duration(seconds: float) -> str:
    """Return a text such as `42 s`, `3 min 12 s`, `2 h 5 min` or `4 d 2 h`."""
    whole = int(seconds)
    for size, name, smaller, smaller_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // smaller} {smaller_name}"
    return f"{whole} s"


def size(count: int) -> str:
    """Return a text such as `870 bytes` or `1.2 MiB`."""
    value = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def counted(count: int, what: str) -> str:
    """Return a text such as `1 file` or `1,200 files`."""
    return f"{_number(count)} {what}" if count == 1 else f"{_number(count)} {what}s"


def _number(count: int) -> str:
    return f"{count:,}"


def _rate(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 10 or not rate else f"{rate:.1f}/s"


def _repeated(snapshot: Snapshot) -> list[str]:
    return [f"{counted(snapshot.repeated, 'duplicate')} discarded"] if snapshot.repeated else []


def _waiting(snapshot: Snapshot) -> list[str]:
    if not snapshot.behind:
        return ["nothing pending"]
    in_hand = [f"{counted(snapshot.in_hand, 'line')} in flight"] if snapshot.in_hand else []
    return [f"{size(snapshot.behind)} unconfirmed", *in_hand]


def _largest(counts: Mapping[str, int]) -> list[str]:
    """Return `name count` of each, the largest count first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [f"{printable(name)} {_number(count)}" for name, count in ordered] or ["nothing yet"]


def _top(counts: Mapping[str, int], most: int) -> list[str]:
    items = _largest(counts)
    return items if len(items) <= most else [*items[: most - 1], f"{len(items) - most + 1} more"]
