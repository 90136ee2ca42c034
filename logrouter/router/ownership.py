"""Whose window this is: the user that a source belongs to, and the life of the state directory that published it.

A source belongs to the first user that the broker vouches for as its publisher. Where a state directory was copied or
set back, the windows of its second life count as sources of their own, so that nothing of them is taken for a repeat.
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
"""Sources whose owner is kept in memory."""


def stated_source(source: str) -> str:
    """The source as its shipper knows it."""
    return source.partition(LIFE)[0]


def of_branch(source: str, branch: str) -> str:
    """The source in one life of its state directory."""
    return f"{source}{LIFE}{branch}" if branch != MAIN else source


class Ownership:
    """Of the sources that a router meets in one session of its own."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lineage = Lineage(ledger.life)
        self._owners: dict[str, str] = {}
        self._forks: set[str] = set()

    def attribute(self, part: Part, user: str, entry: LedgerEntry) -> Part:
        """The part under the source that it belongs to; what is learned by it goes into the entry.

        Raises WireError for one of a source that belongs to another user.
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
        name = of_branch(part.source, branch)
        after = (of_branch(part.after[0], branch), part.after[1]) if part.after else None
        return part if part.again and self._is_inherited(part, name) else _renamed(replace(part, after=after), name)

    def _is_inherited(self, part: Part, name: str) -> bool:
        """Whether it is of what was shipped before the lives parted: whichever of them reads it, it is the same."""
        own = self._ledger.extents(INGRESS, name)
        return not own or part.to <= own.start

    def _check_owner(self, part: Part, user: str, entry: LedgerEntry) -> None:
        owner = self._owner(part.source)
        if not owner and user:
            self._owners[part.source] = entry.owners[part.source] = user
        elif owner and user != owner:
            by = f"user {user!r}" if user else "nobody that the broker vouches for"
            raise WireError(f"source {part.source} belongs to user {owner!r}, and this was published by {by}")

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
        return replace(part, source=source, start=part.from_)  # it is laid aside where it is read
    return replace(part, source=source, start=part.from_, body=encode_lines(records))
