"""An archive file that is being written: each write appends to the last commit and leaves a file that zcat can read.

Bytes up to the state's `length` are never changed again, and the trailer behind them is overwritten by the next write.
After a write that is not committed the segment is abandoned, because its compressor has consumed the uncommitted data:
`repair` restores the file, and the next segment object begins a new member.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from isal import isal_zlib

from logrouter.destinations.archive.codec import Codec, MemberStream, codec_for
from logrouter.destinations.archive.directory import Directory
from logrouter.destinations.archive.path_template import open_name
from logrouter.ledger.ledger import FileState
from logrouter.support.failpoint import reach


class SyncFailed(OSError):
    """The error of an fdatasync call."""


class ArchiveSegment:
    """An open file. Its methods block on the disk: call them in a thread, one at a time."""

    def __init__(self, directory: Directory, state: FileState) -> None:
        self._directory = directory
        self._name = open_name(state.path, state.segment)
        self._codec: Codec = codec_for(state.path)
        self._stream: MemberStream | None = None
        self._fresh = state.commits == 0
        self.committed = self.written = state
        self._fd = directory.open(self._name, os.O_RDWR | (os.O_CREAT | os.O_EXCL if self._fresh else 0))

    def write(self, chunks: Sequence[bytes], records: int) -> FileState:
        """Append durably, and return the state after it.

        Raises OSError; the content behind the last commit is then unknown. After SyncFailed, an OSError, the file
        cannot be written again: a second fsync would report success for pages that the kernel has dropped.
        """
        if os.fstat(self._fd).st_nlink == 0:
            raise FileNotFoundError(f"{self._name} was removed while it was open")
        state = self.committed
        if self._stream is None:
            state = begin_member(state)
            self._stream = self._codec.begin()
        # In one piece, because between two calls this thread waits for the interpreter lock, which is busy.
        data = b"".join(chunks)
        crc, size = isal_zlib.crc32(data), len(data)
        compressed = self._stream.write(data) + self._stream.sync()
        self.written = replace(
            state,
            length=state.length + len(compressed),
            member_crc=isal_zlib.crc32_combine(state.member_crc, crc, size),
            member_size=state.member_size + size,
            size=state.size + size,
            records=state.records + records,
            commits=state.commits + 1,
            crc=isal_zlib.crc32_combine(state.crc, crc, size) if state.crc >= 0 else state.crc,
        )
        reach("archive.write.before")
        write_fully(self._fd, compressed + trailer(self.written), state.length)
        reach("archive.write.after")
        try:
            reach("archive.sync.before")
            os.fdatasync(self._fd)
        except OSError as error:
            raise SyncFailed(*error.args) from error
        reach("archive.sync.after")
        if self._fresh:
            self._directory.sync(self._name)
            reach("archive.named")
        return self.written

    def commit(self) -> None:
        """Note that the ledger has the state `written`."""
        self.committed = self.written
        self._fresh = False

    def abandon(self) -> None:
        """Close a file whose last write will not be committed. A file that was never committed is removed."""
        self.close()
        if self._fresh:
            self._directory.remove(self._name)

    def close(self) -> None:
        os.close(self._fd)


def repair(directory: Directory, state: FileState, torn: str = "") -> bool:
    """Make an open file end where the ledger states. Report whether it had to be changed.

    torn: the name of a file that keeps what was behind the commit, '' for none.
    Raises FileNotFoundError if the file is gone, EOFError if it is shorter than its committed length, OSError.
    """
    fd = directory.open(open_name(state.path, state.segment), os.O_RDWR)
    try:
        end, actual = trailer(state), os.fstat(fd).st_size
        if actual < state.length:
            raise EOFError(f"{actual} bytes of {state.length}")
        if actual == state.length + len(end) and os.pread(fd, len(end), state.length) == end:
            return False
        if torn:
            _copy_tail(fd, state.length, directory, torn)
        os.ftruncate(fd, state.length)
        reach("archive.repair.cut")
        write_fully(fd, end, state.length)
        reach("archive.repair.ended")
        os.fdatasync(fd)
        reach("archive.repair.after")
        return True
    finally:
        os.close(fd)


def _copy_tail(fd: int, offset: int, directory: Directory, name: str) -> None:
    copy = directory.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        while chunk := os.pread(fd, 1 << 20, offset):
            os.write(copy, chunk)
            offset += len(chunk)
        os.fsync(copy)
    finally:
        os.close(copy)
    directory.sync(name)


def trailer(state: FileState) -> bytes:
    """Return the bytes behind `length`, which complete the last member; b"" if there is no member yet."""
    return codec_for(state.path).trailer(state.member_crc, state.member_size) if state.commits else b""


def begin_member(state: FileState) -> FileState:
    """Return the state with its last member complete for good: its trailer now counts towards `length`."""
    return replace(state, length=state.length + len(trailer(state)), member_crc=0, member_size=0)


def write_fully(fd: int, data: bytes, offset: int) -> None:
    """Write all of `data` at `offset`, in several calls if needed. Raises OSError."""
    view = memoryview(data)
    while view:
        done = os.pwrite(fd, view, offset)
        view, offset = view[done:], offset + done
