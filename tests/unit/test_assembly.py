"""Windows from parts: in order, each position once, whatever the order and however often parts come."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.errors import WireError
from logrouter.router.reorder import MOST_RANGES, Assembly, Release
from logrouter.wire.batch import Part
from logrouter.wire.ranges import Ranges
from logrouter.wire.record import Record, encode_lines
from logrouter.wire.slices import Slice, from_part

SEVERITIES = ("info", "error", "debug")


def line(pos: int) -> Record:
    """Line number n stands at [10 n, 10 n + 10)."""
    return Record(
        ts="2026-11-22T10:00:00Z",
        service="s",
        host="h",
        severity="info",
        message=f"line {pos // 10}",
        source="src",
        pos=pos,
        end=pos + 10,
    )


def window(from_: int, to: int, keys: int = 1, source: str = "src") -> list[Part]:
    """Lines [from_, to) as a window whose lines are dealt out to `keys` parts."""
    positions = [pos * 10 for pos in range(from_, to)]
    names = tuple(f"s.h.{severity}" for severity in SEVERITIES[:keys])
    dealt = [positions[part::keys] for part in range(keys)]
    used = [(name, own) for name, own in zip(names, dealt, strict=True) if own]
    return [
        Part(
            source=source,
            start=0,
            from_=from_ * 10,
            to=to * 10,
            part=part,
            keys=tuple(name for name, _ in used),
            service="s",
            host="h",
            severity="info",
            count=len(own),
            first=0,
            last=0,
            body=encode_lines(msgspec.structs.replace(line(pos), source=source) for pos in own),
        )
        for part, (_, own) in enumerate(used)
    ]


def assembly(known: Sequence[tuple[int, int]] = (), bound: Sequence[str] = (), limit: int = 100) -> Assembly[str]:
    return Assembly(lambda source: Ranges(known), lambda key: not bound or key in bound, hold=60.0, limit=limit)


def feed(target: Assembly[str], parts: Sequence[Part], now: float = 0.0) -> list[Release[str]]:
    releases = []
    for part in parts:
        releases += target.add(part, from_part(part), f"{part.from_}-{part.to}/{part.part}", now)
    return releases


def lines(releases: Sequence[Release[str]]) -> list[int]:
    """The line numbers released, each release's own by position, as an archive would write them."""
    return [
        pos // 10
        for release in releases
        for pos in sorted(place.pos for piece in release.slices for place in piece.places)
    ]


def test_a_window_waits_for_all_its_parts() -> None:
    first, second = window(0, 4, keys=2)
    target = assembly()
    assert feed(target, [second]) == []
    (release,) = feed(target, [first])
    assert lines([release]) == [0, 1, 2, 3]
    assert release.decided == ((0, 40),)
    assert set(release.tokens) == {"0-40/0", "0-40/1"}


def test_parts_that_are_not_bound_are_not_waited_for() -> None:
    first, _ = window(0, 4, keys=2)
    (release,) = feed(assembly(bound=["s.h.info"]), [first])
    assert lines([release]) == [0, 2]
    assert release.decided == ((0, 40),)


def test_a_gap_holds_its_own_source_alone() -> None:
    target = assembly()
    assert feed(target, window(2, 4)) == []
    assert lines(feed(target, window(0, 1, source="other"))) == [0]
    assert lines(feed(target, window(0, 2))) == [0, 1, 2, 3]


def test_a_gap_is_given_up_after_the_hold_and_its_late_part_still_comes() -> None:
    target = assembly()
    feed(target, window(2, 4))
    assert target.expire(59.9) == []
    (hole,) = target.expire(60.0)
    assert hole.hole
    assert lines([hole]) == [2, 3]
    (late,) = feed(target, window(0, 2), now=61.0)
    assert late.late
    assert lines([late]) == [0, 1]
    (repeat,) = feed(target, window(0, 4), now=62.0)
    assert (repeat.slices, repeat.repeated) == ((), 4)


def test_a_missing_part_is_given_up_and_comes_late_by_itself() -> None:
    first, second = window(0, 4, keys=2)
    target = assembly()
    feed(target, [first])
    (hole,) = target.expire(60.0)
    assert lines([hole]) == [0, 2]
    assert hole.decided == ((0, 10), (20, 30))
    (late,) = feed(target, [second], now=61.0)
    assert lines([late]) == [1, 3]
    assert late.late


def test_the_oldest_gap_is_given_up_when_too_much_is_held() -> None:
    target = assembly(limit=2)
    assert feed(target, window(3, 4)) == []
    assert feed(target, window(3, 4, source="other"), now=1.0) == []
    (release,) = feed(target, window(5, 6, source="other"), now=2.0)
    assert (release.source, release.hole) == ("src", True)


