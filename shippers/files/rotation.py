"""Derives from the names that rotation gives files which log they belong to, and in which order they came. Pure.

`k.log.1`, `k.log-20261129.gz`, `k.1.log` and `k.log.old` are earlier generations of `k.log`. Names show which files may
belong together and in which order to read them. They never show what a file holds.
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
_MARK_LAST = re.compile(rf"(?P<base>.+?)(?P<marks>(?:{_MARK})+)", re.DOTALL)
_MARK_WITHIN = re.compile(rf"(?P<stem>.+?)(?P<marks>(?:{_MARK})+)(?P<ending>(?:\.[A-Za-z][A-Za-z0-9]*)+)", re.DOTALL)
_GROUP = re.compile(r"\d+")
_DATE_DIGITS = 6
"""The fewest digits of a date or time. Fewer are a number, except for a year."""

_TOO_FEW = 2
"""The times of this many files or fewer do not prove an order."""

_YEARS = range(1990, 2100)


class Sibling(NamedTuple):
    """A file that is where generations of a log are. size: bytes on disk.   changed: modification time in ns."""

    path: str
    inode: Inode
    size: int
    changed: int


class Name(NamedTuple):
    """What a file's name says. base: the name of the live file.   date: '' for none.   number: 0 for none.

    is_doubtful: the mark is a number before the ending, as in `k.1.log`, which may mean something else.
    """

    base: str
    date: str
    number: int
    is_doubtful: bool


@lru_cache(maxsize=1024)
def read_name(name: str) -> Name | None:
    """Return what a rotated file's name says, or None for a name that no rotation makes."""
    whole = uncompressed(name)
    if found := _MARK_LAST.fullmatch(whole):
        return Name(found["base"], *_read_marks(found["marks"]), is_doubtful=False)
    if found := _MARK_WITHIN.fullmatch(whole):
        date, number = _read_marks(found["marks"])
        return Name(found["stem"] + found["ending"], date, number, is_doubtful=not date)
    return Name(whole, "", 0, is_doubtful=False) if whole != name else None


def uncompressed(path: str) -> str:
    """Return the path without the ending of a compression, such as `.gz`."""
    for ending in COMPRESSIONS:
        path = path.removesuffix(ending)
    return path


def live_path(path: str) -> str:
    """Return the path of the live file of a file's log: the file's own path if its name has no mark of rotation."""
    directory, _, name = path.rpartition("/")
    found = read_name(name)
    return f"{directory}/{found.base}" if found else path


def is_doubtful(path: str) -> bool:
    """Report whether a path may as well be that of another log, such as `k.1.log`."""
    found = read_name(path.rpartition("/")[2])
    return found is not None and found.is_doubtful


def log_beside(path: str, live: str) -> str:
    """Return the live path as a file's checkpoint has it: '' if the file's own path implies it."""
    return "" if live_path(path) == live else live


def stem(path: str) -> str:
    """Return the path up to the first dot of its name; a leading dot does not count."""
    directory, slash, name = path.rpartition("/")
    return directory + slash + (name[:1] + name[1:].partition(".")[0])


def ordered(siblings: Sequence[Sibling], live: str) -> list[Sibling]:
    """Return the files oldest first. Towards the live file numbers fall and dates rise, unless all times disagree.

    The times of two files are not enough: the clock may have been wrong when the first was written.
    """
    rotated = [each for each in siblings if each.path != live]
    rotated.sort(key=lambda each: (age(each.path), each.path == uncompressed(each.path)), reverse=True)
    times = [each.changed for each in rotated]
    if len(times) > _TOO_FEW and all(earlier > later for earlier, later in pairwise(times)):
        rotated.reverse()
    return rotated + [each for each in siblings if each.path == live]


def age(path: str) -> tuple[int, tuple[int, ...]]:
    """Return a sort key: higher for older files, lowest for a live one. Numbers behind a date rise, as in logback."""
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
