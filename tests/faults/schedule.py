"""What goes wrong and when: a seed in, a list of faults out. Pure, so that the seed replays it.

Kinds are dealt like cards from a shuffled deck, so that each has its turn even in a short run; when they come, whom
they hit and how long they last is drawn. Faults overlap, save that no two are on one target at a time.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from faults.proxy import Fault as LinkFault

RELOAD = "reload"
EMBEDDED, AMQP, LOSING = "embedded", "amqp", "losing"
"""Modes. In the last the broker loses what it has confirmed, and state directories are set back."""

_CODE = Path(__file__).parents[2]
_POINT = re.compile(r'reach\("([a-z.]+)"\)')

ERRORS = {
    "archive.write.before": "ENOSPC",
    "archive.sync.before": "EIO",
    "archive.directory.before": "EIO",
    "archive.rename.before": "EIO",
    "archive.link.before": "EIO",
    "archive.remove.before": "EIO",
    "archive.final.written": "ENOSPC",
    "state.write.before": "ENOSPC",
    "state.sync.before": "EIO",
    "state.rename.before": "EIO",
    "spool.named.before": "EIO",
    "spool.write.before": "ENOSPC",
    "spool.sync.before": "EIO",
}
"""Points before a call of the operating system that may fail, and how."""

_OF_SHIPPER = ("state.", "ship.", "spool.")

_DECK = {
    "kill": 8,
    "point": 12,
    "error": 4,
    "checkpoint": 2,
    "pause": 2,
    "full": 1,
    "limit": 1,
    "mail": 3,
    "rules": 2,
}
"""Kinds and how many of each in a deck."""

_AMQP_DECK = {"link": 12, "broker": 2, "broker pause": 1}
_LONG_DECK = {"long pause": 1, "long full": 1}
_LONG_AMQP_DECK = {"long link": 2, "alarm": 1}

_LOSING_DECK = {"kill": 4, "link": 4, "unbind": 3, "delete": 3, "purge": 3, "policy": 3, "restore": 1}

_TARGETS = {
    "broker": "broker",
    "broker pause": "broker",
    "alarm": "broker",
    "mail": "mail server",
    "unbind": "queue",
    "delete": "queue",
}
_PROCESSES = {"checkpoint": "ship", "restore": "ship", "rules": "run", "purge": "run", "policy": "run"}
"""Where one kind of fault has one target, in any mode or where shipper and router are two."""

_MAIL_FAULTS = [f"{verb} {answer}" for verb in ("EHLO", "MAIL", "RCPT", "DATA") for answer in ("451 no", "hang", "cut")]


@dataclass(frozen=True, slots=True)
class Fault:
    """at: seconds after the beginning.   target: a process, a link or a disk.   seconds: how long it lasts.

    detail: what the kind needs to know, such as the point to arm.
    """

    at: float
    kind: str
    target: str
    seconds: float
    detail: str = ""


def points() -> list[str]:
    """Every named point in the code."""
    code = (path for folder in ("logrouter", "shippers") for path in sorted((_CODE / folder).rglob("*.py")))
    return sorted({point for path in code for point in _POINT.findall(path.read_text())})


def make_schedule(seed: int, seconds: float, mode: str, *, is_long: bool) -> list[Fault]:
    """The faults of a run in the order in which they begin: one a second or so, half as many in a long run."""
    choose = random.Random(seed)
    dealer = _Dealer(choose, mode)
    deck = _deck(mode, is_long=is_long)
    faults: list[Fault] = []
    at = 0.5
    while at < seconds:
        faults.append(dealer.draw(at, dealer.deal("kinds", deck)))
        at += choose.expovariate(0.5 if is_long else 1.1)
    return faults


def _deck(mode: str, *, is_long: bool) -> list[str]:
    decks = [_LOSING_DECK] if mode == LOSING else [_DECK, _AMQP_DECK if mode == AMQP else {}]
    if is_long:
        decks += [_LONG_DECK, _LONG_AMQP_DECK if mode == AMQP else {}]
    return [kind for deck in decks for kind, number in deck.items() for _ in range(number)]


class _Dealer:
    """Draws the faults of one schedule."""

    def __init__(self, choose: random.Random, mode: str) -> None:
        self._choose = choose
        self._mode = mode
        self._decks: dict[str, list[str]] = {}

    def deal(self, name: str, cards: Sequence[str]) -> str:
        """One card of a deck, which is shuffled anew when it is used up."""
        deck = self._decks.setdefault(name, [])
        if not deck:
            deck += self._choose.sample(cards, len(cards))
        return deck.pop()

    def draw(self, at: float, kind: str) -> Fault:
        """A fault of a kind."""
        choose = self._choose
        word = kind.removeprefix("long ")
        seconds = choose.uniform(0.2, 3.0) if kind == word else choose.uniform(8.0, 45.0)
        target, detail = self._target(word), ""
        match word:
            case "point":
                detail = f"{self.deal(f'points of {target}', points_of(target))}:{choose.choice([1, 1, 1, 2, 4])}"
            case "error":
                point = self.deal(f"errors in {target}", [each for each in points_of(target) if each in ERRORS])
                detail = f"{point}:0.5@{choose.randrange(1000)}={ERRORS[point]}"
            case "link":
                detail = self.deal(word, [each.value for each in LinkFault])
            case "limit":
                detail = str(choose.randrange(1, 200_000))
            case "rules":
                detail = self.deal(word, [RELOAD, "restart"])
            case "mail":
                detail = self.deal(word, _MAIL_FAULTS)
        return Fault(at, word, target, seconds, detail)

    def _target(self, kind: str) -> str:
        if kind == "full":
            return self.deal(kind, ["archive", "state"])
        if kind in _TARGETS:
            return _TARGETS[kind]
        if self._mode == EMBEDDED:
            return "up"
        if kind in _PROCESSES:
            return _PROCESSES[kind]
        process = self.deal(f"targets of {kind}", ["ship", "run"])
        return f"link of {process}" if kind == "link" else process


def points_of(process: str) -> list[str]:
    """The points that a process comes by: `ship`, `run`, or `up`, which is all of it."""
    found = points()
    if process == "up":
        return found
    of_shipper = [point for point in found if point.startswith(_OF_SHIPPER)]
    if process == "ship":
        return of_shipper
    return [point for point in found if point not in of_shipper and not point.startswith("broker.")]
