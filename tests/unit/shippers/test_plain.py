"""What a window comes to where reading its lines more closely fails: each line, with nothing that must not leave."""

from __future__ import annotations

from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from logrouter.observability.events import WINDOW_UNREAD
from logrouter.wire.batch import Part, from_message, to_message
from logrouter.wire.record import Record, decode_lines, original
from shippers.encode import fallback as plain
from shippers.encode.lines import Window
from shippers.encode.text import Refining
from shippers.input import Input
from shippers.redact.redaction import Redaction

NOW = 1795352400.0


def fail(*_: object) -> NoReturn:
    raise RuntimeError("poison")


@pytest.fixture(autouse=True)
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "all_parts", fail)


def read(data: bytes, settings: Input) -> tuple[Part, list[Record]]:
    """The one part that a window of these bytes comes to, after it has travelled, with its records."""
    (part,) = plain.safe_parts(Window("src", 0, 100, 100 + len(data), data), settings, NOW)
    came = from_message(to_message(part))
    return came, decode_lines(came.body)


@limits(max_examples=300)
@given(st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"") + b"\n"), min_size=1, max_size=20))
def test_every_line_is_a_record_with_its_exact_bytes(lines: list[bytes]) -> None:
    before = WINDOW_UNREAD.count()
    part, records = read(b"".join(lines), Input("web", ("/x",), "h1"))
    assert [original(record) for record in records] == lines
    assert [record.pos for record in records] == [100, *(record.end for record in records[:-1])]
    assert (records[-1].end, part.to, part.count) == (part.to, 100 + sum(map(len, lines)), len(lines))
    assert {record.severity for record in records} == {"info"}
    assert part.keys == ("web.h1.info",)
    assert WINDOW_UNREAD.count() == before + 1


def test_what_an_input_redacts_is_redacted() -> None:
    settings = Input("web", ("/x",), "h1", refining=Refining(Redaction(("card",))))
    _, records = read(b"paid 4111 1111 1111 1111 now\r\nERROR ok\n", settings)
    assert [record.message for record in records] == ["paid [card] now", "ERROR ok"]
    assert [record.raw for record in records] == [None, None]


def test_a_text_that_cannot_be_redacted_is_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Redaction, "texts", fail)
    settings = Input("web", ("/x",), "h1", refining=Refining(Redaction(("card",))))
    _, records = read(b"paid 4111 1111 1111 1111 now\n", settings)
    assert [record.message for record in records] == ["[withheld: it could not be redacted]"]


@pytest.mark.parametrize(("service", "key"), [("", "unknown.h1.warning"), ("a\udcffb", "a_b.h1.warning")])
def test_a_service_that_is_no_name_has_a_key(service: str, key: str) -> None:
    part, _ = read(b"x\n", Input(service, ("/x",), "h1", severity="warning"))
    assert part.keys == (key,)
