"""One of the processes that `workers` starts: windows on standard input -> their parts on standard output, as frames.

It imports nothing of an event loop or a broker: what it loads is its start, and is there once for each of them.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
from typing import BinaryIO

from logrouter.support.memory import collect_seldom
from logrouter.wire.batch import Part
from shippers.encode.lines import Window
from shippers.encode.windows import all_parts
from shippers.input import Input

Made = tuple[Part, ...] | None
"""The parts of a window; None for one that is to be made by whoever asked."""

LENGTH = struct.Struct(">I")
"""Stands before each frame."""

Job = tuple[Window, int, float]
"""A window, which of the inputs it is of, and when it was read (Unix time)."""


def frame(content: object) -> bytes:
    """What `content` is on the way to another process."""
    packed = pickle.dumps(content, pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(packed)) + packed


def _read_frame(file: BinaryIO) -> object | None:
    """What the next frame holds; None at the end, and for a frame that the end of the shipper cut off."""
    head = file.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    packed = file.read(length)
    return pickle.loads(packed) if len(packed) == length else None  # noqa: S301  # written by `workers`


def main() -> None:
    """The process: parts for windows, until there are no more, or nobody who wants them."""
    collect_seldom()
    try:
        _serve()
    except BrokenPipeError:
        os._exit(0)  # the shipper was killed; an exit in order would try to write to it once more


def _serve() -> None:
    inputs = _read_frame(sys.stdin.buffer)
    if not isinstance(inputs, list):
        return  # the shipper was killed before it had told them
    while isinstance(job := _read_frame(sys.stdin.buffer), tuple):
        window, place, now = job
        sys.stdout.buffer.write(frame(_made(window, inputs[place], now)))
        sys.stdout.buffer.flush()


def _made(window: Window, settings: Input, now: float) -> Made:
    try:
        return all_parts(window, settings, now)
    except Exception:  # noqa: BLE001  # it is tried once more where what goes wrong is said and counted
        return None


if __name__ == "__main__":
    main()
