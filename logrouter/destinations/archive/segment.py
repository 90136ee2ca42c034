"""One archive file being written: every write appends to the last commit and leaves a file that zcat reads whole.

In come chunks and the state that the ledger has, out goes the state after them. Bytes up to `length` are never touched
again; the trailer behind them is overwritten by the next write. After a write that is not committed the segment is
abandoned, for its compressor has seen too much: `repair` puts the file back, and whoever opens it next begins a new
member.
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
    """fdatasync reported an error."""


class ArchiveSegment:
    """An open file. Its methods block on the disk and belong into a thread, one at a time."""

    def __init__(self, directory: Directory, state: FileState) -> None:
        self._directory = directory
        self._name = open_name(state.path, state.segment)
        self._codec: Codec = codec_for(state.path)
        self._stream: MemberStream | None = None
        self._fresh = state.commits == 0
        self.committed = self.written = state
        self._fd = directory.open(self._name, os.O_RDWR | (os.O_CREAT | os.O_EXCL if self._fresh else 0))

    def write(self, chunks: Sequence[bytes], records: int) -> FileState:
        """Append durably and return the state after it.

        Raises OSError: the file is then unknown beyond the last commit. SyncFailed is the OSError after which the
        handle cannot be trusted: a second fsync would report success for pages that the kernel has dropped.
        """
        if os.fstat(self._fd).st_nlink == 0:
            raise FileNotFoundError(f"{self._name} was removed while it was open")
        state = self.committed
        if self._stream is None:
            state = begin_member(state)
            self._stream = self._codec.begin()
        # In one piece: between two calls a thread waits for its turn with the interpreter, which is busy.
        data = b"".join(chunks)
        crc, size = isal_zlib.crc32(data), len(data)
        packed = self._stream.write(data) + self._stream.sync()
        self.written = replace(
            state,
            length=state.length + len(packed),
            member_crc=isal_zlib.crc32_combine(state.member_crc, crc, size),
            member_size=state.member_size + size,
            size=state.size + size,
            records=state.records + records,
            commits=state.commits + 1,
            crc=isal_zlib.crc32_combine(state.crc, crc, size) if state.crc >= 0 else state.crc,
        )
        reach("archive.write.before")
        write_fully(self._fd, packed + trailer(self.written), state.length)
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
        """The ledger has the state that was written."""
        self.committed = self.written
        self._fresh = False

    def abandon(self) -> None:
        """Let go of a file whose last write will not be committed; one that was never committed is removed."""
        self.close()
        if self._fresh:
            self._directory.remove(self._name)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)


def repair(directory: Directory, state: FileState, torn: str = "") -> bool:
    """Make an open file end where the ledger says; say whether it did not.

    torn: keep what was behind the commit in a file of this name. Raises FileNotFoundError if the file is gone,
    EOFError if it is shorter than its committed length, OSError.
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
    """What stands behind `length`: it closes the last member; nothing where there is no member yet."""
    return codec_for(state.path).trailer(state.member_crc, state.member_size) if state.commits else b""


def begin_member(state: FileState) -> FileState:
    """The state with its last member closed for good: its trailer now counts as content of the file."""
    return replace(state, length=state.length + len(trailer(state)), member_crc=0, member_size=0)


def write_fully(fd: int, data: bytes, offset: int) -> None:
    """Write all of `data` at `offset`; a short write is continued. Raises OSError."""
    view = memoryview(data)
    while view:
        done = os.pwrite(fd, view, offset)
        view, offset = view[done:], offset + done
