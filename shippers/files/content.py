"""What an open file holds: its bytes as they are, or those of what it is a packing of.

In comes a file descriptor, out go bytes at positions. Of a compressed file (gzip, zstd, xz, by its name and how it
begins) they are those that were compressed; of a UTF-16 file with a byte order mark they are its text in UTF-8, the
mark included. Such content can only be had from its beginning onwards, and a little of it is kept behind.
"""

from __future__ import annotations

import codecs
import gzip
import io
import math
import os
import time
import zlib
from collections.abc import Callable, Mapping
from typing import Protocol

from logrouter.errors import LogrouterError
from logrouter.observability.events import FILE_DAMAGED

_CHUNK = 64 << 10
"""Bytes that are made ready beyond what was read, so that it is known whether there is more."""

_BEHIND = 64 << 10
"""Bytes that are kept for whoever looks back; beyond that all is unpacked again."""

_TURN = 4 << 20
"""Bytes that are unpacked in one turn: the lines of other files wait meanwhile."""

_MARKS = {codecs.BOM_UTF16_LE: ("utf-16-le", 1), codecs.BOM_UTF16_BE: ("utf-16-be", 0)}
"""The encoding, and which byte of two is the higher one."""

_ZSTD_INPUT = 1 << 10
"""Bytes at a time: each may come to 32 KiB of output or more, and nothing bounds that otherwise."""

_UNENDED = 60.0
"""Seconds after which nobody goes on writing a compressed file that has no end."""

_HEAD = 1024
_LONGEST_MAGIC = 6


class Rewritten(LogrouterError):
    """A file no longer holds what was read from it: it was truncated, or written anew."""


class NotReady(LogrouterError):
    """There is more to unpack before that can be read: ask again."""


class Damaged(LogrouterError):
    """Compressed content that cannot be unpacked."""


class Content(Protocol):
    """What a file holds. ended: all of it is known, as long as the file does not grow.

    behind: what was read before has to be unpacked again, and is not yet.
    """

    ended: bool

    @property
    def behind(self) -> bool:
        """As above."""

    def size(self, on_disk: int) -> int:
        """How many bytes there are, as far as is known, in a file that has so many. Raises Rewritten, OSError."""

    def read(self, count: int, offset: int, *, at_once: bool = True) -> bytes:
        """Up to `count` bytes; fewer only where there are no more.

        Raises Rewritten, OSError; where it need not be at once, NotReady.
        """

    def rest(self) -> None:
        """It is not read for a while: keep little in memory."""


class Plain:
    """A file whose bytes are its content."""

    __slots__ = ("_fd",)  # there are as many as files
    ended = behind = False

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def size(self, on_disk: int) -> int:
        """All of it."""
        return on_disk

    def read(self, count: int, offset: int, *, at_once: bool = True) -> bytes:
        """What stands there."""
        return os.pread(self._fd, count, offset)

    def rest(self) -> None:
        """Nothing is kept."""


class Packed:
    """A file whose content has to be made from its beginning on.   path: for what is said of it."""

    def __init__(self, fd: int, path: str, unpack: Callable[[io.RawIOBase], _UnpackedStream]) -> None:
        self._fd = fd
        self._path = path
        self._unpack = unpack
        self._begin = 0
        self._ready = bytearray()
        self._reached = self._known = self._wanted = 0
        self._failed_at = -1
        self.ended = False
        self._start()

    def _start(self) -> None:
        self._source = _PackedBytes(self._fd)
        self._stream = self._unpack(self._source)
        self._made = 0

    @property
    def _end(self) -> int:
        return self._begin + len(self._ready)

    def size(self, on_disk: int) -> int:
        """As far as it has been made ready."""
        if on_disk < self._source.offset:
            raise Rewritten(f"{self._path} has {on_disk} bytes, and {self._source.offset} were read")
        if self._failed_at not in (-1, on_disk) or (self.ended and on_disk > self._source.offset):
            self._restart()  # there was only half of it
        self._make_ready(self._reached + _CHUNK, _TURN)
        self._known = max(self._known, self._end)
        return self._known

    @property
    def behind(self) -> bool:
        """Whether what was made ready once is not so now."""
        return self._end < self._known and not self.ended and self._failed_at < 0

    def read(self, count: int, offset: int, *, at_once: bool = True) -> bytes:
        """Made ready if need be, from the beginning if it lies too far back."""
        if offset < self._begin:
            self._restart()
        self._wanted = offset
        if not self._make_ready(offset + count, math.inf if at_once else _TURN):
            raise NotReady(f"{self._path} is unpacked up to {self._end}")
        self._reached = offset + count
        found = bytes(self._ready[offset - self._begin : offset - self._begin + count])
        self._forget(offset - _BEHIND)
        return found

    def _restart(self) -> None:
        self._begin, self._failed_at, self.ended = 0, -1, False
        self._ready.clear()
        self._start()

    def rest(self) -> None:
        """Keep what a look back needs, and nothing to unpack with at the end."""
        self._forget(self._end - _BEHIND)
        if self.ended:
            self._stream = _AtEnd()

    def _forget(self, before: int) -> None:
        if before >= self._begin + _BEHIND:
            del self._ready[: before - self._begin]
            self._begin = before

    def _make_ready(self, end: int, most: float) -> bool:
        """Unpack up to a position, or `most` bytes; false if there is more to unpack before that."""
        last = self._made + most
        while self._end < end and not self.ended and self._failed_at < 0:
            if self._made >= last:
                return False
            try:
                chunk = self._stream.read(_CHUNK)
            except EOFError:
                status = os.fstat(self._fd)
                self._failed_at = status.st_size
                if time.time() - status.st_mtime > _UNENDED:
                    FILE_DAMAGED.happened(path=self._path, position=self._end, reason="its end is missing")
                break
            except Damaged as error:
                FILE_DAMAGED.happened(path=self._path, position=self._end, reason=error)
                self._failed_at = os.fstat(self._fd).st_size
                break
            if not chunk:
                self.ended = self._stream.ends
                break
            known = max(0, min(self._end - self._made, len(chunk)))
            self._made += len(chunk)
            self._ready += chunk[known:]
            self._forget(min(self._end, self._wanted) - _BEHIND)
        return True


