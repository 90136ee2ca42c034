"""Text that shows all that it holds: in a log line, on a terminal, in JSON."""

from __future__ import annotations

import json
import logging
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.app import runtime
from logrouter.observability import events
from logrouter.support.terminal import printable, printable_json

CONTROLS = [
    character
    for character in map(chr, range(0x110000))
    if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Cs") and character not in "\t\n"
]
UNSEEN = [*CONTROLS, *"\u034f\u115f\u1160\u17b4\u180b\u2065\u3164\ufe00\uffa0\ufff0\U000e0000\U000e0fff"]
ODD = st.text(st.characters() | st.sampled_from(UNSEEN) | st.sampled_from("\t\n\\\ufe0f\u2764\u26a0"))


def test_whatever_does_not_show_is_written() -> None:
    for character in UNSEEN:
        for newlines in (False, True):
            written = printable(f"a{character}b", newlines=newlines)
            assert written.isascii()
            assert written.isprintable()
            assert f"'{written}'" == ascii(f"a{character}b").replace("\\r", "\\x0d")


@pytest.mark.parametrize(
    "text", ["", "plain", "tab\there", "naïve — 日本語\u3000\xa0x", "e\u0301", "☃", "⚠\ufe0f ❤\ufe0e"]
)
def test_what_shows_stays(text: str) -> None:
    assert printable(text) == text == printable(text, newlines=True)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a\\x0ab"),
        ("a\ufe0f", "a\\ufe0f"),
        ("⚠\ufe0f\ufe0f", "⚠\ufe0f\\ufe0f"),
        ("\ufe0f", "\\ufe0f"),
        ("\U0001f468\u200d\U0001f469", "\U0001f468\\u200d\U0001f469"),
        ("\ud83d\ude00", "\\ud83d\\ude00"),
    ],
)
def test_how_it_is_written(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(ODD)
def test_it_is_one_line_that_any_encoding_takes_and_a_second_call_changes_nothing(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert shown.encode().decode() == shown
    assert printable(shown) == shown
    assert printable(text, newlines=True).replace("\n", "\\x0a") == shown


@given(st.dictionaries(ODD, ODD, max_size=3))
def test_json_keeps_its_value(value: dict[str, str]) -> None:
    shown = printable_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(shown) == value
    assert not set(shown) & set(UNSEEN)


def test_an_event_is_one_line_whatever_its_details_are(caplog: pytest.LogCaptureFixture) -> None:
    evil = "a\n15:00:00 ERROR fake\x1b[2J\u2028\ud800"
    shown = "a\\x0a15:00:00 ERROR fake\\x1b[2J\\u2028\\ud800"
    events.FILE_GONE.happened(path=evil, position=7)
    events.ARCHIVE_UNREADABLE.happened(path=evil, reason=OSError(evil))
    events.DEAD_LETTER.happened(key="k\x1b", queue=evil, reason=[evil])
    events.QUIET.happened(seconds=1.5, what=evil, remedy=evil)
    assert f"file.gone: {shown} is gone; it was read up to byte 7," in caplog.messages[0]
    assert f"cannot read {shown} to its end ({shown});" in caplog.messages[1]
    assert "a message with routing key 'k\\x1b' goes to" in caplog.messages[2]
    assert "in 1.5 s;" in caplog.messages[3]
    assert not any(len(message.splitlines()) > 1 for message in caplog.messages)


def test_what_a_library_logs_begins_no_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = logging.Handler()
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    runtime.log_to(handler)
    record = logging.LogRecord("x", logging.ERROR, "", 0, "lost %s", ("\x1b]0;x\n15:00:00 ERROR fake",), None)
    first, second = handler.format(record).splitlines()
    assert first.endswith("ERROR   lost \\x1b]0;x")
    assert second == "    15:00:00 ERROR fake"
