"""The interface between router and rules: pieces of a slice, and the destinations of each.

If a decision depends only on the key, the slice is passed on whole and without decoding it.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from logrouter.wire.slices import Slice


class Target(NamedTuple):
    """A destination, and the rule (or `default`) that sends records there."""

    destination: str
    rule: str


class Decision(NamedTuple):
    """Records, and where they go. targets: at least one; only `discard` if they go nowhere."""

    piece: Slice
    targets: tuple[Target, ...]


class Decide(Protocol):
    """A set of rules, as the router calls it."""

    def __call__(self, piece: Slice) -> list[Decision]:
        """Return the decisions for all records of `piece`. Each record is in exactly one of them."""
