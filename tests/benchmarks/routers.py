"""Our router and shipper as the rows use them: rules for them, a broker made ready, a backlog in its queue."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from benchmarks.processes import Taken, logrouter, run
from benchmarks.queues import channel

WORKERS = ("--workers", "2")
"""As many as the least of machines has cores, in rows that show what they give."""

PACKED = (*WORKERS, "--compress")

INGRESS = "logrouter.main"
"""The queue of the router's instance `main`."""

_DESTINATIONS = """\
destinations:
  archive: {{type: archive, dir: {archive}, path: "{path}"}}
  second: {{type: archive, dir: {archive}/second}}
rules:
"""

_KINDS = (
    '  - {{name: r{n}, match: "service{n}.*.debug", to: discard}}\n',
    '  - {{name: r{n}, match: "service{n}.#", severity: error, to: second, continue: true}}\n',
    '  - {{name: r{n}, match: "*.host{n}.*", to: second}}\n',
    '  - {{name: r{n}, match: "service{n}.*.info", when: {{message: {{contains: GET /health}}}}, to: discard}}\n',
)


def write_rules(directory: Path, archive: Path, count: int, path: str = "{service}/{host}/{date}.jsonl.gz") -> Path:
    """So many rules of several kinds, of which none takes what the bench sends; its default is the archive.

    path: the archive's template.
    """
    directory.mkdir(parents=True, exist_ok=True)
    rules = "".join(_KINDS[number % len(_KINDS)].format(n=number) for number in range(count))
    (directory / "rules.yaml").write_text(
        f"{_DESTINATIONS.format(archive=archive, path=path)}{rules}default: archive\n"
    )
    return directory


def make_ready(url: str, room: Path) -> None:
    """Have a router declare what it needs on the broker, and empty its queue."""
    rules = write_rules(room / "ready", room / "ready-archive", 1)
    run(logrouter("run", "--broker", url, "--state", room / "ready-state", "--rules", rules, "--drain"), room)
    with channel(url) as opened:
        opened.queue_purge(INGRESS)


def ship(url: str, room: Path, lines: Path | tuple[str, Path], state: str = "ship", how: Sequence[str] = ()) -> Taken:
    """Ship a file, or what an option names, until all of it is confirmed.   how: further options."""
    inputs = ("--file", f"app={lines}") if isinstance(lines, Path) else lines
    options = ("--host", "h1", *inputs, *how, "--drain")
    return run(logrouter("ship", "--broker", url, "--state", room / state, *options), room)


def route(url: str, room: Path, rules: Path, state: str = "run") -> Taken:
    """Route until the queue is empty and all is settled."""
    return run(logrouter("run", "--broker", url, "--state", room / state, "--rules", rules, "--drain"), room)


def is_consumed(url: str) -> bool:
    """Whether a router takes from its queue."""
    with channel(url) as opened:
        return bool(opened.queue_declare(INGRESS, passive=True).method.consumer_count)


def archived(state: Path) -> int:
    """Records that the ledger of a running router has as archived."""
    return _sum(state, "SELECT sum(records) FROM counts WHERE destination = 'archive'")


def archived_bytes(state: Path) -> int:
    """What the bodies of these come to, uncompressed."""
    return _sum(state, "SELECT sum(size) FROM files WHERE destination = 'archive'")


def _sum(state: Path, question: str) -> int:
    with closing(sqlite3.connect(f"file:{state / 'main.ledger'}?mode=ro", uri=True)) as ledger:
        return int(ledger.execute(question).fetchone()[0] or 0)
