"""Extents against the plainest model there is: a Python set of positions."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from logrouter.wire.ranges import Ranges

ranges = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=20)
probe = st.tuples(st.integers(0, 65), st.integers(0, 65))


def positions(pairs: list[tuple[int, int]]) -> set[int]:
    return {position for start, end in pairs for position in range(start, end)}


@given(ranges, probe)
def test_answers_like_a_set_of_positions(pairs: list[tuple[int, int]], asked: tuple[int, int]) -> None:
    extents, model = Ranges(pairs), positions(pairs)
    start, end = asked
    span = set(range(start, end))
    assert positions(list(extents)) == model
    assert extents.size == len(model)
    assert extents.covers(start, end) == (span <= model)
    assert extents.touches(start, end) == bool(span & model)
    assert positions(extents.missing(start, end)) == span - model
    assert extents.start == min(model, default=0)
    assert extents.end == max(model, default=-1) + 1


@given(ranges)
def test_is_the_smallest_sorted_list_of_ranges(pairs: list[tuple[int, int]]) -> None:
    found = list(Ranges(pairs))
    assert all(start < end for start, end in found)
    assert all(before[1] < after[0] for before, after in pairwise(found))
    assert Ranges(found) == Ranges(pairs)
    assert Ranges(pairs).count == len(found)


@given(ranges, probe)
def test_a_copy_is_independent(pairs: list[tuple[int, int]], added: tuple[int, int]) -> None:
    extents = Ranges(pairs)
    before = list(extents)
    extents.copy().add(*added)
    assert list(extents) == before


def test_it_costs_by_ranges_and_not_by_positions() -> None:
    far = Ranges([(0, 1 << 62), ((1 << 62) + 1, (1 << 63) - 1)])
    assert list(far) == [(0, 1 << 62), ((1 << 62) + 1, (1 << 63) - 1)]
    assert tuple(far) == (*far,)
    assert far.missing(0, (1 << 63) - 1) == [(1 << 62, (1 << 62) + 1)]
    assert far.size == (1 << 63) - 2
