"""Reads the content of an open file by position: its bytes, or what they decompress or decode to.

The content of a compressed file (gzip, bzip2, xz, zstd, by its name and first bytes) is what was compressed. That of a
UTF-16 file with a byte order mark is its text in UTF-8, the mark included. Such content is decoded from its beginning
onwards only, and only a little of it stays in memory behind the position.
"""

from __future__ import annotations

import codecs
import functools
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
"""Bytes that are decoded beyond what was read, to find out whether there is more."""

_KEPT = 64 << 10
"""Bytes that are kept behind the position for reads that look back. To look back further, all is decoded again."""

_TURN = 4 << 20
"""Bytes that are decoded in one turn: the lines of other files wait meanwhile."""

_BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: ("utf-16-le", 1), codecs.BOM_UTF16_BE: ("utf-16-be", 0)}
"""The encoding of each mark, and which byte of two is the higher one."""

_ZSTD_INPUT = 1 << 10
"""Compressed bytes per step: each byte may give 32 KiB of output or more, and nothing else bounds the output."""

_INCOMPLETE_AFTER = 60.0
"""Seconds without a change after which nobody is expected to finish a compressed file that has no end."""

_HEAD = 1024
_LONGEST_MAGIC = 6


class Rewritten(LogrouterError):
    """A file no longer holds what was read from it, because it was truncated or rewritten."""


class NotReady(LogrouterError):
    """More has to be decoded before these bytes can be read: try again."""


class Damaged(LogrouterError):
    """Compressed content cannot be decompressed."""


class Content(Protocol):
    """The content of a file, addressed by position.

    ended: all of it is known, unless the file grows.
    behind: content that was decoded before has to be decoded again, and has not been yet.
    """

    ended: bool

    @property
    def behind(self) -> bool: ...

    def size(self, on_disk: int) -> int:
        """Return the size of the content as far as is known, of a file with that size. Raises Rewritten, OSError."""

    def read(self, count: int, offset: int, *, at_once: bool = True) -> bytes:
        """Return up to `count` bytes; fewer only where the content ends.

        Raises Rewritten and OSError, and NotReady unless `at_once`.
        """

    def rest(self) -> None:
        """Release memory, because the content is not read for a while."""


@functools.lru_cache(maxsize=1024)
def _report_damage(path: str, inode: int, position: int, reason: str) -> None:
    """Log damage once, however often the file is opened to find out which generation it is."""
    FILE_DAMAGED.happened(path=path, position=position, reason=reason)


class Plain:
    """A file whose bytes are its content."""

    __slots__ = ("_fd",)  # there are as many as files
    ended = behind = False

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def size(self, on_disk: int) -> int:
        return on_disk

    def read(self, count: int, offset: int, *, at_once: bool = True) -> bytes:
        return os.pread(self._fd, count, offset)

    def rest(self) -> None:
        """Do nothing: no content is held in memory."""


class Decoded:
    """A file whose content is decoded from its beginning onwards: compressed, or UTF-16.   path: for messages."""

    def __init__(self, fd: int, path: str, decode: Callable[[io.RawIOBase], _DecodedStream]) -> None:
        self._fd = fd
        self._path = path
        self._decode = decode
        self._begin = 0
        self._ready = bytearray()
        self._reached = self._known = self._wanted = 0
        self._failed_at = -1
        self.ended = False
        self._start()

    def _start(self) -> None:
        self._source = _EncodedBytes(self._fd)
        self._stream = self._decode(self._source)
        self._made = 0

    @property
    def _end(self) -> int:
        return self._begin + len(self._ready)

    def size(self, on_disk: int) -> int:
        """Decode a little beyond what was read, and return the size of all that was decoded so far."""
        if on_disk < self._source.offset:
            raise Rewritten(f"{self._path} has {on_disk} bytes, and {self._source.offset} were read")
        if self._failed_at not in (-1, on_disk) or (self.ended and on_disk > self._source.offset):
            self._restart()  # the file was incomplete before
        self._decode_to(self._reached + _CHUNK, _TURN)
        self._known = max(self._known, self._end)
        return self._known

    @property
    def behind(self) -> bool:
        """Whether content that was decoded before has to be decoded again, and has not been yet."""
        return self._end < self._known and not self.ended and self._failed_at < 0

    def read(self, count: int, offset: int, *, at_once: bool = True) -> bytes:
        """Decode what is missing, from the beginning if `offset` lies too far back, and return up to `count` bytes.

        Raises Rewritten and OSError, and NotReady unless `at_once`.
        """
        if offset < self._begin:
            self._restart()
        self._wanted = offset
        if not self._decode_to(offset + count, math.inf if at_once else _TURN):
            raise NotReady(f"{self._path} is decoded up to {self._end}")
        self._reached = offset + count
        found = bytes(self._ready[offset - self._begin : offset - self._begin + count])
        self._forget(offset - _KEPT)
        return found

    def _restart(self) -> None:
        self._begin, self._failed_at, self.ended = 0, -1, False
        self._ready.clear()
        self._start()

    def rest(self) -> None:
        """Keep only what a look back needs; at the end of the content, release the decoder too."""
        self._forget(self._end - _KEPT)
        if self.ended:
            self._stream = _AtEnd()

    def _forget(self, before: int) -> None:
        if before >= self._begin + _KEPT:
            del self._ready[: before - self._begin]
            self._begin = before

    def _decode_to(self, end: int, most: float) -> bool:
        """Decode up to position `end`, but at most `most` bytes. Return False if there is more to decode before it."""
        last = self._made + most
        while self._end < end and not self.ended and self._failed_at < 0:
            if self._made >= last:
                return False
            try:
                chunk = self._stream.read(_CHUNK)
            except EOFError:
                status = os.fstat(self._fd)
                self._failed_at = status.st_size
                if time.time() - status.st_mtime > _INCOMPLETE_AFTER:
                    _report_damage(self._path, status.st_ino, self._end, "the end of the file is missing")
                break
            except Damaged as error:
                status = os.fstat(self._fd)
                self._failed_at = status.st_size
                _report_damage(self._path, status.st_ino, self._end, str(error))
                break
            if not chunk:
                self.ended = self._stream.ends
                break
            known = max(0, min(self._end - self._made, len(chunk)))
            self._made += len(chunk)
            self._ready += chunk[known:]
            self._forget(min(self._end, self._wanted) - _KEPT)
        return True


