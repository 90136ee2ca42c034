"""Compression that can stop at any commit: a stream that is synced, and the few bytes that close it there.

In come chunks, out go compressed bytes. After `sync` everything given so far is in the output on a byte boundary, and
`trailer` makes of it a whole member (gzip: RFC 1952, deflate: RFC 1951 section 3.2.3; zstd: RFC 8878 section 3.1.1)
without the compressor that wrote it. So a file is readable by plain zcat after each commit, and recovery needs only the
ledger's crc and size.
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
_GZIP_ERROR: Any = isal_zlib.error  # isal's stub takes its class for an instance
_GZIP_INPUT, _ZSTD_INPUT = 4 << 10, 1 << 10
"""Bytes that are unpacked at a time: a zstd block of four may stand for 128 KiB."""


class DamagedArchive(OSError):
    """A file does not hold what was written to it."""


class _Member(Protocol):
    """What unpacks one member, an object of the library.   eof: it has ended.   unused_data: what came behind that."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


class _Decompressed(io.RawIOBase):
    """The content of all members of a file, which is unpacked `step` bytes at a time.

    error: what the library raises for a member that is damaged; all that stands before the damage is given first.
    """

    def __init__(self, file: BinaryIO, begin: Callable[[], _Member], error: type[Exception], step: int) -> None:
        self._file = file
        self._begin = begin
        self._error = error
        self._step = step
        self._member: _Member | None = None
        self._member_at = 0
        self._packed = b""
        self._ready = memoryview(b"")
        self._damage: DamagedArchive | None = None

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See RawIOBase. Raises Damaged, EOFError for a member without its end, OSError."""
        while not self._ready:
            if self._damage is not None:
                raise self._damage
            self._packed = self._packed or self._file.read(self._step)
            if not self._packed and self._member is None:
                return 0
            if not self._packed:
                raise EOFError("its end is missing")
            self._ready = memoryview(self._unpack())
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size

    def _unpack(self) -> bytes:
        packed, self._packed = self._packed, b""
        if self._member is None:
            self._member, self._member_at = self._begin(), self._file.tell() - len(packed)
        try:
            content = self._member.decompress(packed)
        except self._error as error:
            self._damage = DamagedArchive(str(error))
            return self._salvage(self._file.tell() - len(packed), len(packed))
        if self._member.eof:
            self._packed, self._member = self._member.unused_data, None
        return content

    def _salvage(self, start: int, size: int) -> bytes:
        """What the bytes hold of which one is damaged, up to that one: the library gives nothing of them at once."""
        member, content = self._begin(), []
        self._file.seek(self._member_at)
        while left := start - self._file.tell():
            member.decompress(self._file.read(min(left, self._step)))
        with contextlib.suppress(self._error):
            for _ in range(size):
                content.append(member.decompress(self._file.read(1)))  # noqa: PERF401  # what came before an error counts
        return b"".join(content)


class MemberStream(Protocol):
    """One member being written."""

    def write(self, data: bytes | memoryview) -> bytes:
        """Compressed bytes that are ready, perhaps none."""

    def sync(self) -> bytes:
        """The rest of what was written so far, ending on a byte boundary."""


class Codec(Protocol):
    """A compression format."""

    def begin(self) -> MemberStream:
        """A new member."""

    def trailer(self, crc: int, size: int) -> bytes:
        """What closes a synced member whose content has this CRC-32 and length."""

    def reader(self, file: BinaryIO) -> BinaryIO:
        """The content of all members of `file`. Reading raises Damaged or EOFError where they are; OSError."""


class Gzip:
    """gzip by isal at level 1: within 15 % of gzip -6 on log records, at some forty times its speed."""

    def begin(self) -> MemberStream:
        """A new gzip member."""
        return _GzipStream()

    def trailer(self, crc: int, size: int) -> bytes:
        """An empty final block, CRC-32 and length modulo 2^32."""
        return _EMPTY_FINAL_DEFLATE_BLOCK + struct.pack("<II", crc, size & 0xFFFFFFFF)

    def reader(self, file: BinaryIO) -> BinaryIO:
        """All members of the file."""
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
    """Zstandard at level 3, without content checksum: the checksum could not be made without the compressor."""

    def begin(self) -> MemberStream:
        """A new zstd frame."""
        return _ZstdStream()

    def trailer(self, crc: int, size: int) -> bytes:
        """An empty last block."""
        return _EMPTY_FINAL_ZSTD_BLOCK

    def reader(self, file: BinaryIO) -> BinaryIO:
        """All frames of the file."""
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
    """No compression; the member has no end mark."""

    def begin(self) -> MemberStream:
        """Bytes as they are."""
        return _PlainStream()

    def trailer(self, crc: int, size: int) -> bytes:
        """Nothing."""
        return b""

    def reader(self, file: BinaryIO) -> BinaryIO:
        """The file itself."""
        return file


class _PlainStream:
    def write(self, data: bytes | memoryview) -> bytes:
        return bytes(data)

    def sync(self) -> bytes:
        return b""


def codec_for(path: str) -> Codec:
    """The codec that a file's suffix asks for."""
    if path.endswith(".gz"):
        return Gzip()
    if path.endswith(".zst"):
        return Zstd()
    return Uncompressed()
