"""What a line costs does not grow with what there is besides: counted in calls, steps of SQLite and syncs, not timed.

`make bench ONLY=growth` measures the same in processor time.
"""

import gc
import os
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from parts import part

from logrouter.audit import evidence as books
from logrouter.audit.archives import ArchiveReader
from logrouter.audit.audit import Audit
from logrouter.audit.backlog import Backlog
from logrouter.config.rules import load_rules
from logrouter.destinations.archive.archive import Archive, ArchiveSettings
from logrouter.destinations.archive.placement import Placement
from logrouter.ledger.ledger import DECIDED, INGRESS, Counted, FileState, Ledger, LedgerEntry
from logrouter.ledger.selection import Selection
from logrouter.router.reorder import Assembly
from logrouter.rules import checks
from logrouter.rules.ruleset import RuleSet
from logrouter.wire.ranges import Ranges
from logrouter.wire.routing_key import SEVERITIES, routing_key
from logrouter.wire.slices import Slice, from_part

MOST = 1.25
RULES = (
    "  - {{name: a{n}, match: 'service{n}.*.debug', to: discard}}",
    "  - {{name: b{n}, match: 'service{n}.#', severity: error, to: archive, continue: true}}",
    "  - {{name: c{n}, match: service{n}.h1.error, when: {{message: {{contains: x}}}}, to: discard}}",
    "  - {{name: d{n}, match: [service{n}.#, 'other{n}.*.*'], when: {{app: x}}, to: discard}}",
)


def calls(work: Callable[[], object]) -> int:
    """How many functions are called by some work, those written in C included."""
    found = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal found
        found += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return found


def rule_set(directory: Path, count: int) -> RuleSet:
    path = directory / f"{count}.yaml"
    rules = "\n".join(RULES[number % len(RULES)].format(n=number) for number in range(count))
    path.write_text(f"destinations: {{archive: {{type: archive}}}}\nrules:\n{rules}\n")
    return RuleSet(load_rules([path]))


def pieces(count: int) -> list[Slice]:
    """One slice for each of so many keys."""
    whole = from_part(part(0, 4))
    return [
        Slice(
            routing_key(service, whole.host, severity), whole.source, service, whole.host, severity,
            whole.first, whole.last, whole.body, whole.places,
        )
        for service, severity in ((f"app{number // 8}", SEVERITIES[number % 8]) for number in range(count))
    ]  # fmt: skip


def test_a_thousand_rules_for_other_services_cost_a_new_key_no_more_than_ten(tmp_path: Path) -> None:
    (piece,) = pieces(1)
    few, many = rule_set(tmp_path, 10), rule_set(tmp_path, 1000)
    assert calls(lambda: many(piece)) <= MOST * calls(lambda: few(piece))


def test_a_thousand_rules_in_reach_cost_a_known_key_no_more_than_ten(tmp_path: Path) -> None:
    (piece,) = pieces(1)

    def again(count: int) -> int:
        rules = "\n".join(f"  - {{name: r{n}, to: archive, continue: true}}" for n in range(count))
        (tmp_path / "rules.yaml").write_text(f"destinations: {{archive: {{type: archive}}}}\nrules:\n{rules}\n")
        made = RuleSet(load_rules([tmp_path / "rules.yaml"]))
        made(piece)
        return calls(lambda: made(piece))

    assert again(1000) <= MOST * again(10)


def test_checking_a_thousand_rules_takes_as_long_for_each_as_checking_ten(tmp_path: Path) -> None:
    few, many = rule_set(tmp_path, 10), rule_set(tmp_path, 1000)
    assert calls(lambda: checks.warnings(many.config)) / 1000 <= MOST * calls(lambda: checks.warnings(few.config)) / 10


def test_a_slice_under_ten_thousand_keys_costs_what_it_does_under_ten(tmp_path: Path) -> None:
    rules, filing = rule_set(tmp_path, 100), Placement("{service}/{host}/{date}.jsonl.gz")

    def again(count: int) -> float:
        met = pieces(count)

        def pass_through() -> None:
            for piece in met:
                routing_key(piece.service, piece.host, piece.severity)
                rules(piece)
                filing.file([[piece]])

        pass_through()
        return calls(pass_through) / count

    assert again(10_000) <= MOST * again(10)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path)
    yield opened
    opened.close()


def knowing(count: int) -> LedgerEntry:
    """All that a ledger has of so many sources, of files that are finished, and of one that is open."""
    entry = LedgerEntry()
    for number in range(count):
        source = f"{number:016x}"
        entry.add_decided(INGRESS, source, [(0, 1000)])
        entry.counts[Counted(source, DECIDED, "2026-11-21", "app", "h1")] = 10
        entry.seen[f"id-{source}"] = 1
        entry.files.append(FileState("archive", f"app/{source}.gz", 1, state="finished"))
    return entry


def steps(ledger: Ledger, connection: str, work: Callable[[], object]) -> int:
    """Instructions that SQLite needs for some work, whatever it reads them from."""
    found = 0

    def count() -> int:
        nonlocal found
        found += 1
        return 0

    opened = getattr(ledger, connection)
    opened.set_progress_handler(count, 1)
    try:
        work()
    finally:
        opened.set_progress_handler(None, 1)
    return found


