"""Unwrap the lines in which container engines store a program's output. Pure.

The formats are the json-file driver of Docker and Podman, and the log files of the Kubernetes container runtime
interface (containerd, CRI-O). `unwrap` returns the program's own bytes, and the time and the stream of the output. An
engine splits a long line into pieces, and all but the last are partial. A line that is not wrapped is its own content.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

DOCKER, CRI = "docker", "cri"

_CRI = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([FP])(?::[^ ]*)? ")


class Unwrapped(NamedTuple):
    """A line, or a piece of one, as the program wrote it.

    content: without the newline.   time: RFC 3339, '' if unknown.   stream: stdout, stderr or '' if unknown.
    is_partial: the next line continues this one.   attributes: what Docker is configured to add to each line.
    """

    content: bytes
    time: str = ""
    stream: str = ""
    is_partial: bool = False
    attributes: dict[str, Any] | None = None


class _DockerLine(msgspec.Struct):
    log: str
    stream: str = ""
    time: str = ""
    attrs: dict[str, Any] | None = None


_entries = msgspec.json.Decoder(_DockerLine)


def unwrap(line: bytes, wrapping: str) -> Unwrapped:
    """Return what the program wrote. line: without its newline.   wrapping: DOCKER or CRI."""
    return _docker(line) if wrapping == DOCKER else _cri(line)


def _docker(line: bytes) -> Unwrapped:
    try:
        entry = _entries.decode(line)
        content = entry.log.encode()
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Unwrapped(line)
    whole = content.removesuffix(b"\n")
    is_partial = len(whole) == len(content)
    return Unwrapped(whole, entry.time, entry.stream, is_partial, entry.attrs)


def _cri(line: bytes) -> Unwrapped:
    head = _CRI.match(line)
    if head is None:
        return Unwrapped(line)
    return Unwrapped(line[head.end() :], head[1].decode(), head[2].decode(), head[3] == b"P")
