"""Decisions: which destinations a slice goes to.

In comes a slice, out go pieces of it with the destinations that each has. Where only the key matters the slice passes
whole, undecoded, and the decision is remembered for the key.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from logrouter.wire.slices import Slice


class Target(NamedTuple):
    """A destination, and the rule (or `default`) that sends records there."""

    destination: str
    rule: str


class Decision(NamedTuple):
    """Records, and where they go; at least one target, `discard` if nowhere."""

    piece: Slice
    targets: tuple[Target, ...]


class Decide(Protocol):
    """A set of rules as the router sees it."""

    def __call__(self, piece: Slice) -> list[Decision]:
        """The decisions for all records of `piece`, each record in exactly one of them."""
