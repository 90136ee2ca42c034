"""A process that `workers` starts: reads windows from standard input and writes their parts to standard output.

It imports neither an event loop nor a broker, because each worker pays for its imports in start-up time and memory.
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
"""The parts of a window; None if the shipper has to encode it itself."""

LENGTH = struct.Struct(">I")
"""The length in bytes before each frame."""

Job = tuple[Window, int, float]
"""A window, the index of its input, and the time when it was read (Unix time)."""


def frame(content: object) -> bytes:
    """Return `content` as a frame: its pickle, with the length in front."""
    pickled = pickle.dumps(content, pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(pickled)) + pickled


def _read_frame(file: BinaryIO) -> object | None:
    """Return the content of the next frame; None at the end, and for a frame that the end of the shipper cut off."""
    head = file.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    pickled = file.read(length)
    return pickle.loads(pickled) if len(pickled) == length else None  # noqa: S301  # written by `workers`


def main() -> None:
    """Encode windows until standard input ends or the shipper is gone."""
    collect_seldom()
    try:
        _serve()
    except BrokenPipeError:
        os._exit(0)  # the shipper was killed; a normal exit would try to flush standard output to it


def _serve() -> None:
    inputs = _read_frame(sys.stdin.buffer)
    if not isinstance(inputs, list):
        return  # the shipper was killed before it had sent them
    while isinstance(job := _read_frame(sys.stdin.buffer), tuple):
        window, index, now = job
        sys.stdout.buffer.write(frame(_made(window, inputs[index], now)))
        sys.stdout.buffer.flush()


def _made(window: Window, settings: Input, now: float) -> Made:
    try:
        return all_parts(window, settings, now)
    except Exception:  # noqa: BLE001  # the shipper tries again, and logs and counts the failure
        return None


if __name__ == "__main__":
    main()
