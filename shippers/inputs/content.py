"""What an open file holds: its bytes as they are, or those of what it is a packing of.

In comes a file descriptor, out go bytes at positions. Of a compressed file (gzip, zstd, xz, by its name and how it
begins) they are those that were compressed; of a UTF-16 file with a byte order mark they are its text in UTF-8, the
mark included. Such content can only be had from its beginning onwards, and a little of it is kept behind.
"""

from __future__ import annotations

import codecs
import gzip
import io
import os
import zlib
from collections.abc import Callable
from typing import Protocol

from logrouter.errors import LogrouterError
from logrouter.observe.events import FILE_DAMAGED

_CHUNK = 64 << 10
"""Bytes that are made ready beyond what was read, so that it is known whether there is more."""

_BEHIND = 64 << 10
"""Bytes that are kept for whoever looks back; beyond that all is unpacked again."""

_MARKS = {codecs.BOM_UTF16_LE: ("utf-16-le", 1), codecs.BOM_UTF16_BE: ("utf-16-be", 0)}
"""The encoding, and which byte of two is the higher one."""

_HEAD = 1024
_LONGEST_MAGIC = 6


class Rewritten(LogrouterError):
    """A file no longer holds what was read from it: it was truncated, or written anew."""


class Damaged(LogrouterError):
    """Compressed content that cannot be unpacked."""


class Content(Protocol):
    """What a file holds. ended: nothing more will ever come."""

    ended: bool

    def size(self, on_disk: int) -> int:
        """How many bytes there are, as far as is known, in a file that has so many. Raises Rewritten, OSError."""

    def read(self, count: int, offset: int) -> bytes:
        """Up to `count` bytes; fewer only where there are no more. Raises Rewritten, OSError."""

    def rest(self) -> None:
        """It is not read for a while: keep little in memory."""


class Plain:
    """A file whose bytes are its content."""

    ended = False

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def size(self, on_disk: int) -> int:
        """All of it."""
        return on_disk

    def read(self, count: int, offset: int) -> bytes:
        """What stands there."""
        return os.pread(self._fd, count, offset)

    def rest(self) -> None:
        """Nothing is kept."""


class Packed:
    """A file whose content has to be made from its beginning on.   path: for what is said of it."""

    def __init__(self, fd: int, path: str, unpack: Callable[[io.RawIOBase], _Stream]) -> None:
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
        self._source = _Source(self._fd)
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
            self._failed_at, self.ended = -1, False
            self._start()  # there was only half of it
        self._make_ready(self._reached + _CHUNK)
        self._known = max(self._known, self._end)
        return self._known

    def read(self, count: int, offset: int) -> bytes:
        """Made ready if need be, from the beginning if it lies too far back."""
        if offset < self._begin:
            self._begin, self._failed_at, self.ended = 0, -1, False
            self._ready.clear()
            self._start()
        self._wanted = offset
        self._make_ready(offset + count)
        self._reached = offset + count
        found = bytes(self._ready[offset - self._begin : offset - self._begin + count])
        self._forget(offset - _BEHIND)
        return found

    def rest(self) -> None:
        """Keep what a look back needs."""
        self._forget(self._end - _BEHIND)

    def _forget(self, before: int) -> None:
        if before >= self._begin + _BEHIND:
            del self._ready[: before - self._begin]
            self._begin = before

    def _make_ready(self, end: int) -> None:
        while self._end < end and not self.ended and self._failed_at < 0:
            try:
                chunk = self._stream.read(_CHUNK)
            except EOFError:
                self._failed_at = os.fstat(self._fd).st_size
                return
            except Damaged as error:
                FILE_DAMAGED.happened(path=self._path, position=self._end, reason=error)
                self._failed_at = os.fstat(self._fd).st_size
                return
            if not chunk:
                self.ended = self._stream.ends
                return
            known = max(0, min(self._end - self._made, len(chunk)))
            self._made += len(chunk)
            self._ready += chunk[known:]
            self._forget(min(self._end, self._wanted) - _BEHIND)


class _Stream(Protocol):
    """ends: whether there is nothing behind the end, or the file may grow."""

    ends: bool

    def read(self, count: int) -> bytes:
        """Some of what follows; nothing at the end. Raises EOFError where the end is missing."""


class _Readable(Protocol):
    def read(self, count: int, /) -> bytes: ...


class _Source(io.RawIOBase):
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
            return self._file.read(count)
        except self._errors as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # not the content, but the disk
            raise Damaged(str(error)) from error


class _Text:
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


def _gzip(source: io.RawIOBase) -> _Stream:
    return _Compressed(gzip.GzipFile(fileobj=io.BufferedReader(source)), zlib.error, gzip.BadGzipFile)


def _zstd(source: io.RawIOBase) -> _Stream:
    import zstandard  # noqa: PLC0415  # most hosts have no such file

    reader = zstandard.ZstdDecompressor().stream_reader(io.BufferedReader(source), read_across_frames=True)
    return _Compressed(reader, zstandard.ZstdError)


def _xz(source: io.RawIOBase) -> _Stream:
    import lzma  # noqa: PLC0415  # most hosts have no such file

    return _Compressed(lzma.LZMAFile(io.BufferedReader(source)), lzma.LZMAError)


_PACKINGS = {".gz": (b"\x1f\x8b", _gzip), ".zst": (b"\x28\xb5\x2f\xfd", _zstd), ".xz": (b"\xfd7zXZ\x00", _xz)}


def content_of(fd: int, path: str) -> Content:
    """What a file holds that is not empty."""
    head = os.pread(fd, _HEAD, 0)
    encoding, higher = _MARKS.get(head[:2], ("", 0))
    if encoding and 0 in head[2 + higher :: 2]:  # text of any language has a newline, a blank, a digit
        return Packed(fd, path, lambda source: _Text(source, encoding))
    for ending, (magic, unpack) in _PACKINGS.items():
        if path.endswith(ending) and head.startswith(magic):
            return Packed(fd, path, unpack)
    return Plain(fd)
