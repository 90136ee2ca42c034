"""Lines as container engines wrap them -> what the program in the container wrote. Pure.

In come lines of Docker's and Podman's json-file driver, or of the log files of the container runtime interface
(Kubernetes: containerd, CRI-O); out go the program's own bytes, and when and where they were written. A long line comes
in pieces: all but the last are partial. A line that is not wrapped after all is its own content.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

DOCKER, CRI = "docker", "cri"

_CRI = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([FP])(?::[^ ]*)? ")


class Unwrapped(NamedTuple):
    """content: without the newline.   time: RFC 3339, '' for unknown.   stream: stdout, stderr or ''.

    attributes: what Docker was told to add to each line.
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
    """What is in a line without its newline."""
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
