"""Finishes archive files: gives an open file its final name when its day is over or its size is reached.

The final file exists beside the open one until the ledger has its state. Only then is the open name removed. A crash in
between leaves both, and the ledger states which one counts. A file of many small commits is compressed again, because a
sync after each line costs up to twice the bytes.
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
"""Uncompressed bytes per commit below which a file is compressed again. Above, syncs cost less than 2 % of its size."""

_CHUNK = 1 << 20


def is_due(state: FileState, today: str, rotate_size: int) -> bool:
    """Report whether an open file is to be finished: its day is over, or it holds `rotate_size` uncompressed bytes.

    today: as YYYY-MM-DD.
    """
    return bool(state.day and state.day < today) or state.size >= rotate_size


def make_final(directory: Directory, state: FileState) -> FileState:
    """Create the final file beside the open one, durably, and return its state. Raises OSError, EOFError."""
    source, final = open_name(state.path, state.segment), final_name(state.path, state.segment)
    repair(directory, state)
    directory.remove(final)  # a crash may have left it before it was complete; the open file has all records
    if state.size >= state.commits * _SMALL_COMMIT or isinstance(codec_for(state.path), Uncompressed):
        directory.link(source, final)
        return replace(state, state="finishing")
    temporary = final + ".new"
    directory.remove(temporary)
    with (
        os.fdopen(directory.open(source, os.O_RDONLY), "rb") as old,
        os.fdopen(directory.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as new,
    ):
        compressed = _compress_again(old, new, state)
        new.flush()
        reach("archive.final.written")
        os.fsync(new.fileno())
        reach("archive.final.synced")
    directory.rename(temporary, final)
    return replace(compressed, state="finishing")


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
    compressed = replace(state, length=length, member_crc=crc, member_size=size, commits=1, crc=crc)
    new.write(trailer(compressed))
    return compressed
