"""Where a record is filed: a path template and names become a path that cannot leave the archive's directory.

In come a template such as `{service}/{host}/{date}.jsonl.gz` and names that an attacker may have chosen; out go
relative paths whose every component is percent-encoded, so a.b and a_b stay apart and `..` is a name like any other.
"""

from __future__ import annotations

import functools
import hashlib
import re
from typing import NamedTuple
from urllib.parse import quote

from logrouter.config.templates import PLACEHOLDER

_SAFE = "@:=,"
_MAX_COMPONENT = 200
"""Bytes; filesystems allow 255, and `+open` and a segment number are added."""

_SUFFIXES = re.compile(r"(?P<kind>\.[A-Za-z][A-Za-z0-9]*)?(?P<compression>\.gz|\.zst)?$")

_SEGMENT = re.compile(rf"(?:\+(?P<number>\d+))?(?:\+open)?(?={_SUFFIXES.pattern})")
"""A `+` of a name is written `%2B`."""


class Names(NamedTuple):
    """What fills a template: true names, and the filing day as YYYY-MM-DD."""

    service: str
    host: str
    severity: str
    date: str


@functools.lru_cache(maxsize=65536)
def path_of(template: str, names: Names) -> str:
    """The relative path of records with these names."""
    values = names._asdict() | dict(zip(("year", "month", "day"), names.date.split("-"), strict=True))
    return "/".join(
        _bounded(PLACEHOLDER.sub(lambda found: _component(values[found[1]]), part)) for part in template.split("/")
    )


def final_name(path: str, segment: int) -> str:
    """The name of a finished segment: the path itself for the first, `name+2.jsonl.gz` for the second."""
    return path if segment == 1 else _insert(path, f"+{segment}")


def open_name(path: str, segment: int) -> str:
    """The name while it is being written: `name+open.jsonl.gz`, so that zcat reads it all the same."""
    return _insert(path, "+open" if segment == 1 else f"+{segment}+open")


def twin_name(final: str) -> str:
    """The name that a finished segment had while it was open."""
    return _insert(final, "+open")


def segment_of(name: str) -> tuple[str, int]:
    """The path of a file's first segment, finished, and which segment it is: sorted by this, files are in order."""
    found = _SEGMENT.search(name)
    assert found is not None  # all of it is optional
    return name[: found.start()] + name[found.end() :], int(found["number"] or 1)


def _insert(path: str, mark: str) -> str:
    head, slash, name = path.rpartition("/")
    suffix = _SUFFIXES.search(name, 1)
    assert suffix is not None  # both groups are optional
    return f"{head}{slash}{name[: suffix.start()]}{mark}{suffix[0]}"


def _component(name: str) -> str:
    quoted = quote(name, safe=_SAFE)
    if quoted.startswith("."):
        quoted = "%2E" + quoted[1:]
    return quoted or "%"


def _bounded(component: str) -> str:
    if len(component) <= _MAX_COMPONENT:
        return component
    digest = hashlib.blake2b(component.encode(), digest_size=8).hexdigest()
    suffix = _SUFFIXES.search(component)
    tail = suffix[0][-20:] if suffix else ""
    return f"{component[: _MAX_COMPONENT - len(digest) - len(tail) - 1]}~{digest}{tail}"
