"""Headers and bodies of mails: the text that goes in is the text that a reader who keeps to the RFCs gets."""

from __future__ import annotations

from collections.abc import Sequence
from email.parser import BytesParser
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_text import Read, read

from logrouter.destinations.email.mime import alternatives, text_header, token_header

TEXT = st.lists(
    st.characters(codec="utf-8", exclude_characters="\r\n\0")
    | st.sampled_from(["=?", "?=", "=?utf-8?b?4oCo?=", "\U0001f4a9", "日本", " ", "  ", "a" * 80, "=\t", "b"])
).map("".join)


def mail(subject: str = "", text: str = "", html: str = "", more: Sequence[str] = ()) -> Read:
    content = alternatives([text_header("Subject", subject), *more], text, html, "b0")
    seen = read(content)
    parsed = BytesParser(policy=default).parsebytes(content)
    assert parsed["Subject"] == seen.subject
    assert [part.get_content_type() for part in parsed.iter_parts()] == ["text/plain", "text/html"]
    return seen


@given(TEXT)
def test_any_subject_is_had_back(text: str) -> None:
    assert mail(text).subject == text


@given(TEXT.map(lambda text: text.replace(" ", "\n")), TEXT)
def test_any_body_is_had_back_with_a_newline_at_its_end(text: str, html: str) -> None:
    seen = mail(text=text, html=html)
    assert (seen.text, seen.html) == (f"{text.removesuffix(chr(10))}\n", f"{html}\n")


@pytest.mark.parametrize("text", ["--=_b0", "--=_b0--", ".", "From x", " ", "\t", "x \t", "=3D", "x" * 5000, "\0\x0b"])
def test_bodies_that_look_like_something_else(text: str) -> None:
    assert mail(text=f"{text}\n{text}", html=text).text == f"{text}\n{text}\n"


def test_what_is_no_text_is_written() -> None:
    assert mail("\ud800", "\udfff").subject == "\\ud800"


def test_plain_words_stay_readable_and_are_folded() -> None:
    words = " ".join(["word"] * 40)
    assert text_header("Subject", words).count("\r\n ") == 2
    assert mail(words).subject == words
    assert "word word" in text_header("Subject", words)


def test_many_recipients_are_folded() -> None:
    recipients = [f"{'a' * 60}{number}@example.org" for number in range(20)]
    to = token_header("To", [*(f"{each}," for each in recipients[:-1]), recipients[-1]])
    assert mail(more=[to]).headers["To"] == ", ".join(recipients)
