"""What clients put into `content_encoding`: compressions, character sets, both, and neither."""

from __future__ import annotations

import base64
import gzip
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from logrouter.errors import WireError
from logrouter.router.content_encoding import read_body
from logrouter.router.foreign import from_foreign
from logrouter.wire.message import MAX_BODY, Message
from logrouter.wire.record import original

LINE = "Grüße aus dem Süden"


def message(body: bytes, encoding: str) -> Message:
    return Message(key="app.h1.info", body=body, content_encoding=encoding)


def text_of(body: bytes, encoding: str) -> str:
    (record,) = from_foreign(message(body, encoding), lambda _: ("info", "default"), 0.0).records()
    return record.message


@pytest.mark.parametrize(
    "encoding", ["", "identity", "utf-8", "UTF8", "UTF-8", "binary", "8bit", "base64", "hex", "none", "x\0y", "\udcff"]
)
def test_utf_8_under_any_name_that_says_no_other(encoding: str) -> None:
    assert text_of(LINE.encode(), encoding) == LINE


@pytest.mark.parametrize("charset", ["iso-8859-1", "latin-1", "windows-1252", "UTF-16", "utf-16-le", "cp437"])
def test_a_character_set_is_read_as_such_and_the_bytes_are_kept(charset: str) -> None:
    body = LINE.encode(charset)
    (record,) = from_foreign(message(body, charset), lambda _: ("info", "default"), 0.0).records()
    assert record.message == LINE
    assert record.raw is not None
    assert base64.b64decode(record.raw) == original(record) == body


def _raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1"])
@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", _raw_deflate),
        ("zstd", zstandard.compress),
    ],
)
def test_compressed_in_a_character_set(encoding: str, pack: object, charset: str) -> None:
    assert callable(pack)
    assert text_of(pack(LINE.encode(charset)), f"{encoding}:{charset}") == LINE


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "gzip:utf-8"])
@pytest.mark.parametrize("body", [b"", b"no such thing", gzip.compress(b"x" * 1000, mtime=0)[:-9]])
def test_what_does_not_unpack_is_refused(encoding: str, body: bytes) -> None:
    with pytest.raises(WireError, match="does not decompress"):
        read_body(body, encoding)


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_bomb_is_refused(encoding: str, pack: object) -> None:
    assert callable(pack)
    assert len(read_body(pack(bytes(MAX_BODY)), encoding)[0]) == MAX_BODY
    with pytest.raises(WireError, match="decompresses to more than"):
        read_body(pack(bytes(MAX_BODY + 1)), encoding)


@given(
    st.binary(max_size=64), st.text(max_size=20) | st.sampled_from(["utf-7", "idna", "punycode", "undefined", "rot13"])
)
def test_any_name_is_read_or_refused(body: bytes, encoding: str) -> None:
    try:
        text = text_of(body, encoding)
    except WireError:
        return
    text.encode()  # no half of a pair
