"""Compressed files whose content is, or was, followed as another file: what a rotation has made of it.

In come followers of compressed files, out go those that follow the same content already.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from shippers.inputs.content import Packed
from shippers.inputs.follower import Follower
from shippers.inputs.tree import Inode


class Twins:
    """Of the files that are followed now."""

    def __init__(self, followers: Mapping[Inode, Follower]) -> None:
        self._followers = followers
        self._known: dict[Inode, Follower] = {}

    def is_followed(self, inode: Inode) -> bool:
        """Whether its content is still followed as another file, which has more to read or a name."""
        twin = self._known.get(inode)
        if twin is None or self._followers.get(twin.inode) is not twin:
            self._known.pop(inode, None)
            return False
        return not (twin.unlinked and twin.settled)

    def find(self, follower: Follower) -> Follower | None:
        """Whoever follows the same content from the same directory."""
        if not isinstance(follower.content, Packed):
            return None
        size = os.fstat(follower.fd).st_size
        directory = os.path.dirname(follower.path)  # noqa: PTH120  # paths are plain strings here
        for other in self._followers.values():
            is_beside = os.path.dirname(other.path) == directory  # noqa: PTH120
            if is_beside and other.chain.confirmed and other.state().is_all_of(follower.content, size):
                self._known[follower.inode] = other
                return other
        return None
