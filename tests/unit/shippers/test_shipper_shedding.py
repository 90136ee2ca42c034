"""What a spool that is nearly full has no room for: the mildest first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from logrouter.wire.routing_key import RANK
from shippers.spool.load_shedding import mildest_kept, rank


def test_the_mildest_go_first() -> None:
    kept = [mildest_kept(share) for share in (0.0, 0.79, 0.8, 0.85, 0.9, 0.95, 0.999, 1.0, 2.0)]
    assert kept == [RANK[name] for name in ("debug", "debug", "info", "notice", "warning", "error", "error")] + [-1, -1]


@given(st.floats(0, 2), st.floats(0, 2))
def test_fuller_never_keeps_more(one: float, other: float) -> None:
    assert mildest_kept(max(one, other)) <= mildest_kept(min(one, other))


def test_the_severity_is_that_of_the_pri() -> None:
    assert [rank(message) for message in (b"<0>x", b"<191>x", b"<13>", b"none", b"<", b"<999>x")] == [0, 7, 5, 5, 5, 7]
