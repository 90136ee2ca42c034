"""A stream of bytes -> syslog messages, however it is cut into reads."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.wire.truncated import Truncated
from shippers.parse.framing import Frame, Frames


def cut(stream: bytes, *reads: int, limit: int = 1000, ends: bytes = b"\n") -> list[Frame]:
    """The messages of a stream that came in reads of so many bytes, the last of them again and again."""
    frames, found, at, sizes = Frames(limit, ends), [], 0, list(reads)
    while at < len(stream):
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        found += frames.feed(stream[at : at + size])
        at += size
    return found + frames.end()


def texts(frames: list[Frame]) -> list[bytes]:
    return [frame.content for frame in frames]


MIXED = b"12 <13>one\ntwo!<14>three\n7 <15>7 xfour\n\n<16>5 <17>\n9 <18>\0 end9 apples\nlast"
WHOLE = [b"<13>one\ntwo!", b"<14>three", b"<15>7 x", b"four", b"<16>5 <17>", b"<18>\0 end", b"9 apples", b"last"]


@pytest.mark.parametrize("first", range(1, len(MIXED)))
def test_both_framings_on_one_stream_split_at_each_byte(first: int) -> None:
    """Cases 27 and 28."""
    assert texts(cut(MIXED, first, len(MIXED))) == WHOLE


def test_byte_by_byte() -> None:
    assert texts(cut(MIXED, 1)) == WHOLE


def test_newline_or_nul() -> None:
    assert texts(cut(b"<13>a\0<13>b\n\0<13>c", 3, ends=b"\n\0")) == [b"<13>a", b"<13>b", b"<13>c"]


@pytest.mark.parametrize("size", [1, 7, 10, 11, 4096])
@pytest.mark.parametrize("framing", [b"30 %s", b"%s\n"])
def test_a_long_message_is_cut_and_what_follows_is_whole(size: int, framing: bytes) -> None:
    """Case 29: a count beyond the limit is passed over, and counted as cut."""
    long = b"<13>" + b"x" * 26
    found = cut(framing % long + b"<14>next\n", size, limit=10)
    assert found == [Frame(long[:10], Truncated(30, hashlib.sha256(long).hexdigest())), Frame(b"<14>next")]


def test_as_long_as_the_limit_is_not_too_long() -> None:
    assert cut(b"10 <13>456789<13>456789\n", 4, limit=10) == [Frame(b"<13>456789")] * 2


@pytest.mark.parametrize("line", [b"99999999 <13>x", b"0 <13>x", b"12<13>x", b"-1 <1"])
def test_a_count_that_is_none_is_a_line(line: bytes) -> None:
    """Case 29."""
    assert texts(cut(line + b"\n<14>y\n", 5)) == [line, b"<14>y"]


def test_what_an_endless_message_holds_is_bounded() -> None:
    frames = Frames(1000)
    for _ in range(1000):
        assert frames.feed(b"x" * 1000) == []
        assert len(frames._held) <= 2000
    ((frame),) = frames.end()
    assert frame.truncated
    assert (len(frame.content), frame.truncated.length) == (1000, 1_000_000)


@given(st.lists(st.binary(max_size=20), max_size=8), st.lists(st.integers(1, 30), min_size=1, max_size=10))
def test_counted_messages_come_back_whatever_they_hold(messages: list[bytes], reads: list[int]) -> None:
    counted = [b"<" + message for message in messages]
    stream = b"".join(b"%d %s" % (len(each), each) for each in counted)
    assert texts(cut(stream, *reads)) == counted


@given(st.binary(max_size=120), st.lists(st.integers(1, 30), min_size=1, max_size=10), st.integers(1, 40))
def test_reads_do_not_matter(stream: bytes, reads: list[int], limit: int) -> None:
    assert cut(stream, *reads, limit=limit) == cut(stream, 4096, limit=limit)
