"""A long run of statements and windows that somebody made up, into a ledger that is folded, dismissed and audited.

In comes a number of seconds (and a seed); whatever is stated, the ledger takes it or refuses it by name, knows what was
decided, and adds up; and every audit ends. By hand, as CI has no time.

    python tests/fuzz/statements.py 600 [seed]
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from logrouter.audit import evidence as books
from logrouter.audit.audit import Audit, SourceReport
from logrouter.audit.backlog import Backlog
from logrouter.errors import WireError
from logrouter.ledger import dismissal as forgetting
from logrouter.ledger import ledger as ledger_module
from logrouter.ledger import snapshot
from logrouter.ledger import statements as stating
from logrouter.ledger.entry import DECIDED, INGRESS, Counted, LedgerEntry
from logrouter.ledger.ledger import Ledger
from logrouter.ledger.selection import Selection
from logrouter.wire.message import Message
from logrouter.wire.ranges import Ranges
from logrouter.wire.statement import TYPE, from_message

_DAY = 86_400
_NAMES = (
    "a",
    "0123456789abcdef",
    "fedcba9876543210",
    "é",
    "\0",
    "'; DROP TABLE stated; --",
    "-",
    "",
    "x" * 256,
    "x" * 257,
)
_NUMBERS: tuple[Any, ...] = (
    0, 1, -1, 10, 100, 255, 1 << 31, 1 << 53, 1 << 62, (1 << 63) - 1, 1 << 63, 1 << 64, -(1 << 63), 10**400, 0.5, -0.0,
    1e300, -1e300, 1e-300, 253_402_300_799, 7_258_118_400, None, True, "1", [], {}, [[[[]]]],
)  # fmt: skip
_DAYS = ("2026-11-20", "2026-11-21", "0001-01-02", "9999-12-31", "1970-01-01")


class Fuzz:
    """One ledger, and what it is to hold."""

    def __init__(self, directory: Path, seed: int) -> None:
        self._random = Random(seed)
        self._ledger = Ledger(directory)
        self._decided: dict[str, Ranges] = {}
        self._counted = Counter[str]()
        self._now = time.time()
        self.done = Counter[str]()

    def step(self) -> None:
        """One thing that may happen."""
        random = self._random
        what = random.choices(
            (self._state, self._decide, self._fold, self._forget, self._audit, self._reopen), (50, 40, 8, 4, 1, 0.2)
        )[0]
        what()
        self.done[what.__name__] += 1

    def close(self) -> None:
        """End it."""
        self._ledger.close()

    def _state(self) -> None:
        body = self._spoiled(json.dumps(self._statement()).encode())
        try:
            statement = from_message(Message(key="shipper.h", body=body, type=TYPE))
        except WireError:
            self.done["refused"] += 1
            return
        self._ledger.commit(LedgerEntry(statements=[statement]))

    def _statement(self) -> Any:
        statement = {
            "kind": "shipper", "reporter": self._name(), "host": self._name(), "version": "1", "config": "c",
            "started": self._number(1.0), "at": self._number(self._now), "final": True,
            "sources": [self._source() for _ in range(self._random.choice((0, 1, 1, 2, 30)))],
            "counted": {name: self._number(3) for name in ("shed", "file.gone", self._name())},
        }  # fmt: skip
        return self._changed(statement)

    def _source(self) -> Any:
        start = self._random.choice((0, 0, 10))
        confirmed = start + self._random.choice((0, 10, 100, 1 << 62))
        source = {
            "source": self._name(), "input": "web", "path": self._name(), "start": start, "read": confirmed,
            "confirmed": confirmed, "lines": min(confirmed - start, self._random.choice((0, 1, 10, 1 << 62))),
            "by_line": self._random.random() < 0.5,
        }  # fmt: skip
        return self._changed(source)

    def _changed(self, made: dict[str, Any]) -> Any:
        random = self._random
        while random.random() < 0.1:
            made[random.choice((*made, self._name()))] = (
                random.choice((*_NUMBERS, made)) if random.random() < 0.9 else {}
            )
            if any(value is made for value in made.values()):
                return random.choice(_NUMBERS)
        return made

    def _spoiled(self, body: bytes) -> bytes:
        """The body, once in a while not quite."""
        random = self._random
        if random.random() > 0.05 or not body:
            return body
        at = random.randrange(len(body))
        piece = random.choice(
            (b"", b"\xff", b"[" * 1000, b'{"a":' * 1000, b'"', b"\\", b"\\ud800", b"\n", random.randbytes(4))
        )
        return body[:at] + piece + body[at + random.choice((0, 1, 10)) :]

    def _decide(self) -> None:
        random, entry = self._random, LedgerEntry()
        for _ in range(random.choice((1, 1, 3))):
            source = random.choice([name for name in _NAMES if name])
            known = self._decided.setdefault(source, Ranges())
            start = random.choice((0, 0, known.end, known.end + 10, random.randrange(200)))
            end = min(start + random.choice((1, 10, 50, 1 << 61)), (1 << 63) - 1)
            fresh = known.missing(start, end)
            entry.add_decided(INGRESS, source, fresh)
            for each in fresh:
                known.add(*each)
            records = random.choice((1, 10))
            for destination in (DECIDED, "archive"):
                counted = Counted(source, destination, random.choice(_DAYS), self._name(), self._name())
                entry.counts[counted] = entry.counts.get(counted, 0) + records
                self._counted[destination] += records
            if random.random() < 0.1:
                entry.late[INGRESS, source] = 1
                entry.repeated[INGRESS, source] = 5
                entry.shared.add(source)
        self._ledger.commit(entry)

    def _fold(self) -> None:
        later = self._random.choice((0, 20, 31, 40, 200)) * _DAY
        for _ in range(self._random.choice((1, 5))):
            self._ledger.fold(self._now + later)
        self._check()

    def _forget(self) -> None:
        with forgetting.opened(self._ledger.directory, "main") as opened:
            opened.forget(self._name())
            list(opened.forget_reporter(self._name()))

    def _reopen(self) -> None:
        directory = self._ledger.directory
        self._ledger.close()
        self._ledger = Ledger(directory)
        self._check()

    def _check(self) -> None:
        for source, known in self._decided.items():
            assert list(self._ledger.extents(INGRESS, source)) == list(known), source

    def _audit(self) -> None:
        selection = self._random.choice(
            (Selection(), Selection(since="2026-11-20"), Selection(host="a", until="2026-11-21"))
        )
        directory, told = self._ledger.directory, []

        def tell(report: SourceReport) -> None:
            told.append(json.dumps(report.__getstate__()))

        with books.opened(directory, "main", selection) as opened, snapshot.opened(directory, "main") as now:
            report = Audit(opened, [], Backlog({}, {}), selection).run(now.decided, tell)
            assert report.status in (0, 1, 3)
            assert sum(finding.amount for finding in report.findings) >= 0
            if selection.is_all:
                assert {**report.destinations, DECIDED: report.decided} == {DECIDED: 0, **self._counted}

    def _name(self) -> str:
        return self._random.choice(_NAMES)

    def _number(self, usual: float) -> Any:
        return usual if self._random.random() < 0.95 else self._random.choice(_NUMBERS)


def main(seconds: float, seed: int) -> None:
    """Go on for so long, with a new ledger each minute."""
    logging.disable(logging.CRITICAL)
    ledger_module.SETTLING = 0.0
    stating.MOST_SOURCES = 5
    end, done = time.monotonic() + seconds, Counter[str]()
    while time.monotonic() < end:
        with TemporaryDirectory() as directory:
            fuzz = Fuzz(Path(directory), seed)
            until = min(end, time.monotonic() + 60)
            try:
                while time.monotonic() < until:
                    fuzz.step()
            except BaseException:
                sys.stderr.write(f"seed {seed}, after {dict(fuzz.done)}\n")
                raise
            finally:
                fuzz.close()
            done.update(fuzz.done)
        seed += 1
    sys.stdout.write(f"{ {name.strip('_'): count for name, count in done.items()} }\n")


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