def following(from_: int, to: int, reached: int) -> list[Part]:
    """A window of the generation after `src`, of which so many lines had been read."""
    return [replace(part, after=("src", 10 * reached)) for part in window(from_, to, source="next")]


def test_a_generation_waits_for_the_one_before_it() -> None:
    target = assembly()
    assert lines(feed(target, window(0, 2))) == [0, 1]
    assert feed(target, following(0, 3, reached=4)) == []
    assert feed(target, window(0, 1, source="other")) != []
    assert feed(target, window(3, 4)) == []
    assert [(release.source, release.late) for release in feed(target, window(2, 3))] == [
        ("src", False),
        ("src", False),
        ("next", False),
    ]
    assert [release.source for release in feed(target, [*window(4, 5, source="next"), *window(3, 4, source="next")])]
    assert lines(feed(target, window(4, 5))) == [4]  # of a writer that went on with the renamed file


def test_a_generation_waits_no_longer_than_the_hold_for_the_one_before() -> None:
    target = assembly()
    feed(target, window(0, 2))
    feed(target, following(0, 3, reached=4), now=1.0)
    assert target.expire(60.9) == []
    (release,) = target.expire(61.0)
    assert (release.source, release.hole, lines([release])) == ("next", True, [0, 1, 2])


def test_what_a_generation_waits_for_is_asked_for() -> None:
    target = assembly()
    feed(target, window(0, 2))
    feed(target, following(0, 3, reached=4))
    assert [(source, ranges) for source, ranges in target.gaps(0.0) if ranges] == [("src", [(20, 40)])]


def test_a_generation_waits_for_none_that_never_came() -> None:
    assert lines(feed(assembly(), following(0, 3, reached=4))) == [0, 1, 2]


def test_a_generation_that_was_begun_before_waits_for_nothing() -> None:
    target = assembly(known=[(0, 10)])
    assert lines(feed(target, following(1, 3, reached=4))) == [1, 2]


def test_a_part_that_was_set_aside_does_not_hold_the_rest() -> None:
    first, second = window(0, 4, keys=2)
    target = assembly()
    assert target.add(first, None, "broken", 0.0) == []
    (release,) = feed(target, [second])
    assert lines([release]) == [1, 3]
    assert release.decided == ((10, 20), (30, 40))  # what is mended and published again is new
    assert release.short == ((0, 10), (20, 30))
    assert lines(feed(target, window(4, 5))) == [4]
    (mended,) = feed(target, window(0, 4))
    assert (lines([mended]), mended.decided) == ([0, 2], ((0, 10), (20, 30)))


def test_what_the_ledger_has_is_not_released_again() -> None:
    target = assembly(known=[(0, 30)])
    (repeat,) = feed(target, window(0, 2))
    assert (repeat.slices, repeat.repeated, repeat.decided) == ((), 2, ())
    (partly,) = feed(target, window(1, 5))
    assert (lines([partly]), partly.repeated, partly.decided) == ([3, 4], 2, ((30, 50),))
    assert not partly.late


def test_a_reread_cut_and_keyed_otherwise_replaces_a_window_that_never_came_whole() -> None:
    target = assembly()
    feed(target, window(0, 4, keys=2)[:1])
    releases = feed(target, window(0, 6))
    assert lines(releases) == [0, 1, 2, 3, 4, 5]
    assert {token for release in releases for token in release.tokens} == {"0-40/0", "0-60/0"}
    assert target.held == 0


