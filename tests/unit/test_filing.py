"""Windows whose parts meet in one file: their lines by position, the quick way as the plain one has them."""

from hypothesis import given
from hypothesis import strategies as st

from logrouter.destinations.archive import placement as filing
from logrouter.destinations.archive.placement import Placement
from logrouter.wire.record import Record, RecordHeader, decode_lines, encode_lines
from logrouter.wire.slices import Slice


def piece(severity: str, positions: list[int]) -> Slice:
    """Records at these positions, each a byte long."""
    records = [
        Record(
            ts="2026-11-22T12:00:00Z",
            service="web",
            host="h1",
            severity=severity,
            message=f"{severity} {position}",
            source="src",
            pos=position,
            end=position + 1,
        )
        for position in positions
    ]
    places = [RecordHeader(pos=position, end=position + 1) for position in positions]
    return Slice("web.h1.x", "src", "web", "h1", severity, 0, 0, encode_lines(records), places)


PLACED = st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["info", "error", "debug"])), min_size=1, max_size=60)


@given(PLACED)
def test_lines_of_all_parts_stand_by_position(placed: list[tuple[int, str]]) -> None:
    """Two of one position, which only a broken window has, are both kept."""
    pieces = [
        piece(severity, positions)
        for severity in ("info", "error", "debug")
        if (positions := sorted({position for position, each in placed if each == severity}))
    ]
    filed = Placement("{service}/{date}.jsonl").file([pieces])
    ((_, target),) = filed.items()
    records = decode_lines(b"".join(target.chunks))
    assert [record.pos for record in records] == sorted(position for each in pieces for position in _positions(each))
    if len(pieces) > 1:
        by_first = sorted(pieces, key=lambda each: each.places[0].pos)
        assert b"".join(target.chunks) == filing._sorted(by_first, text=False)


def _positions(each: Slice) -> list[int]:
    return [place.pos for place in each.places]
