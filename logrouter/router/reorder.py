"""Windows from parts: each source's windows are released in order, each position once.

In come slices with the headers of the part they came in, in whatever order deliveries take; out come releases: what is
new of a window, the ranges that are thereby decided, and the tokens to settle with it. Pure: time is given, nothing is
read or written, and the tokens mean nothing here.

A window is released when all its parts that the instance is bound to are there and nothing before it is missing. A gap
holds its source alone, for a bounded time; then it is given up and counted as a hole, and what comes for it later is
still released, counted as late. The extents decided so far, never a high-water mark, tell repeats from late arrivals.

What is decided of a window is what its records cover, not what it claims. Only where other instances take some of its
parts may it have gaps: these are theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import le
from typing import Generic, NamedTuple, TypeVar

from logrouter.errors import WireError
from logrouter.router.dedup import undecided
from logrouter.wire.batch import Part
from logrouter.wire.ranges import Ranges
from logrouter.wire.slices import Slice

Token = TypeVar("Token")

_Ranges = tuple[tuple[int, int], ...]

_IDLE = 600.0
"""Seconds after which a source that holds nothing is forgotten here; the ledger remembers."""

_BETWEEN = 60.0
"""Seconds between two looks for such sources, since all are looked at."""

MOST_RANGES = 10_000
"""Of what is decided of a source: shippers leave no gaps, and each costs memory here and a row in the ledger."""


@dataclass(frozen=True, slots=True)
class Release(Generic[Token]):
    """What one window, or a repeat of one, comes to.

    slices: its new records.   decided: the ranges to add to the ledger.   repeated: records dropped as known.
    late, hole: released behind or before something that was missing.
    failed: slices of which nobody can tell what is new, each with what went wrong.
    short: the ranges that it claims and has no records for.   shared: other instances take some of its parts.
    again: it was asked for.   after: what its source comes after, as its first window says.
    """

    source: str
    slices: tuple[Slice, ...]
    decided: tuple[tuple[int, int], ...]
    tokens: tuple[Token, ...]
    repeated: int = 0
    late: bool = False
    hole: bool = False
    failed: tuple[tuple[Slice, Exception], ...] = ()
    short: tuple[tuple[int, int], ...] = ()
    shared: bool = False
    again: bool = False
    after: tuple[str, int] | None = None


@dataclass(slots=True)
class _Held(Generic[Token]):
    """A window as far as it has come. `slices` has None for a part that was set aside as broken.

    missing: the parts that are to come to this instance and have not.   shared: others take some of its parts.
    size: bytes of its bodies.   again: it was asked for.   after: see Part.
    """

    from_: int
    to: int
    keys: tuple[str, ...]
    since: float
    missing: set[int]
    shared: bool
    size: int = 0
    again: bool = False
    after: tuple[str, int] | None = None
    laid_aside: list[tuple[int, int]] = field(default_factory=list)
    slices: dict[int, Slice | None] = field(default_factory=dict)
    tokens: list[Token] = field(default_factory=list)
    repeated: int = 0

    def spans(self) -> Iterator[tuple[int, int]]:
        """Where its records stood."""
        for piece in self.slices.values():
            for place in piece.places if piece else ():
                yield place.pos, place.end


@dataclass(slots=True)
class _Chain(Generic[Token]):
    """A source: what is decided of it (committed or about to be), where its next window should begin, what waits."""

    source: str
    decided: Ranges
    next: int
    used: float
    held: dict[tuple[int, int, tuple[str, ...]], _Held[Token]] = field(default_factory=dict)


class Assembly(Generic[Token]):
    """All sources of a session.

    known: what the ledger has of a source.        is_bound: whether parts under a key come to this instance.
    hold: seconds that a gap may hold its source.  limit, bytes_limit: tokens and bytes that may be held in all.
    """

    def __init__(
        self,
        known: Callable[[str], Ranges],
        is_bound: Callable[[str], bool],
        *,
        hold: float = 60.0,
        limit: int = 256,
        bytes_limit: int = 64 << 20,
    ) -> None:
        self._known = known
        self._is_bound = is_bound
        self._hold = hold
        self._limit = limit
        self._bytes_limit = bytes_limit
        self._chains: dict[str, _Chain[Token]] = {}
        self._waiting: dict[str, _Chain[Token]] = {}
        self._following: dict[str, str] = {}
        self._forget_at = 0.0
        self.held = self.held_bytes = 0

    def add(
        self,
        part: Part,
        piece: Slice | None,
        token: Token,
        now: float,
        laid_aside: Sequence[tuple[int, int]] = (),
    ) -> list[Release[Token]]:
        """Take a part; `piece` is None for one whose body was set aside. Says what can be released now.

        laid_aside: where records of it stood that are among the dead letters; nobody waits for these.
        Raises WireError for one that would make another gap in a source that has too many.
        """
        chain = self._chain(part, now)
        if chain.decided.count >= MOST_RANGES and piece is not None and not _closes_up(piece, chain.decided):
            raise WireError(f"source {part.source} is decided in {MOST_RANGES} ranges, and this would be another")
        place = (part.from_, part.to, part.keys)
        held = chain.held.get(place)
        if held is None:
            missing = {number for number, key in enumerate(part.keys) if self._is_bound(key)}
            held = chain.held[place] = _Held(*place, now, missing, shared=len(missing) < len(part.keys))
        if part.part in held.slices:
            held.repeated += len(piece) if piece else 0
        else:
            held.slices[part.part] = piece
            held.missing.discard(part.part)
            held.size += len(part.body)
            self.held_bytes += len(part.body)
        held.again |= part.again
        held.after = held.after or part.after
        held.laid_aside += laid_aside
        held.tokens.append(token)
        self.held += 1
        released = self._advance(chain)
        while self._waiting and (self.held > self._limit or self.held_bytes > self._bytes_limit):
            released += self._give_up(min(self._waiting.values(), key=_oldest))
        return released

    def expire(self, now: float) -> list[Release[Token]]:
        """Give up the gaps that have held their source too long."""
        released: list[Release[Token]] = []
        for chain in list(self._waiting.values()):
            while chain.held and _oldest(chain) <= now - self._hold:
                released += self._give_up(chain)
        if now >= self._forget_at:
            self._forget_at = now + _BETWEEN
            idle = [chain.source for chain in self._chains.values() if not chain.held and chain.used < now - _IDLE]
            for source in idle:
                del self._chains[source]
        return released

    def decided(self, source: str) -> Ranges:
        """What is decided of a source, be it committed yet or not."""
        chain = self._chains.get(source)
        return chain.decided if chain else self._known(source)

    def held_of(self, source: str) -> list[tuple[int, int]]:
        """The windows of a source that wait."""
        chain = self._chains.get(source)
        return [(held.from_, held.to) for held in chain.held.values()] if chain else []

    def gaps(self, before: float) -> Iterator[tuple[str, list[tuple[int, int]]]]:
        """What has held a source up since before that time: ranges that did not come, and windows without a part."""
        for after in [each.after for each in self._behind() if each.since <= before and each.after]:
            yield after[0], self._missing_before(after)
        for chain in self._waiting.values():
            waiting = [held for held in chain.held.values() if held.since <= before]
            if not waiting:
                continue
            first = min(held.from_ for held in waiting)
            is_new = not chain.decided  # then its shipper's statement tells from where on it is ours
            ranges = [] if is_new else chain.decided.missing(chain.next, first)
            yield chain.source, ranges + [(held.from_, held.to) for held in waiting if held.missing]

    def _chain(self, part: Part, now: float) -> _Chain[Token]:
        chain = self._chains.get(part.source)
        if chain is None:
            decided = self._known(part.source)
            chain = self._chains[part.source] = _Chain(part.source, decided, decided.end or part.start, now)
        chain.used = now
        return chain

    def _advance(self, chain: _Chain[Token]) -> list[Release[Token]]:
        """Release whatever is due of a source, in order."""
        released = []
        while (due := self._due(chain)) is not None:
            released.append(self._release(chain, due, hole=False))
        if chain.held:
            self._waiting[chain.source] = chain
        else:
            self._waiting.pop(chain.source, None)
        following = self._waiting.get(self._following.get(chain.source, ""))
        if released and following is not None and following is not chain:
            released += self._advance(following)
        return released

    def _due(self, chain: _Chain[Token]) -> _Held[Token] | None:
        for held in sorted(chain.held.values(), key=_order) if len(chain.held) > 1 else chain.held.values():
            if chain.decided.covers(held.from_, held.to):
                return held
            if held.from_ <= chain.next and self._is_complete(chain, held) and self._may_follow(chain, held):
                return held
        return None

    def _may_follow(self, chain: _Chain[Token], held: _Held[Token]) -> bool:
        """Whether the generation before this one is decided as far as it was read before; or none of it ever came."""
        if held.after is None or chain.decided:
            return True
        if not self._missing_before(held.after):
            self._following.pop(held.after[0], None)
            return True
        self._following[held.after[0]] = chain.source
        return False

    def _missing_before(self, after: tuple[str, int]) -> list[tuple[int, int]]:
        """What is not decided of the generation before, up to there; nothing if none of it ever came."""
        source, reached = after
        before = self.decided(source)
        return before.missing(before.start, reached) if before else []

    def _behind(self) -> Iterator[_Held[Token]]:
        """The windows that wait for the generation before theirs."""
        for source in self._following.values():
            chain = self._waiting.get(source)
            yield from (held for held in chain.held.values() if held.after) if chain else ()

    def _is_complete(self, chain: _Chain[Token], held: _Held[Token]) -> bool:
        if not held.missing:
            return True
        if held.from_ >= chain.next:
            return False
        # A late part of a window that was released without it: it is all there is to wait for if it fills the holes.
        spans = Ranges(held.spans())
        return all(spans.covers(start, end) for start, end in chain.decided.missing(held.from_, held.to))

    def _give_up(self, chain: _Chain[Token]) -> list[Release[Token]]:
        """Release the first window that waits, whatever is missing before or within it, and what follows from that."""
        first = min(chain.held.values(), key=_order)
        return [self._release(chain, first, hole=True), *self._advance(chain)]

    def _release(self, chain: _Chain[Token], held: _Held[Token], *, hole: bool) -> Release[Token]:
        del chain.held[held.from_, held.to, held.keys]
        if held.after is not None:
            self._following.pop(held.after[0], None)
        self.held -= len(held.tokens)
        self.held_bytes -= held.size
        missing = tuple(chain.decided.missing(held.from_, held.to))
        late = bool(missing) and missing[0][0] < chain.next
        pieces = [piece for piece in held.slices.values() if piece is not None]
        starts, ends = _runs(pieces, held.laid_aside)
        covers = starts[:1] == [held.from_] and ends[-1:] == [held.to] and starts[1:] == ends[:-1]
        if missing == ((held.from_, held.to),) and (covers or all(map(le, ends, starts[1:]))):
            new = _New(tuple(pieces))
        else:
            new = _new(pieces, chain.decided)
        decided, short = (missing, ()) if covers else _covered(held, missing, Ranges(zip(starts, ends, strict=True)))
        for start, end in decided:
            chain.decided.add(start, end)
        chain.next = max(chain.next, held.to)
        return Release(
            chain.source,
            new.slices,
            decided,
            tuple(held.tokens),
            held.repeated + new.repeated,
            late,
            hole,
            new.failed,
            short,
            held.shared,
            held.again,
            held.after,
        )


def _order(held: _Held[Token]) -> tuple[int, int]:
    return held.from_, held.to


def _oldest(chain: _Chain[Token]) -> float:
    return min(held.since for held in chain.held.values())


class _New(NamedTuple):
    """What is new of a window's slices, how many records are not, and the slices that could not be looked into."""

    slices: tuple[Slice, ...]
    repeated: int = 0
    failed: tuple[tuple[Slice, Exception], ...] = ()


