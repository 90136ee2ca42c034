"""What the kernel tells of changes, so that quiet files need not be looked at often. It is never relied upon.

In come open files that are quiet, and directories with patterns of names; out goes which of these files changed, and
whether there may be other files now. Where there is no inotify, or no more of it, less is told.
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
    | inotify.ATTRIB  # it may be read now
    | inotify.DELETE_SELF
    | inotify.MOVE_SELF
)

_SHORTAGE = {
    errno.ENOSPC: "fs.inotify.max_user_watches is used up",
    errno.EMFILE: "fs.inotify.max_user_instances is used up",
    errno.ENOMEM: "no memory for more",
}


@dataclass(slots=True)
class News:
    """What was told. changed: files, which are watched no longer.   is_elsewhere: there may be other files."""

    changed: list[Inode] = field(default_factory=list)
    is_elsewhere: bool = False


@dataclass(slots=True)
class Watched:
    """Directories. names: patterns of those that matter, by descriptor.   is_told: whether all changes will be told.

    is_remote: whether some are on file systems of other machines.   is_short: whether the kernel had no watch left.
    """

    names: dict[int, set[str]] = field(default_factory=dict)
    is_told: bool = True
    is_remote: bool = False
    is_short: bool = False


class Watches:
    """Quiet files, each until it changes, and directories. Without `kernel` nothing is ever told."""

    def __init__(self, kernel: Inotify | None = None) -> None:
        self._kernel = kernel
        self._quiet: dict[int, Inode] = {}
        self._descriptors: dict[Inode, int] = {}
        self._directories: dict[int, set[str]] = {}
        self._is_used_up = self._is_said = False

    @classmethod
    def of_this_system(cls) -> Self:
        """As far as it has any; what is missing is said."""
        watches = cls()
        try:
            watches._kernel = Inotify()
        except OSError as error:
            watches._say(error)
        return watches

    @property
    def fd(self) -> int | None:
        """Can be read from when there is news."""
        return self._kernel.fd if self._kernel is not None else None

    def watch(self, fd: int, inode: Inode) -> None:
        """Tell of the next change of an open file, once: a file that is busy costs nothing."""
        if self._kernel is None or self._is_used_up or inode in self._descriptors:
            return
        try:
            descriptor = self._kernel.watch(f"/proc/self/fd/{fd}", inotify.MODIFY | inotify.ONCE)
        except OSError as error:
            self._is_used_up = self._is_shortage(error)
        else:
            self._quiet[descriptor], self._descriptors[inode] = inode, descriptor

    def forget(self, inode: Inode) -> None:
        """Do not watch that file any longer; to be called before it is closed."""
        descriptor = self._descriptors.pop(inode, None)
        if self._kernel is not None and descriptor is not None:
            del self._quiet[descriptor]
            self._kernel.forget(descriptor)

    def look_at(self, wanted: Mapping[str, set[str]]) -> bool:
        """Watch these directories, and no others; whether from the time of this call on all changes will be told.

        Not of those that were not watched before: what changed there since they were listed is not known. Nor on file
        systems of other machines. Of a directory that is not there its parent tells. May be called in a thread.
        """
        watched = self.watch_directories(wanted)
        self.keep([watched])
        return watched.is_told

    def watch_directories(self, wanted: Mapping[str, set[str]]) -> Watched:
        """Watch these too, until `keep` is called without them. May be called in a thread."""
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
        """Watch these directories, and no others."""
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
        """What has been told since last asked, or a part of it; does not wait."""
        news = News()
        for event in self._kernel.events() if self._kernel is not None else ():
            inode = self._quiet.pop(event.descriptor, None)
            if inode is not None:
                del self._descriptors[inode]
                news.changed.append(inode)
            elif event.mask & inotify.OVERFLOW:
                news.is_elsewhere = True  # the look at all that follows wakes the files of which nothing was told
            elif event.mask & _OTHER_FILES:
                news.is_elsewhere = news.is_elsewhere or self._matters(event)
        return news

    def close(self) -> None:
        """Watch nothing any longer."""
        if self._kernel is not None:
            self._kernel.close()

    def _matters(self, event: inotify.WatchEvent) -> bool:
        names = self._directories.get(event.descriptor)
        return names is None or not event.name or any(fnmatch.fnmatchcase(event.name, each) for each in names)

    def _is_shortage(self, error: OSError) -> bool:
        """Whether there is no more of the kernel's watches, which is said."""
        if error.errno in _SHORTAGE:
            self._say(error)
        return error.errno in _SHORTAGE

    def _say(self, error: OSError) -> None:
        if not self._is_said:
            self._is_said = True
            INPUT_UNWATCHED.happened(reason=_SHORTAGE.get(error.errno or 0) or error.strerror or error)
