"""What a connection lost is told apart from what was lost behind it."""

from __future__ import annotations

import pytest

from faults.connections import not_received, placed
from faults.oracle import Archived, Place, Verdict, judge

BROKEN = b"".join(b"wire5.1 %08d INFO x\n" % number for number in range(1, 6))
LAST = b"".join(b"wire5.2 %08d INFO y\n" % number for number in range(1, 4))
JOURNALS = {"wire5.1": BROKEN, "wire5.2": LAST}
SIZE = len(BROKEN) // 5


def archived(*lines: tuple[bytes, int]) -> list[Archived]:
    """Lines by journal and number, as a spool gives them: under another source, at other places."""
    found = [content[(number - 1) * SIZE :][:SIZE] for content, number in lines]
    return [Archived("spool", 100 * place, 100 * place + 90, line) for place, line in enumerate(found)]


def look(archive: list[Archived]) -> tuple[Verdict, list[Place]]:
    verdict = judge(JOURNALS, [placed(archive, JOURNALS, "wire")], lambda _: True)
    return verdict, not_received(verdict.lost, JOURNALS, lambda _: True, "wire")


ALL_OF_LAST = [(LAST, number) for number in (1, 2, 3)]


def test_the_end_of_a_broken_connection_was_under_way() -> None:
    verdict, under_way = look(archived((BROKEN, 1), (BROKEN, 2), *ALL_OF_LAST))
    assert under_way == [Place("wire5.1", SIZE * number) for number in (2, 3, 4)]
    assert {kind for kind, places in verdict.wrong.items() if places} == {"lost"}
    assert verdict.lost == under_way


@pytest.mark.parametrize(
    "archive",
    [
        archived((BROKEN, 1), (BROKEN, 3), *ALL_OF_LAST),  # a hole
        archived(*((BROKEN, number) for number in range(1, 6)), (LAST, 1), (LAST, 2)),  # the end of a whole connection
    ],
)
def test_anything_else_is_lost(archive: list[Archived]) -> None:
    verdict, under_way = look(archive)
    assert verdict.lost
    assert not under_way


@pytest.mark.parametrize(
    ("archive", "kind"),
    [
        (archived((BROKEN, 1), (BROKEN, 1), *ALL_OF_LAST), "twice"),
        (archived((BROKEN, 2), (BROKEN, 1), *ALL_OF_LAST), "out of order"),
        ([*archived((BROKEN, 1), *ALL_OF_LAST), Archived("spool", 9, 12, b"wire5.9 00000001 INFO x\n")], "altered"),
    ],
)
def test_what_is_wrong_is_found(archive: list[Archived], kind: str) -> None:
    verdict, _ = look(archive)
    assert len(verdict.wrong[kind]) == 1