def committing(ledger: Ledger, number: int) -> int:
    entry = LedgerEntry(files=[FileState("archive", "app/now.gz", 1)], seen={f"new-{number}": 2})
    entry.add_decided(INGRESS, "0" * 16, [(1000 * number, 1000 * number + 1000)])
    entry.counts[Counted("0" * 16, DECIDED, "2026-11-22", "app", "h1")] = 10
    return steps(ledger, "_writer", lambda: ledger.commit(entry))


def reading(ledger: Ledger) -> int:
    def read() -> None:
        ledger.extents(INGRESS, "0" * 16)
        ledger.last_segment("archive", "app/now.gz")
        ledger.seen("id-unknown", 0)
        list(ledger.files("archive", "finishing"))

    return steps(ledger, "_reader", read)


def test_a_ledger_of_ten_thousand_sources_is_written_and_read_as_one_of_ten(ledger: Ledger) -> None:
    ledger.commit(knowing(10))
    committing(ledger, 1)
    few = committing(ledger, 2), reading(ledger)
    ledger.commit(knowing(10_000))
    many = committing(ledger, 3), reading(ledger)
    assert few[0] > 100
    assert many[0] <= MOST * few[0]
    assert many[1] <= MOST * few[1]


def peak(directory: Path, ledger: Ledger, archive: Path) -> int:
    """Bytes that an audit of a ledger and one archive takes at most, but for what SQLite keeps."""
    gc.collect()
    tracemalloc.start()
    try:
        with books.opened(directory, "main", Selection()) as opened:
            reading = ArchiveReader(
                archive, Selection(), opened.findings, lambda _: None, partial(opened.add_run, "archive")
            )
            contents = reading.read("archive", opened.files("archive"), is_text=False)
            report = Audit(opened, [contents], Backlog({}, {}), Selection()).run(
                lambda _: (Ranges(), 0), lambda _: None
            )
        assert report.status == 0, report.findings.first
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def archived(directory: Path, count: int, first: int) -> LedgerEntry:
    """So many more sources in a file of their own, one record each."""
    entry, lines = LedgerEntry(), []
    for number in range(first, first + count):
        piece = part(0, 1, f"{number:016x}")
        entry.add_decided(INGRESS, piece.source, [(0, 10)])
        for destination in (DECIDED, "archive"):
            entry.counts[Counted(piece.source, destination, "2026-11-22", "app", "h1")] = 1
        lines.append(piece.body)
    body = b"".join(lines)
    directory.mkdir(exist_ok=True)
    (directory / f"{first}.jsonl").write_bytes(body)
    state = FileState("archive", f"{first}.jsonl", 1, "finished", "2026-11-22", size=len(body), records=count, crc=-1)
    entry.files.append(state)
    return entry


def test_an_audit_of_two_thousand_sources_takes_no_more_memory_than_one_of_two_hundred(
    tmp_path: Path, ledger: Ledger
) -> None:
    ledger.commit(archived(tmp_path / "archive", 200, 0))
    peak(tmp_path, ledger, tmp_path / "archive")  # what is loaded once
    few = peak(tmp_path, ledger, tmp_path / "archive")
    for first in range(200, 2000, 200):
        ledger.commit(archived(tmp_path / "archive", 200, first))
    assert peak(tmp_path, ledger, tmp_path / "archive") <= MOST * few


def test_forgetting_ids_looks_at_none_that_stay(ledger: Ledger) -> None:
    def forgetting() -> int:
        return steps(ledger, "_writer", lambda: ledger.forget_seen(before=1))

    ledger.commit(knowing(10))
    few = forgetting()
    ledger.commit(knowing(10_000))
    assert forgetting() <= MOST * few


def test_a_part_of_a_window_with_many_keys_costs_what_one_of_few_does() -> None:
    def each(count: int) -> float:
        keys = [f"app{number}.h1.info" for number in range(count)]
        whole = [part(0, count, "src", number, keys) for number in range(count)]
        taken = [(piece, from_part(piece)) for piece in whole]
        assembly: Assembly[int] = Assembly(lambda _: Ranges(), lambda _: True)
        return calls(lambda: [assembly.add(piece, records, 0, 0.0) for piece, records in taken]) / count

    assert each(64) <= MOST * each(8)


async def test_an_archive_syncs_what_it_writes_however_many_files_are_open(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = Archive("archive", ArchiveSettings(tmp_path / "archive", "{service}.jsonl.gz"), ledger)
    services = {piece.service: piece for piece in pieces(64 * 8)}
    ledger.commit(LedgerEntry(files=await archive.write([[piece] for piece in services.values()])))
    await archive.committed()
    synced: list[int] = []

    def counting(sync: Callable[[int], None]) -> Callable[[int], None]:
        return lambda fd: synced.append(fd) or sync(fd)  # type: ignore[func-returns-value]  # append returns None

    monkeypatch.setattr(os, "fdatasync", counting(os.fdatasync))
    monkeypatch.setattr(os, "fsync", counting(os.fsync))
    written = await archive.write([[next(iter(services.values()))]])
    await archive.close()
    assert len(services) == 64
    assert len(synced) == len(written) == 1
