"""The end of an archive file: a day that is over, or a size reached, gives the open file its final name.

In comes the committed state of an open file, out goes the state of the final one, which stands beside it until the
ledger knows: only then is the open name removed. A crash in between leaves both, and the ledger says which counts.
Files made of many small commits are compressed again, since a sync after each line costs up to twice the bytes.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import BinaryIO

from isal import isal_zlib

from logrouter.destinations.archive.codec import Uncompressed, codec_for
from logrouter.destinations.archive.directory import Directory
from logrouter.destinations.archive.path_template import final_name, open_name
from logrouter.destinations.archive.segment import repair, trailer
from logrouter.ledger.ledger import FileState
from logrouter.support.failpoint import reach

_SMALL_COMMIT = 64 << 10
"""Uncompressed bytes per commit below which compressing again pays: above, syncs cost under 2 %."""

_CHUNK = 1 << 20


def is_due(state: FileState, today: str, rotate_size: int) -> bool:
    """Whether an open file is to be finished: its day is over, or it holds `rotate_size` uncompressed bytes."""
    return bool(state.day and state.day < today) or state.size >= rotate_size


def make_final(directory: Directory, state: FileState) -> FileState:
    """Put the final file beside the open one, durably, and return its state. Raises OSError, EOFError."""
    source, final = open_name(state.path, state.segment), final_name(state.path, state.segment)
    repair(directory, state)
    directory.remove(final)  # left over from a finishing that a crash cut short: the open file still has it all
    if state.size >= state.commits * _SMALL_COMMIT or isinstance(codec_for(state.path), Uncompressed):
        directory.link(source, final)
        return replace(state, state="finishing")
    temporary = final + ".new"
    directory.remove(temporary)
    with (
        os.fdopen(directory.open(source, os.O_RDONLY), "rb") as old,
        os.fdopen(directory.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as new,
    ):
        packed = _compress_again(old, new, state)
        new.flush()
        reach("archive.final.written")
        os.fsync(new.fileno())
        reach("archive.final.synced")
    directory.rename(temporary, final)
    return replace(packed, state="finishing")


def _compress_again(old: BinaryIO, new: BinaryIO, state: FileState) -> FileState:
    codec = codec_for(state.path)
    stream, content = codec.begin(), codec.reader(old)
    length = crc = size = 0
    while chunk := content.read(_CHUNK):
        length += new.write(stream.write(chunk))
        crc, size = isal_zlib.crc32(chunk, crc), size + len(chunk)
    length += new.write(stream.sync())
    if size != state.size or state.crc not in (crc, -1):
        raise EOFError(f"{state.path} holds {size} bytes, CRC {crc:08x}; the ledger says {state.size}, {state.crc:08x}")
    packed = replace(state, length=length, member_crc=crc, member_size=size, commits=1, crc=crc)
    new.write(trailer(packed))
    return packed