def without(part: Part, *numbers: int) -> Part:
    """The part with these lines left out."""
    kept = [pos for pos in range(part.from_, part.to, 10) if pos // 10 not in numbers]
    return replace(part, count=len(kept), body=encode_lines(map(line, kept)))


def test_a_window_that_claims_more_than_its_records_hides_nothing() -> None:
    (whole,) = window(0, 4)
    forged = replace(without(whole, 1, 2, 3), to=1 << 62)
    target = assembly()
    (release,) = feed(target, [forged])
    assert (release.decided, release.short) == (((0, 10),), ((10, 1 << 62),))
    (true,) = feed(target, [whole])
    assert (lines([true]), true.repeated, true.decided) == ([1, 2, 3], 1, ((10, 40),))
    assert true.short == ()


def test_a_gap_within_a_window_stays_missing() -> None:
    (part,) = window(0, 4)
    target = assembly()
    (release,) = feed(target, [without(part, 1)])
    assert (lines([release]), release.decided, release.short) == ([0, 2, 3], ((0, 10), (20, 40)), ((10, 20),))
    assert lines(feed(target, window(4, 5))) == [4]
    assert lines(feed(target, [part])) == [1]


def test_records_of_two_parts_that_overlap_are_taken_once() -> None:
    first, second = window(0, 4, keys=2)
    forged = replace(second, count=4, body=encode_lines(map(line, (0, 10, 20, 30))))
    (release,) = feed(assembly(), [first, forged])
    assert lines([release]) == [0, 1, 2, 3]
    assert (release.repeated, release.decided, release.short) == (2, ((0, 40),), ())


def test_gaps_of_a_window_that_others_have_a_share_in_are_theirs() -> None:
    first, _ = window(0, 4, keys=2)
    (release,) = feed(assembly(bound=["s.h.info"]), [first])
    assert (release.decided, release.short, release.shared) == (((0, 40),), (), True)


def test_a_source_in_too_many_ranges_takes_only_what_closes_up() -> None:
    known = [(20 * number, 20 * number + 10) for number in range(MOST_RANGES)]
    target, end = assembly(known=known), 2 * MOST_RANGES
    with pytest.raises(WireError, match=f"is decided in {MOST_RANGES} ranges"):
        feed(target, window(end + 1, end + 2))
    with pytest.raises(WireError):
        feed(target, [without(window(end - 1, end + 2)[0], end)])
    assert target.held == 0
    assert lines(feed(target, window(end - 1, end + 2))) == [end - 1, end, end + 1]
    (repeat,) = feed(target, [without(window(4, 9)[0], 5, 7)])
    assert (repeat.slices, repeat.repeated) == ((), 3)
    assert lines(feed(target, window(0, 3))) == [1]
    assert (
        lines(feed(target, window(end + 11, end + 12))) == []
    )  # there is room for one: it waits for what is before it
    assert target.held == 1


def test_a_broken_part_that_comes_twice_repeats_what_it_has_not_what_it_claims() -> None:
    part = replace(window(0, 4, keys=2)[0], count=1 << 62)
    target = assembly()
    target.add(part, None, "broken", 0.0)
    target.add(part, None, "again", 0.0)
    (release,) = target.expire(60.0)
    assert release.repeated == 0


cuts = st.lists(st.integers(1, 19), max_size=6).map(lambda inner: sorted({0, *inner, 20}))


@st.composite
def readings(draw: st.DrawFn) -> list[Part]:
    """Two readings of lines 0..19, cut and keyed differently, delivered in any order, some parts twice."""
    parts: list[Part] = []
    for _ in range(2):
        edges = draw(cuts)
        for from_, to in pairwise(edges):
            parts += window(from_, to, keys=draw(st.integers(1, 3)))
    extra = draw(st.lists(st.sampled_from(parts), max_size=5))
    return draw(st.permutations(parts + extra))


@given(readings(), st.integers(2, 100))
def test_every_line_once_and_every_token_once(parts: list[Part], limit: int) -> None:
    target = assembly(limit=limit)
    releases, tokens = [], []
    for number, part in enumerate(parts):
        releases += target.add(part, from_part(part), str(number), 0.0)
    releases += target.expire(1000.0)
    assert sorted(lines(releases)) == list(range(20))
    tokens = [token for release in releases for token in release.tokens]
    assert sorted(tokens) == sorted(map(str, range(len(parts))))
    assert sum(release.repeated for release in releases) >= 20
    in_order = [release for release in releases if not release.late and not release.hole]
    assert lines(in_order) == sorted(lines(in_order))


@given(st.sets(st.integers(0, 19)), st.integers(1, 3), st.integers(1, 3))
def test_what_is_decided_is_what_there_are_records_of(gone: set[int], keys: int, again: int) -> None:
    target = assembly()
    parts = [without_own(part, gone) for part in window(0, 20, keys=keys)]
    releases = feed(target, parts)
    decided = Ranges(span for release in releases for span in release.decided)
    assert sorted(lines(releases)) == [
        number for number in range(20) if not decided.missing(number * 10, number * 10 + 10)
    ]
    assert decided.missing(0, 200) == sorted(gap for release in releases for gap in release.short)
    assert sorted(lines(releases) + lines(feed(target, window(0, 20, keys=again)))) == list(range(20))


def without_own(part: Part, gone: set[int]) -> Part:
    """The part without those of its own lines that are gone."""
    kept = [place.pos for place in from_part(part).places if place.pos // 10 not in gone]
    return replace(part, count=len(kept), body=encode_lines(map(line, kept)))


@given(readings(), st.integers(0, 40))
def test_a_restart_in_the_middle_changes_nothing(parts: list[Part], stop: int) -> None:
    first = assembly()
    before = feed(first, parts[:stop])
    known = [span for release in before for span in release.decided]
    second = assembly(known=known)
    after = feed(second, parts) + second.expire(1000.0)
    assert sorted(lines(before) + lines(after)) == list(range(20))


def test_a_slice_is_the_very_body_where_nothing_is_cut() -> None:
    (part,) = window(0, 3)
    piece = from_part(part)
    (release,) = assembly().add(part, piece, "t", 0.0)
    assert isinstance(piece, Slice)
    assert release.slices[0] is piece
