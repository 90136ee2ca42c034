"""How rotation names the generations of a log, and in which order they came. Pure.

`k.log.1`, `k.log-20261129.gz`, `k.1.log` and `k.log.old` are earlier generations of `k.log`. A name tells what may
belong together and in which order it is read; it never tells what a file holds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from shippers.files.tree import Inode

COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip", ".Z")

_MARK = r"[.\-_](?:\d[\d\-_.:T]*|old|bak|prev|backup|save|orig)"
_BEHIND = re.compile(rf"(?P<base>.+?)(?P<marks>(?:{_MARK})+)", re.DOTALL)
_WITHIN = re.compile(rf"(?P<stem>.+?)(?P<marks>(?:{_MARK})+)(?P<ending>(?:\.[A-Za-z][A-Za-z0-9]*)+)", re.DOTALL)
_GROUP = re.compile(r"\d+")
_DATE_DIGITS = 6
"""Digits of a date or time at least; fewer are a number, save for a year."""

_FEW = 2
"""Files whose times prove nothing."""

_YEARS = range(1990, 2100)


class Sibling(NamedTuple):
    """A file that stands where generations of a log do. size, changed: on disk, and in ns since 1970."""

    path: str
    inode: Inode
    size: int
    changed: int


class Name(NamedTuple):
    """What the name of a file says. base: the name of the live file.   date: '' for none.   number: 0 for none.

    is_doubtful: the mark is a number before the ending, as in `k.1.log`, and may mean something else.
    """

    base: str
    date: str
    number: int
    is_doubtful: bool


@lru_cache(maxsize=1024)
def read_name(name: str) -> Name | None:
    """What a rotated file's name says; None for a name that no rotation makes."""
    whole = uncompressed(name)
    if found := _BEHIND.fullmatch(whole):
        return Name(found["base"], *_read_marks(found["marks"]), is_doubtful=False)
    if found := _WITHIN.fullmatch(whole):
        date, number = _read_marks(found["marks"])
        return Name(found["stem"] + found["ending"], date, number, is_doubtful=not date)
    return Name(whole, "", 0, is_doubtful=False) if whole != name else None


def uncompressed(path: str) -> str:
    """A path without the ending of a compression."""
    for ending in COMPRESSIONS:
        path = path.removesuffix(ending)
    return path


def live_path(path: str) -> str:
    """The path of the live file of the log that a file would be a generation of; its own if its name has no mark."""
    directory, _, name = path.rpartition("/")
    found = read_name(name)
    return f"{directory}/{found.base}" if found else path


def is_doubtful(path: str) -> bool:
    """Whether a path may as well be that of another log, as `k.1.log` may be."""
    found = read_name(path.rpartition("/")[2])
    return found is not None and found.is_doubtful


def log_beside(path: str, live: str) -> str:
    """The live path of the log that a file is of, for what is kept of it: '' where its own path says it."""
    return "" if live_path(path) == live else live


def stem(path: str) -> str:
    """A path up to the first dot of its name."""
    directory, slash, name = path.rpartition("/")
    return directory + slash + (name[:1] + name[1:].partition(".")[0])


def ordered(siblings: Sequence[Sibling], live: str) -> list[Sibling]:
    """Oldest first. Numbers fall and dates rise towards the live file, unless the times of all say the opposite.

    Of two it may as well be that the clock was wrong when the first was written.
    """
    rotated = [each for each in siblings if each.path != live]
    rotated.sort(key=lambda each: (age(each.path), each.path == uncompressed(each.path)), reverse=True)
    times = [each.changed for each in rotated]
    if len(times) > _FEW and all(earlier > later for earlier, later in pairwise(times)):
        rotated.reverse()
    return rotated + [each for each in siblings if each.path == live]


def age(path: str) -> tuple[int, tuple[int, ...]]:
    """Higher for older files; lowest for a live one. Behind a date numbers rise, as in logback's names."""
    found = read_name(path.rpartition("/")[2])
    if found is None:
        return (0, ())
    dates = tuple(-int(group) for group in _GROUP.findall(found.date))
    return (1, (*dates, -found.number if dates else found.number))


def _read_marks(marks: str) -> tuple[str, int]:
    date, number = "", 0
    for mark in re.split(r"[.](?=\D|\d{1,5}$)", marks):
        groups = _GROUP.findall(mark)
        digits = "".join(groups)
        if len(digits) >= _DATE_DIGITS or (len(groups) == 1 and len(digits) == 4 and int(digits) in _YEARS):
            date = "-".join(
                reversed(groups) if len(groups[-1]) == 4 and len(groups) == 3 else groups
            )  # day, month, year
        elif digits:
            number = int(groups[-1])
        elif mark.strip(".-_"):
            number = 1
    return date, number
