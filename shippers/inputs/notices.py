"""What people are told about files: what cannot be read, and what is not there, once each.

In comes the outcome of each scan, out go events when something begins or ends.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from logrouter.observe.events import FILE_READABLE, FILE_UNREADABLE, GLOB_EMPTY, GLOB_MATCHED, Condition
from shippers.inputs.discovery import Discovery
from shippers.inputs.identity import shown


class Notices:
    """The troubles that hold now."""

    def __init__(self, globs: Iterable[str]) -> None:
        self._empty = {glob: Condition(GLOB_EMPTY, GLOB_MATCHED) for glob in globs}
        self._unreadable: dict[str, Condition] = {}
        self._failed: set[str] = set()

    @property
    def unreadable(self) -> list[str]:
        """The files and directories that cannot be read now."""
        return sorted(self._unreadable)

    def failed(self, path: str, reason: object) -> None:
        """A file or directory could not be opened or read."""
        self._failed.add(path)
        condition = self._unreadable.setdefault(path, Condition(FILE_UNREADABLE, FILE_READABLE))
        condition.begin(path=shown(path), reason=reason)

    def scanned(self, discovery: Discovery) -> None:
        """A scan is over: what did not fail in it is well again, or gone."""
        for path, reason in discovery.unreadable.items():
            self.failed(path, reason)
        for path in self._unreadable.keys() - self._failed:
            condition = self._unreadable.pop(path)
            if os.path.lexists(path):
                condition.end(path=shown(path))
        self._failed.clear()
        for glob in self._empty.keys() & discovery.matched:
            self._empty.pop(glob).end(glob=glob)
        for glob, condition in self._empty.items():
            condition.begin(glob=glob)
