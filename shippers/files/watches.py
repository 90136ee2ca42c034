"""Watches quiet files and directories for changes, so that they need not be looked at often. Nothing relies on it.

The kernel reports which of the quiet files have changed, and by the patterns of names in directories whether there may
be other files. It reports less if there is no inotify, or one of its limits is reached.
"""

from __future__ import annotations

import errno
import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from logrouter.observability.events import INPUT_UNWATCHED
from shippers.files import inotify
from shippers.files.inotify import Inotify
from shippers.files.tree import Inode

_OTHER_FILES = (
    inotify.CREATE
    | inotify.DELETE
    | inotify.MOVED_FROM
    | inotify.MOVED_TO
    | inotify.ATTRIB  # a file may be readable now
    | inotify.DELETE_SELF
    | inotify.MOVE_SELF
)

_SHORTAGE = {
    errno.ENOSPC: "the limit fs.inotify.max_user_watches is reached",
    errno.EMFILE: "the limit fs.inotify.max_user_instances is reached",
    errno.ENOMEM: "the kernel has no memory for more watches",
}


@dataclass(slots=True)
class News:
    """The changes since the last call. changed: files, which are no longer watched.   is_elsewhere: see below.

    is_elsewhere: names in directories have changed, so there may be other files.
    """

    changed: list[Inode] = field(default_factory=list)
    is_elsewhere: bool = False


@dataclass(slots=True)
class Watched:
    """Directories that are watched. names: by watch descriptor, the patterns of names that matter.

    is_told: whether the kernel will report all changes.   is_remote: whether some are on network file systems.
    is_short: whether the kernel had no watch left for some.
    """

    names: dict[int, set[str]] = field(default_factory=dict)
    is_told: bool = True
    is_remote: bool = False
    is_short: bool = False


class Watches:
    """Watches of quiet files, each until its next change, and of directories. Without `kernel` nothing is reported."""

    def __init__(self, kernel: Inotify | None = None) -> None:
        self._kernel = kernel
        self._quiet: dict[int, Inode] = {}
        self._descriptors: dict[Inode, int] = {}
        self._directories: dict[int, set[str]] = {}
        self._is_used_up = self._is_logged = False

    @classmethod
    def of_this_system(cls) -> Self:
        """Return watches that use this system's inotify. If it has none, that is logged and nothing is reported."""
        watches = cls()
        try:
            watches._kernel = Inotify()
        except OSError as error:
            watches._log_once(error)
        return watches

    @property
    def fd(self) -> int | None:
        """The descriptor that becomes readable when there is news; None without inotify."""
        return self._kernel.fd if self._kernel is not None else None

    def watch(self, fd: int, inode: Inode) -> None:
        """Watch an open file for its next change only, so that a busy file costs nothing."""
        if self._kernel is None or self._is_used_up or inode in self._descriptors:
            return
        try:
            descriptor = self._kernel.watch(f"/proc/self/fd/{fd}", inotify.MODIFY | inotify.ONCE)
        except OSError as error:
            self._is_used_up = self._is_shortage(error)
        else:
            self._quiet[descriptor], self._descriptors[inode] = inode, descriptor

    def forget(self, inode: Inode) -> None:
        """Stop watching a file. Call this before the file is closed."""
        descriptor = self._descriptors.pop(inode, None)
        if self._kernel is not None and descriptor is not None:
            del self._quiet[descriptor]
            self._kernel.forget(descriptor)

    def look_at(self, wanted: Mapping[str, set[str]]) -> bool:
        """Watch these directories, and no others. Return whether all changes from now on will be reported.

        That is not so for a directory that was not watched before, because it may have changed since it was listed, nor
        on network file systems. A missing directory is reported through its parent. May be called in a thread.
        """
        watched = self.watch_directories(wanted)
        self.keep([watched])
        return watched.is_told

    def watch_directories(self, wanted: Mapping[str, set[str]]) -> Watched:
        """Watch these directories too, until `keep` is called without them. May be called in a thread."""
        watched = Watched(is_told=self._kernel is not None)
        for directory, names in wanted.items():
            watched.is_remote = watched.is_remote or inotify.is_remote(directory)
            if self._kernel is None:
                continue
            try:
                descriptor = self._kernel.watch(directory, _OTHER_FILES | inotify.ONLY_DIRECTORY)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                watched.is_told = False
                watched.is_short = watched.is_short or self._is_shortage(error)
            else:
                watched.names.setdefault(descriptor, set()).update(names)
                watched.is_told = watched.is_told and descriptor in self._directories
        watched.is_told = watched.is_told and not watched.is_remote
        return watched

    def keep(self, watched: Iterable[Watched]) -> None:
        """Stop watching all directories but these."""
        names: dict[int, set[str]] = {}
        self._is_used_up = False
        for each in watched:
            self._is_used_up = self._is_used_up or each.is_short
            for descriptor, more in each.names.items():
                names.setdefault(descriptor, set()).update(more)
        stale = self._directories.keys() - names.keys()
        self._directories = names
        if self._kernel is not None:
            for descriptor in stale:
                self._kernel.forget(descriptor)

    def news(self) -> News:
        """Return the changes since the last call, or a part of them, without waiting."""
        news = News()
        for event in self._kernel.events() if self._kernel is not None else ():
            inode = self._quiet.pop(event.descriptor, None)
            if inode is not None:
                del self._descriptors[inode]
                news.changed.append(inode)
            elif event.mask & inotify.OVERFLOW:
                news.is_elsewhere = True  # the scan that follows looks at all files, so lost events do no harm
            elif event.mask & _OTHER_FILES:
                news.is_elsewhere = news.is_elsewhere or self._matters(event)
        return news

    def close(self) -> None:
        """End all watches."""
        if self._kernel is not None:
            self._kernel.close()

    def _matters(self, event: inotify.WatchEvent) -> bool:
        names = self._directories.get(event.descriptor)
        return names is None or not event.name or any(fnmatch.fnmatchcase(event.name, each) for each in names)

    def _is_shortage(self, error: OSError) -> bool:
        """Report whether the kernel has no watches left, and log that."""
        if error.errno in _SHORTAGE:
            self._log_once(error)
        return error.errno in _SHORTAGE

    def _log_once(self, error: OSError) -> None:
        if not self._is_logged:
            self._is_logged = True
            INPUT_UNWATCHED.happened(reason=_SHORTAGE.get(error.errno or 0) or error.strerror or error)
