"""Checks that a part comes from the user that owns its source, and renames the source of a part from a copied state.

A source belongs to the first user that the broker vouches for as its publisher. If a state directory was copied or set
back, the windows of its second life count as sources of their own, so that none of them is taken for a repeat.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from logrouter.errors import WireError
from logrouter.ledger.entry import INGRESS, LIFE
from logrouter.ledger.ledger import Ledger, LedgerEntry
from logrouter.observability import events
from logrouter.router.lineage import MAIN, Lineage
from logrouter.wire.batch import Part
from logrouter.wire.record import decode_lines, encode_lines

_REMEMBERED = 100_000
"""The most sources whose owner is kept in memory."""


def stated_source(source: str) -> str:
    """Return the source's name without its branch, as its shipper knows it."""
    return source.partition(LIFE)[0]


def source_in_branch(source: str, branch: str) -> str:
    """Return the name of a source in one branch of its state directory's lives."""
    return f"{source}{LIFE}{branch}" if branch != MAIN else source


class Ownership:
    """The owners and lives of the sources that a router meets in one of its own sessions."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lineage = Lineage(ledger.life)
        self._owners: dict[str, str] = {}
        self._forks: set[str] = set()

    def attribute(self, part: Part, user: str, entry: LedgerEntry) -> Part:
        """Return the part under the name of the source that it belongs to. New owners and lives are added to `entry`.

        Raises WireError if the source belongs to another user.
        """
        self._check_owner(part, user, entry)
        if part.session is None:
            return part
        branch = self._lineage.branch(part.session)
        entry.lives |= self._lineage.changed
        self._lineage.changed.clear()
        if branch == MAIN:
            return part
        if branch not in self._forks:
            self._forks.add(branch)
            events.STATE_FORKED.happened(host=part.host, session=branch)
        name = source_in_branch(part.source, branch)
        after = (source_in_branch(part.after[0], branch), part.after[1]) if part.after else None
        return part if part.again and self._is_inherited(part, name) else _renamed(replace(part, after=after), name)

    def _is_inherited(self, part: Part, name: str) -> bool:
        """Report whether a part is from before the lives separated; it is then the same whichever life reads it."""
        own = self._ledger.extents(INGRESS, name)
        return not own or part.to <= own.start

    def _check_owner(self, part: Part, user: str, entry: LedgerEntry) -> None:
        owner = self._owner(part.source)
        if not owner and user:
            self._owners[part.source] = entry.owners[part.source] = user
        elif owner and user != owner:
            by = f"user {user!r}" if user else "a user whom the broker does not confirm"
            raise WireError(f"source {part.source} belongs to user {owner!r}, but this message was published by {by}")

    def _owner(self, source: str) -> str:
        owner = self._owners.get(source)
        if owner is None:
            if len(self._owners) >= _REMEMBERED:
                self._owners.clear()
            owner = self._owners[source] = self._ledger.owner(source)
        return owner


def _renamed(part: Part, source: str) -> Part:
    try:
        records = [msgspec.structs.replace(record, source=source) for record in decode_lines(part.body)]
    except WireError:
        return replace(
            part, source=source, start=part.from_
        )  # the records go to the dead letters when they are decoded
    return replace(part, source=source, start=part.from_, body=encode_lines(records))