class _UnpackedStream(Protocol):
    """ends: whether there is nothing behind the end, or the file may grow."""

    ends: bool

    def read(self, count: int) -> bytes:
        """Some of what follows; nothing at the end. Raises EOFError where the end is missing."""


class _Readable(Protocol):
    def read1(self, count: int, /) -> bytes: ...


class _PackedBytes(io.RawIOBase):
    """The bytes of a file from its beginning on, whatever else is done with the descriptor.

    Raises Rewritten where what was read last is no longer there.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._last = b""
        self.offset = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed: any buffer
        """Fill a buffer as far as there is something."""
        before = len(self._last)
        content = os.pread(self._fd, before + len(buffer), self.offset - before)
        if content[:before] != self._last:
            raise Rewritten(f"it was rewritten before {self.offset}")
        new = content[before:]
        buffer[: len(new)] = new
        self._last = content[-_LONGEST_MAGIC:]
        self.offset += len(new)
        return len(new)


class _Compressed:
    """A file object of a library that unpacks.   errors: what that raises for content that is none."""

    ends = True

    def __init__(self, file: _Readable, *errors: type[Exception]) -> None:
        self._file = file
        self._errors = errors

    def read(self, count: int) -> bytes:
        """Unpacked. Raises Damaged too."""
        try:
            return self._file.read1(count)
        except self._errors as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # not the content, but the disk
            raise Damaged(str(error)) from error


class _AtEnd:
    """A stream of which all was read."""

    ends = True

    def read(self, count: int) -> bytes:
        """Nothing."""
        return b""


class _ZstdFrames:
    """Frames in a row. The library's own reader takes the end of a file within a frame for an end."""

    ends = True

    def __init__(self, source: io.RawIOBase) -> None:
        import zstandard  # noqa: PLC0415  # most hosts have no such file

        self._source = source
        self._library = zstandard
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._is_fresh = True

    def read(self, count: int) -> bytes:
        """Unpacked. Raises EOFError, Damaged."""
        rest = b""
        while True:
            if self._frame.eof:
                rest = self._frame.unused_data
                self._frame, self._is_fresh = self._library.ZstdDecompressor().decompressobj(), True
            content = rest or self._source.read(_ZSTD_INPUT) or b""
            rest = b""
            if not content and self._is_fresh:
                return b""
            if not content:
                raise EOFError
            try:
                output = self._frame.decompress(content)
            except self._library.ZstdError as error:
                raise Damaged(str(error)) from error
            self._is_fresh = False
            if output:
                return bytes(output)


class _Utf16:
    """UTF-16 in UTF-8; halves of pairs that have no other half become what UTF-8 has no text for, and are kept so."""

    ends = False

    def __init__(self, source: io.RawIOBase, encoding: str) -> None:
        self._source = source
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")

    def read(self, count: int) -> bytes:
        """As UTF-8."""
        while content := self._source.read(count):
            if text := self._decoder.decode(content):
                return text.encode(errors="surrogatepass")
        return b""


def _gzip(source: io.RawIOBase) -> _UnpackedStream:
    return _Compressed(gzip.GzipFile(fileobj=io.BufferedReader(source)), zlib.error, gzip.BadGzipFile)


def _xz(source: io.RawIOBase) -> _UnpackedStream:
    import lzma  # noqa: PLC0415  # most hosts have no such file

    return _Compressed(lzma.LZMAFile(io.BufferedReader(source)), lzma.LZMAError)


def _bzip2(source: io.RawIOBase) -> _UnpackedStream:
    import bz2  # noqa: PLC0415  # most hosts have no such file

    return _Compressed(bz2.BZ2File(io.BufferedReader(source)), OSError)


_PACKINGS: Mapping[str, tuple[bytes, Callable[[io.RawIOBase], _UnpackedStream]]] = {
    ".gz": (b"\x1f\x8b", _gzip),
    ".bz2": (b"BZh", _bzip2),
    ".xz": (b"\xfd7zXZ\x00", _xz),
    ".zst": (b"\x28\xb5\x2f\xfd", _ZstdFrames),
}


def content_of(fd: int, path: str) -> Content:
    """What a file holds that is not empty."""
    head = os.pread(fd, _HEAD, 0)
    encoding, higher = _MARKS.get(head[:2], ("", 0))
    if encoding and 0 in head[2 + higher :: 2]:  # text of any language has a newline, a blank, a digit
        return Packed(fd, path, lambda source: _Utf16(source, encoding))
    for ending, (magic, unpack) in _PACKINGS.items():
        if path.endswith(ending) and head.startswith(magic):
            return Packed(fd, path, unpack)
    return Plain(fd)
