"""What an archive holds of a source, run by run, against the plainest model there is: records in a list."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from logrouter.audit.runs import ArchivedRecords, Run, Running, are_behind, held
from logrouter.wire.ranges import Ranges

Record = tuple[int, int, int]
"""Path, start and stop."""

records = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(1, 3)).map(
        lambda drawn: (drawn[0], drawn[1], drawn[1] + drawn[2])
    ),
    max_size=30,
).map(lambda drawn: sorted(drawn, key=lambda record: record[0]))
known = st.lists(st.tuples(st.integers(0, 15), st.integers(15, 40)), max_size=2)


def runs(given_: list[Record]) -> list[Run]:
    """As a reader of files makes them."""
    made: list[Run] = []
    running: Running | None = None
    for path, start, stop in given_:
        if running is not None and (path != running.path or start < running.stop):
            made.append(running.run())
            running = None
        running = running or Running(path, len(made), start)
        running.extend([start], [stop], "2026-11-22")
    return [*made, running.run()] if running else made


def model(given_: list[Record], decided: Ranges) -> ArchivedRecords:
    """Places in order: each begins behind all before it, or stands there again."""
    twice, unknown, disordered, reached = [], [], 0, 0
    for _, start, stop in sorted(given_, key=lambda record: record[1:]):
        if start < reached:
            twice.append(start)
        elif not decided.covers(start, stop):
            unknown.append(start)
        reached = max(reached, stop)
    last: dict[int, int] = {}
    for path, start, _ in given_:
        disordered += start < last.get(path, -1)
        last[path] = max(start, last.get(path, -1))
    return ArchivedRecords(
        records=len(given_),
        twice=len(twice),
        first_twice=min(twice, default=0),
        disordered=disordered,
        unknown=len(unknown),
        first_unknown=min(unknown, default=0),
    )


@given(records, known)
def test_what_it_comes_to(given_: list[Record], ranges: list[tuple[int, int]]) -> None:
    assert held(runs(given_), Ranges(ranges)) == model(given_, Ranges(ranges))


@given(st.lists(st.tuples(st.integers(0, 1 << 62), st.integers(1, 1 << 61)), min_size=1, max_size=20))
def test_places_are_had_back(drawn: list[tuple[int, int]]) -> None:
    starts, stops, end = [], [], 0
    for gap, length in drawn:
        if end + gap + length >= 1 << 63:
            break
        starts.append(end + gap)
        stops.append(end + gap + length)
        end = stops[-1]
    if not starts:
        return
    assert are_behind(starts, stops)
    running = Running(1, 7, starts[0])
    running.extend(starts[:1], stops[:1], "b")
    if starts[1:]:
        running.extend(starts[1:], stops[1:], "a")
    run = running.run()
    assert list(run.places()) == list(zip(starts, stops, strict=True))
    assert run[:7] == (1, 7, len(starts), starts[0], starts[-1], stops[-1], "b")


def test_a_window_that_is_there_twice_is_counted_record_by_record() -> None:
    window = [(1, start, start + 10) for start in range(0, 1000, 10)]
    again = [(1, start, start + 10) for start in range(500, 1500, 10)]
    found = held(runs(window + again), Ranges([(0, 1500)]))
    assert (found.records, found.twice, found.first_twice, found.disordered, found.unknown) == (200, 50, 500, 49, 0)


def test_long_runs_that_are_known_are_not_unpacked() -> None:
    far = Run(1, 0, 10**9, 0, 1 << 40, (1 << 40) + 10, "2026-11-22", b"no zlib at all")
    assert held([far], Ranges([(0, 1 << 41)])) == ArchivedRecords(records=10**9)
