"""Where a file stands now that no directory of its log holds any more: a link leads elsewhere, a directory was renamed.

It keeps its inode then, and so only files with that are opened. Blocks on the disk.
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

_MOST = 1000
"""Directories that are looked into, beside the one that was there."""


def elsewhere(saved: Checkpoint) -> tuple[int, str] | None:
    """The open file that a checkpoint is of, and its path; None if it is not found."""
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
            for entry in islice(entries, _MOST):
                if entry.is_dir(follow_symlinks=False):
                    yield f"{entry.path}/{name}"
