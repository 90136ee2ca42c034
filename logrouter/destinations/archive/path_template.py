"""Makes the paths of archive files: a template and names become a path that cannot leave the archive's directory.

A template is for instance `{service}/{host}/{date}.jsonl.gz`. An attacker may have chosen the names, so every component
of the relative path is percent-encoded. `a.b` and `a_b` remain different, and `..` is a name like any other.
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
"""The most bytes of a component. File systems allow 255, and `+open` and a segment number are added."""

_SUFFIXES = re.compile(r"(?P<kind>\.[A-Za-z][A-Za-z0-9]*)?(?P<compression>\.gz|\.zst)?$")

_SEGMENT = re.compile(rf"(?:\+(?P<number>\d+))?(?:\+open)?(?={_SUFFIXES.pattern})")
"""The mark of a segment. A `+` in a name is written as `%2B`."""


class Names(NamedTuple):
    """The values for a template: names, not encoded, and the filing day as YYYY-MM-DD."""

    service: str
    host: str
    severity: str
    date: str


@functools.lru_cache(maxsize=65536)
def path_of(template: str, names: Names) -> str:
    """Return the relative path for records with these names."""
    values = names._asdict() | dict(zip(("year", "month", "day"), names.date.split("-"), strict=True))
    return "/".join(
        _bounded(PLACEHOLDER.sub(lambda found: _component(values[found[1]]), part)) for part in template.split("/")
    )


def final_name(path: str, segment: int) -> str:
    """Return the name of a finished segment: the path itself for the first, `name+2.jsonl.gz` for the second."""
    return path if segment == 1 else _insert(path, f"+{segment}")


def open_name(path: str, segment: int) -> str:
    """Return the name of an open segment: `name+open.jsonl.gz`. It keeps the suffix, so that zcat can read it."""
    return _insert(path, "+open" if segment == 1 else f"+{segment}+open")


def twin_name(final: str) -> str:
    """Return the name that a finished segment had while it was open. final: as from `final_name`."""
    return _insert(final, "+open")


def segment_of(name: str) -> tuple[str, int]:
    """Return the final name of a file's first segment, and the file's segment number.

    Sorted by this, the segments of a path are in order.
    """
    found = _SEGMENT.search(name)
    assert found is not None  # all groups of the pattern are optional
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
