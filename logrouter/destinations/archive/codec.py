"""Compression that can end at any commit: a stream that is synced, and the few bytes that complete it there.

After `sync` the output has everything written so far, up to a byte boundary. `trailer` completes it to a whole member
(gzip: RFC 1952, deflate: RFC 1951 section 3.2.3; zstd: RFC 8878 section 3.1.1) and does not need the compressor. So
plain zcat can read a file after each commit, and recovery needs only the ledger's crc and size.
"""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO, Protocol

import zstandard
from isal import isal_zlib

_GZIP_HEADER = bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255])
_EMPTY_FINAL_DEFLATE_BLOCK = b"\x03\x00"
_EMPTY_FINAL_ZSTD_BLOCK = b"\x01\x00\x00"

_BUFFER = 1 << 17
_GZIP_ERROR: Any = isal_zlib.error  # isal's type stub declares this class as an instance
_GZIP_INPUT, _ZSTD_INPUT = 4 << 10, 1 << 10
"""Bytes that are decompressed at a time. They are few, because a zstd block of four bytes may expand to 128 KiB."""


class DamagedArchive(OSError):
    """A file does not hold what was written to it."""


class _Member(Protocol):
    """The decompressor of one member, an object of the library.

    eof: whether the member has ended.   unused_data: the input behind its end.
    """

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


class _Decompressed(io.RawIOBase):
    """The content of all members of a file, decompressed from `step` bytes at a time.

    begin: returns the decompressor of a new member.
    error: what the library raises for a damaged member. Everything before the damage is returned first.
    """

    def __init__(self, file: BinaryIO, begin: Callable[[], _Member], error: type[Exception], step: int) -> None:
        self._file = file
        self._begin = begin
        self._error = error
        self._step = step
        self._member: _Member | None = None
        self._member_at = 0
        self._compressed = b""
        self._ready = memoryview(b"")
        self._damage: DamagedArchive | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Read as RawIOBase does. Raises DamagedArchive, EOFError for a member without its end, OSError."""
        while not self._ready:
            if self._damage is not None:
                raise self._damage
            self._compressed = self._compressed or self._file.read(self._step)
            if not self._compressed and self._member is None:
                return 0
            if not self._compressed:
                raise EOFError("its end is missing")
            self._ready = memoryview(self._decompress())
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size

    def _decompress(self) -> bytes:
        compressed, self._compressed = self._compressed, b""
        if self._member is None:
            self._member, self._member_at = self._begin(), self._file.tell() - len(compressed)
        try:
            content = self._member.decompress(compressed)
        except self._error as error:
            self._damage = DamagedArchive(str(error))
            return self._salvage(self._file.tell() - len(compressed), len(compressed))
        if self._member.eof:
            self._compressed, self._member = self._member.unused_data, None
        return content

    def _salvage(self, start: int, size: int) -> bytes:
        """Return the content of `size` bytes at `start` up to the damage, byte by byte.

        The library returns nothing for a chunk that has a damaged byte anywhere.
        """
        member, content = self._begin(), []
        self._file.seek(self._member_at)
        while left := start - self._file.tell():
            member.decompress(self._file.read(min(left, self._step)))
        with contextlib.suppress(self._error):
            for _ in range(size):
                content.append(member.decompress(self._file.read(1)))  # noqa: PERF401  # what comes before an error is kept
        return b"".join(content)


class MemberStream(Protocol):
    """A member that is being written."""

    def write(self, data: bytes | memoryview) -> bytes:
        """Compress data, and return the compressed bytes that are ready, perhaps none."""

    def sync(self) -> bytes:
        """Return the rest of what was written so far, up to a byte boundary."""


class Codec(Protocol):
    """A compression format."""

    def begin(self) -> MemberStream:
        """Begin a new member."""

    def trailer(self, crc: int, size: int) -> bytes:
        """Return the bytes that complete a synced member whose content has this CRC-32 and length."""

    def reader(self, file: BinaryIO) -> BinaryIO:
        """Return a reader for the content of all members of `file`.

        Reading raises DamagedArchive at damaged content, EOFError where the end of a member is missing, and OSError.
        """


class Gzip:
    """gzip by isal at level 1: within 15 % of the size of gzip -6 on log records, at about forty times its speed."""

    def begin(self) -> MemberStream:
        return _GzipStream()

    def trailer(self, crc: int, size: int) -> bytes:
        """Return an empty final block, the CRC-32, and the length modulo 2^32."""
        return _EMPTY_FINAL_DEFLATE_BLOCK + struct.pack("<II", crc, size & 0xFFFFFFFF)

    def reader(self, file: BinaryIO) -> BinaryIO:
        content = _Decompressed(file, partial(isal_zlib.decompressobj, 31), _GZIP_ERROR, _GZIP_INPUT)
        return io.BufferedReader(content, _BUFFER)


class _GzipStream:
    def __init__(self) -> None:
        self._header = _GZIP_HEADER
        self._deflate = isal_zlib.compressobj(1, isal_zlib.DEFLATED, -15)

    def write(self, data: bytes | memoryview) -> bytes:
        header, self._header = self._header, b""
        return header + self._deflate.compress(data)

    def sync(self) -> bytes:
        return self._deflate.flush(isal_zlib.Z_SYNC_FLUSH)


class Zstd:
    """Zstandard at level 3, without content checksum, because that needs the compressor that wrote the frame."""

    def begin(self) -> MemberStream:
        return _ZstdStream()

    def trailer(self, crc: int, size: int) -> bytes:
        """Return an empty last block."""
        return _EMPTY_FINAL_ZSTD_BLOCK

    def reader(self, file: BinaryIO) -> BinaryIO:
        content = _Decompressed(file, zstandard.ZstdDecompressor().decompressobj, zstandard.ZstdError, _ZSTD_INPUT)
        return io.BufferedReader(content, _BUFFER)


class _ZstdStream:
    def __init__(self) -> None:
        compressor = zstandard.ZstdCompressor(level=3, write_checksum=False, write_content_size=False)
        self._frame = compressor.compressobj()

    def write(self, data: bytes | memoryview) -> bytes:
        return self._frame.compress(data)

    def sync(self) -> bytes:
        return self._frame.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


class Uncompressed:
    """No compression. A member has no trailer."""

    def begin(self) -> MemberStream:
        return _PlainStream()

    def trailer(self, crc: int, size: int) -> bytes:
        return b""

    def reader(self, file: BinaryIO) -> BinaryIO:
        return file


class _PlainStream:
    def write(self, data: bytes | memoryview) -> bytes:
        return bytes(data)

    def sync(self) -> bytes:
        return b""


def codec_for(path: str) -> Codec:
    """Return the codec for the suffix of a path."""
    if path.endswith(".gz"):
        return Gzip()
    if path.endswith(".zst"):
        return Zstd()
    return Uncompressed()