class _DecodedStream(Protocol):
    """A stream of decoded bytes.   ends: whether its end is final; that of a file that may grow is not."""

    ends: bool

    def read(self, count: int) -> bytes:
        """Return some of the bytes that follow, none at the end. Raises EOFError if the end is missing."""


class _Readable(Protocol):
    def read1(self, count: int, /) -> bytes: ...


class _EncodedBytes(io.RawIOBase):
    """The bytes of a file from its beginning on. The descriptor's own offset is not used.

    A read raises Rewritten if the bytes that were read last are no longer there.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._last = b""
        self.offset = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed: any buffer
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
    """A decompressing file object of a library.   errors: the exceptions that it raises for damaged content."""

    ends = True

    def __init__(self, file: _Readable, *errors: type[Exception]) -> None:
        self._file = file
        self._errors = errors

    def read(self, count: int) -> bytes:
        """Return decompressed bytes. Raises Damaged, EOFError."""
        try:
            return self._file.read1(count)
        except self._errors as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk failed; the content is not at fault
            raise Damaged(str(error)) from error


class _AtEnd:
    """A stream that was read to its end. It holds no decoder, to save memory."""

    ends = True

    def read(self, count: int) -> bytes:
        return b""


class _ZstdFrames:
    """Zstandard frames in a row. The library's own reader takes a file that ends within a frame for complete."""

    ends = True

    def __init__(self, source: io.RawIOBase) -> None:
        import zstandard  # noqa: PLC0415  # most hosts have no such files

        self._source = source
        self._library = zstandard
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._is_fresh = True

    def read(self, count: int) -> bytes:
        """Return decompressed bytes. Raises EOFError, Damaged."""
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


class _Unsupported:
    """Content in a format that is known by name only. Its bytes must not be shipped as if they were lines."""

    ends = True

    def __init__(self, ending: str) -> None:
        self._ending = ending

    def read(self, count: int) -> bytes:
        """Raise Damaged."""
        raise Damaged(f"{self._ending} is not supported; have rotation compress with gzip, bzip2, xz or zstd")


class _Utf16:
    """UTF-16 text as UTF-8. A surrogate without its other half becomes three bytes that are not valid UTF-8."""

    ends = False

    def __init__(self, source: io.RawIOBase, encoding: str) -> None:
        self._source = source
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")

    def read(self, count: int) -> bytes:
        while content := self._source.read(count):
            if text := self._decoder.decode(content):
                return text.encode(errors="surrogatepass")
        return b""


def _gzip(source: io.RawIOBase) -> _DecodedStream:
    return _Compressed(gzip.GzipFile(fileobj=io.BufferedReader(source)), zlib.error, gzip.BadGzipFile)


def _xz(source: io.RawIOBase) -> _DecodedStream:
    import lzma  # noqa: PLC0415  # most hosts have no such files

    return _Compressed(lzma.LZMAFile(io.BufferedReader(source)), lzma.LZMAError)


def _bzip2(source: io.RawIOBase) -> _DecodedStream:
    import bz2  # noqa: PLC0415  # most hosts have no such files

    return _Compressed(bz2.BZ2File(io.BufferedReader(source)), OSError)


_FORMATS: Mapping[str, tuple[bytes, Callable[[io.RawIOBase], _DecodedStream]]] = {
    ".gz": (b"\x1f\x8b", _gzip),
    ".bz2": (b"BZh", _bzip2),
    ".xz": (b"\xfd7zXZ\x00", _xz),
    ".zst": (b"\x28\xb5\x2f\xfd", _ZstdFrames),
    ".lz4": (b"\x04\x22\x4d\x18", lambda _: _Unsupported(".lz4")),
    ".zip": (b"PK\x03\x04", lambda _: _Unsupported(".zip")),
    ".Z": (b"\x1f\x9d", lambda _: _Unsupported(".Z")),
}


def content_of(fd: int, path: str) -> Content:
    """Return the content of an open file, by its first bytes and its name. An empty file counts as plain."""
    head = os.pread(fd, _HEAD, 0)
    encoding, higher = _BYTE_ORDER_MARKS.get(head[:2], ("", 0))
    if encoding and 0 in head[2 + higher :: 2]:  # text in any language has a newline, space or digit
        return Decoded(fd, path, lambda source: _Utf16(source, encoding))
    for ending, (magic, decode) in _FORMATS.items():
        if path.endswith(ending) and head.startswith(magic):
            return Decoded(fd, path, decode)
    return Plain(fd)
