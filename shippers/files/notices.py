"""Reports which files cannot be read and which are missing, once each, when that begins and when it ends.

Everything that begins in one scan is one event, however many files it concerns: a fresh machine has few of the files
that inputs look for.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence

from logrouter.observability.events import FILE_READABLE, FILE_UNREADABLE, GLOB_EMPTY, GLOB_MATCHED, INPUTS_OVERLAP
from shippers.files.discovery import Discovery
from shippers.files.fingerprint import shown

_MAX_NAMES = 5
"""Up to this many names are listed in full; of more, the first few and their number."""

_DENIED = os.strerror(errno.EACCES)


class Notices:
    """The problems with files that exist now."""

    def __init__(self, globs: Iterable[str]) -> None:
        self._awaited = sorted(globs)
        self._is_first = True
        self._unreadable: set[str] = set()
        self._failed: dict[str, str] = {}
        self._overlapping: set[tuple[str, str]] = set()

    @property
    def unreadable(self) -> list[str]:
        """The files and directories that cannot be read now."""
        return sorted(self._unreadable | self._failed.keys())

    def failed(self, path: str, reason: object) -> None:
        """Note that a file or directory could not be opened or read. It is reported at the end of the scan."""
        self._failed[path] = str(reason)

    def scanned(self, discovery: Discovery) -> None:
        """Report what has changed with this scan. Whatever did not fail in it is readable again, or gone."""
        self._failed |= discovery.unreadable
        by_reason: dict[str, list[str]] = {}
        for path in sorted(self._failed.keys() - self._unreadable):
            by_reason.setdefault(self._failed[path], []).append(shown(path))
        for reason, paths in by_reason.items():
            FILE_UNREADABLE.happened(reason=reason.lower(), paths=named(paths, "files"), remedy=_remedy(reason))
        for path in sorted(self._unreadable - self._failed.keys()):
            if os.path.lexists(path):
                FILE_READABLE.happened(path=shown(path))
        self._unreadable = set(self._failed)
        self._failed.clear()
        self._look_for_missing(discovery.matched)
        for (taken, further), paths in discovery.overlaps.items():
            if (taken, further) not in self._overlapping:
                self._overlapping.add((taken, further))
                files = named([shown(path) for path in paths], "files")
                INPUTS_OVERLAP.happened(paths=files, inputs=f"input {further}", taken=taken)

    def _look_for_missing(self, matched: set[str]) -> None:
        found = [glob for glob in self._awaited if glob in matched]
        for glob in found:
            self._awaited.remove(glob)
            if not self._is_first:
                GLOB_MATCHED.happened(glob=glob)
        if self._is_first and self._awaited:
            GLOB_EMPTY.happened(globs=named(self._awaited, "patterns"))
        self._is_first = False


def named(names: Sequence[str], what: str) -> str:
    """Return names as a message lists them: `a, b`, or `a, b, c, d, ... (9 patterns)`."""
    if len(names) <= _MAX_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[: _MAX_NAMES - 1])}, ... ({len(names)} {what})"


def _remedy(reason: str) -> str:
    if reason == _DENIED and os.geteuid() != 0:
        return "run as root, or add this user to group adm"
    return "trying again"
