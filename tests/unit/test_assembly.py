"""Windows from parts: in order, each position once, whatever the order and however often parts come."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from logrouter.batch import Part
from logrouter.extents import Extents
from logrouter.record import Record, encode_lines
from logrouter.router.assembly import Assembly, Release
from logrouter.slices import Slice, from_part

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
            body=encode_lines(map(line, own)),
        )
        for part, (_, own) in enumerate(used)
    ]


def assembly(known: Sequence[tuple[int, int]] = (), bound: Sequence[str] = (), limit: int = 100) -> Assembly[str]:
    return Assembly(lambda source: Extents(known), lambda key: not bound or key in bound, hold=60.0, limit=limit)


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


def test_a_part_that_was_set_aside_does_not_hold_the_rest() -> None:
    first, second = window(0, 4, keys=2)
    target = assembly()
    assert target.add(first, None, "broken", 0.0) == []
    (release,) = feed(target, [second])
    assert lines([release]) == [1, 3]
    assert release.decided == ((0, 40),)


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
