"""How a running `up` is doing, in a few lines for people: numbers in, text out. Pure.

`rows` is for a terminal of any width, `sentence` for a log.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from logrouter.support.terminal import printable

SPAN = 5.0
"""Seconds over which the rate is a mean."""

LABEL = 10
"""Columns of a row's name."""

_SEPARATOR = " · "

_QUIET_SECONDS = 60.0
"""A log says how things are at least so often, changed or not."""

_SERVICES, _DESTINATIONS = 6, 6
"""In a log's sentence, whose width nobody limits."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The numbers at one moment.

    uptime: seconds.   lines: routed so far, by service.   destinations: lines by destination; a line may go to several.
    repeated: lines that came again and were dropped.      rate: lines a second, a short mean.
    behind: bytes of files that are not safe yet.          in_hand: lines read of these, not confirmed yet.
    mails: delivered.
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
        """Lines in."""
        return sum(self.lines.values())

    @property
    def work(self) -> tuple[object, ...]:
        """What differs from an earlier moment's if anything happened between the two."""
        return self.lines, self.destinations, self.repeated, self.behind, self.in_hand, self.mails


@dataclass(frozen=True, slots=True)
class Places:
    """Where things go. mail: '' where no destination sends any.   listen: the command for another terminal."""

    archive: str
    listen: str
    mail: str = ""


class Rate:
    """Lines a second over the last few seconds, from totals."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, now: float, total: int) -> float:
        """The rate, given the total of this moment (seconds on any clock)."""
        self._seen.append((now, total))
        while len(self._seen) > 2 and now - self._seen[1][0] >= SPAN:
            self._seen.popleft()
        since, before = self._seen[0]
        return (total - before) / (now - since) if now > since else 0.0


def rows(snapshot: Snapshot, places: Places, width: int) -> list[tuple[str, str]]:
    """(name, text) of each row; no row is wider than `width` columns, name included."""
    room = max(width - LABEL, 1)
    found = [
        ("lines in", first_fitting([_number(snapshot.total), _rate(snapshot.rate), *_repeated(snapshot)], room)),
        ("from", fitted(_largest(snapshot.lines), room)),
        ("to", fitted(_largest(snapshot.destinations), room)),
        ("waiting", first_fitting(_waiting(snapshot), room)),
    ]
    if places.mail:
        mails = f"{_number(snapshot.mails)} sent" if snapshot.mails else "none yet"
        found.append(("mail", first_fitting([mails, ending(places.mail, max(room - len(mails) - 3, 8))], room)))
    found.append(("archive", ending(places.archive, room)))
    found.append(("listen", ending(places.listen, room)))
    return found


def title(snapshot: Snapshot, width: int) -> str:
    """The line above the rows, at most `width` columns."""
    hint = "Ctrl-C ends it"
    begin = f"── logrouter up {duration(snapshot.uptime)} "
    line = max(width - len(begin) - len(hint) - 4, 0)
    whole = f"{begin}{'─' * line} {hint} ──" if line else begin
    return whole[:width]


def sentence(snapshot: Snapshot, places: Places) -> str:
    """How things are, on one line."""
    return "; ".join([*_done(snapshot, places), _rate(snapshot.rate), *_waiting(snapshot)])


def closing(snapshot: Snapshot, places: Places) -> str:
    """The last line: what was done, what is left, and where it all is."""
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
    """Whether a log is to say how things are: something has changed since it last did, or that is a minute ago."""
    return now.work != last.work or now.uptime - last.uptime >= _QUIET_SECONDS


def fitted(items: Sequence[str], room: int) -> str:
    """As many items as there is room for, and how many more there are."""
    for shown in range(len(items), 0, -1):
        rest = [f"+{len(items) - shown} more"] if shown < len(items) else []
        text = _SEPARATOR.join([*items[:shown], *rest])
        if len(text) <= room:
            return text
    return first_fitting(items, room)


def first_fitting(items: Sequence[str], room: int) -> str:
    """As many items as there is room for; the first as far as it goes."""
    for shown in range(len(items), 0, -1):
        text = _SEPARATOR.join(items[:shown])
        if len(text) <= room:
            return text
    return f"{items[0][: room - 1]}…"


def ending(text: str, room: int) -> str:
    """The text, or its end where there is no room: of a path the end says most."""
    text = printable(text)
    return text if len(text) <= room else f"…{text[len(text) - room + 1 :]}"


def duration(seconds: float) -> str:
    """`42 s`, `3 min 12 s`, `2 h 5 min`, `4 d 2 h`."""
    whole = int(seconds)
    for size, name, smaller, smaller_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // smaller} {smaller_name}"
    return f"{whole} s"


def size(count: int) -> str:
    """`870 bytes`, `1.2 MiB`."""
    value = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def counted(count: int, what: str) -> str:
    """`1 file`, `1,200 files`."""
    return f"{_number(count)} {what}" if count == 1 else f"{_number(count)} {what}s"


def _number(count: int) -> str:
    return f"{count:,}"


def _rate(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 10 or not rate else f"{rate:.1f}/s"


def _repeated(snapshot: Snapshot) -> list[str]:
    return [f"{_number(snapshot.repeated)} came again, dropped"] if snapshot.repeated else []


def _waiting(snapshot: Snapshot) -> list[str]:
    if not snapshot.behind:
        return ["nothing waits"]
    in_hand = [f"{counted(snapshot.in_hand, 'line')} in hand"] if snapshot.in_hand else []
    return [f"{size(snapshot.behind)} not safe yet", *in_hand]


def _largest(counts: Mapping[str, int]) -> list[str]:
    """The largest first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [f"{printable(name)} {_number(count)}" for name, count in ordered] or ["nothing yet"]


def _top(counts: Mapping[str, int], most: int) -> list[str]:
    items = _largest(counts)
    return items if len(items) <= most else [*items[: most - 1], f"{len(items) - most + 1} more"]