def _covered(held: _Held[Token], missing: _Ranges, spans: Ranges) -> tuple[_Ranges, _Ranges]:
    """What is decided with a window whose records take these positions, and what it claims beyond them."""
    left = tuple(gap for each in missing for gap in spans.missing(*each))
    if not left or (held.shared and not held.missing):
        return missing, ()
    return tuple(spans), () if held.missing else left


def _runs(pieces: Iterable[Slice], laid_aside: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Where runs of records begin and where they end, each sorted; those laid aside are among them.

    A position lies in as many runs, whichever beginning is put to whichever end: put in this order they cover the same.
    """
    starts, ends = [start for start, _ in laid_aside], [end for _, end in laid_aside]
    for piece in pieces:
        if piece.runs is None:
            starts += [place.pos for place in piece.places]
            ends += [place.end for place in piece.places]
        else:
            starts += piece.runs[0]
            ends += piece.runs[1]
    return sorted(starts), sorted(ends)


def _closes_up(piece: Slice, decided: Ranges) -> bool:
    """Whether these records make no further range: all known, or adjoining one another and what is known."""
    if all(decided.covers(place.pos, place.end) for place in piece.places):
        return True
    spans = Ranges((place.pos, place.end) for place in piece.places)
    return spans.count == 1 and decided.touches(spans.start - 1, spans.end + 1)


def _new(pieces: Iterable[Slice], decided: Ranges) -> _New:
    """What is new of these slices; of records that overlap the first one is kept."""
    known, kept, repeated, failed = decided.copy(), [], 0, []
    for piece in pieces:
        try:
            left, count = undecided(piece, known)
        except Exception as error:  # noqa: BLE001  # whatever a record comes to, it stops no other
            failed.append((piece, error))
            continue
        repeated += count
        if left:
            kept.append(left)
            for place in left.places:
                known.add(place.pos, place.end)
    return _New(tuple(kept), repeated, tuple(failed))
