"""Finds a file that left the directories of its log, because a link leads elsewhere or a directory was renamed.

The file keeps its inode in such a case, so only files with that inode are opened. Blocks on the disk.
"""

# Paths are plain strings here.
# ruff: noqa: PTH116

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from itertools import islice

from shippers.files.checkpoint import Checkpoint
from shippers.files.content import Rewritten, content_of
from shippers.files.descriptors import open_file

_MAX_DIRECTORIES = 1000
"""How many neighbours of a file's last directory are searched at most."""


def elsewhere(saved: Checkpoint) -> tuple[int, str] | None:
    """Find and open the file of a checkpoint. Return its descriptor and path, or None if it is not found."""
    for path in _candidates(saved):
        with contextlib.suppress(OSError, Rewritten), contextlib.ExitStack() as opened:
            if os.stat(path).st_ino == saved.inode:
                fd = open_file(path)
                opened.callback(os.close, fd)
                if saved.recognises(content_of(fd, path)):
                    opened.pop_all()
                    return fd, path
    return None


def _candidates(saved: Checkpoint) -> Iterator[str]:
    for path in (saved.real or saved.path, saved.path):
        yield path
        directory, _, name = path.rpartition("/")
        parent = directory.rpartition("/")[0]
        with contextlib.suppress(OSError), os.scandir(parent or "/") as entries:
            for entry in islice(entries, _MAX_DIRECTORIES):
                if entry.is_dir(follow_symlinks=False):
                    yield f"{entry.path}/{name}"
