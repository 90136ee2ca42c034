"""Assembles windows from parts: releases the windows of each source in order, and each position once.

Parts may come in any order. A release holds the records of a window that are new, the ranges that they decide, and the
tokens to settle with it. Pure: time is a parameter, nothing is read or written, and tokens are opaque.

A window is released when all its parts that the instance is bound to have come and nothing before it is missing. A gap
holds up its own source only, for a limited time. Then it is given up and counted as a hole; what comes for it later is
still released and counted as late. Repeats are told from late arrivals by the extents decided so far, never by a
high-water mark.

A window decides what its records cover, not what it claims. It may have gaps only if other instances take some of its
parts; the gaps are then theirs.
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
"""Seconds after which an idle source without waiting windows is dropped from memory. The ledger still has it."""

_FORGET_SECONDS = 60.0
"""Seconds between two searches for idle sources, because each search visits all sources."""

MOST_RANGES = 10_000
"""The most ranges that are decided of a source. Shippers leave no gaps, and each range costs memory here and a row in
the ledger."""


@dataclass(frozen=True, slots=True)
class Release(Generic[Token]):
    """The release of one window, or of a repeat of one.

    slices: its new records.
    decided: the ranges to add to the ledger.
    tokens: the tokens of its parts.
    repeated: how many records were dropped because they are decided already.
    late: records of later windows were released before it.
    hole: it was released although something before it or within it is missing.
    failed: slices for which it could not be computed what is new, each with the error.
    short: the ranges that it claims and has no records for.
    shared: other instances take some of its parts.
    again: its shipper published it again on request.
    after: the source that precedes its source and how far that was read, as the first window of a source states.
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
    """A window that is not released yet.

    since: when its first part came.
    missing: the numbers of the parts that this instance is bound to and that have not come.
    size: bytes of its bodies.
    laid_aside: positions of records that are among the dead letters.
    slices: by the number of the part, None for a part whose body is broken.
    shared, again, after: as in Release.
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
    dead_positions: list[tuple[int, int]] = field(default_factory=list)
    slices: dict[int, Slice | None] = field(default_factory=dict)
    tokens: list[Token] = field(default_factory=list)
    repeated: int = 0

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield the positions of its records."""
        for piece in self.slices.values():
            for place in piece.places if piece else ():
                yield place.pos, place.end


@dataclass(slots=True)
class _Chain(Generic[Token]):
    """The state of a source.

    decided: what is decided of it, committed or not.
    next: where its next window should begin.
    used: when its last part came.
    held: the windows that wait.
    """

    source: str
    decided: Ranges
    next: int
    used: float
    held: dict[tuple[int, int, tuple[str, ...]], _Held[Token]] = field(default_factory=dict)


class Assembly(Generic[Token]):
    """The sources of one session. All times are seconds of one monotonic clock.

    known: returns what the ledger has of a source.
    is_bound: reports whether parts with a routing key come to this instance.
    hold: seconds for which a gap may hold up its source.
    limit, bytes_limit: the most tokens, and bytes of bodies, that may be held. Above that the oldest gaps are given up.
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
        dead_positions: Sequence[tuple[int, int]] = (),
    ) -> list[Release[Token]]:
        """Add a part, and return what can be released now.

        piece: its records, None if its body is broken.
        laid_aside: positions of its records that are among the dead letters. No window waits for these.
        Raises WireError for a part that would add a range to a source that has too many.
        """
        chain = self._chain(part, now)
        if chain.decided.count >= MOST_RANGES and piece is not None and not _closes_up(piece, chain.decided):
            raise WireError(f"source {part.source} is decided in {MOST_RANGES} ranges, and this part would add one")
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
        held.dead_positions += dead_positions
        held.tokens.append(token)
        self.held += 1
        released = self._advance(chain)
        while self._waiting and (self.held > self._limit or self.held_bytes > self._bytes_limit):
            released += self._give_up(min(self._waiting.values(), key=_oldest))
        return released

    def expire(self, now: float) -> list[Release[Token]]:
        """Give up the gaps that have held up their source for too long, and return what is released."""
        released: list[Release[Token]] = []
        for chain in list(self._waiting.values()):
            while chain.held and _oldest(chain) <= now - self._hold:
                released += self._give_up(chain)
        if now >= self._forget_at:
            self._forget_at = now + _FORGET_SECONDS
            idle = [chain.source for chain in self._chains.values() if not chain.held and chain.used < now - _IDLE]
            for source in idle:
                del self._chains[source]
        return released

    def decided(self, source: str) -> Ranges:
        """Return what is decided of a source, whether it is committed yet or not."""
        chain = self._chains.get(source)
        return chain.decided if chain else self._known(source)

    def held_of(self, source: str) -> list[tuple[int, int]]:
        """Return the ranges of a source's windows that wait."""
        chain = self._chains.get(source)
        return [(held.from_, held.to) for held in chain.held.values()] if chain else []

    def gaps(self, before: float) -> Iterator[tuple[str, list[tuple[int, int]]]]:
        """Yield the sources of gaps older than `before`, each with the ranges that did not come.

        A window of which a part is missing counts as such a range.
        """
        for after in [each.after for each in self._behind() if each.since <= before and each.after]:
            yield after[0], self._missing_before(after)
        for chain in self._waiting.values():
            waiting = [held for held in chain.held.values() if held.since <= before]
            if not waiting:
                continue
            first = min(held.from_ for held in waiting)
            is_new = not chain.decided  # its shipper's statement then states where this instance's share begins
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
        """Release the due windows of a source, in order, and those of a source that waits for it."""
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
        """Report whether the previous generation is decided as far as it was read, or none of it ever came."""
        if held.after is None or chain.decided:
            return True
        if not self._missing_before(held.after):
            self._following.pop(held.after[0], None)
            return True
        self._following[held.after[0]] = chain.source
        return False

    def _missing_before(self, after: tuple[str, int]) -> list[tuple[int, int]]:
        """Return what is not decided of the previous generation up to `after`; nothing if none of it ever came."""
        source, reached = after
        before = self.decided(source)
        return before.missing(before.start, reached) if before else []

    def _behind(self) -> Iterator[_Held[Token]]:
        """Yield the windows that wait for the previous generation."""
        for source in self._following.values():
            chain = self._waiting.get(source)
            yield from (held for held in chain.held.values() if held.after) if chain else ()

    def _is_complete(self, chain: _Chain[Token], held: _Held[Token]) -> bool:
        if not held.missing:
            return True
        if held.from_ >= chain.next:
            return False
        # The window was released before without these parts. It is complete if its late parts fill all its holes.
        spans = Ranges(held.spans())
        return all(spans.covers(start, end) for start, end in chain.decided.missing(held.from_, held.to))

    def _give_up(self, chain: _Chain[Token]) -> list[Release[Token]]:
        """Release the first window that waits, whatever is missing before or within it, and the windows due then."""
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
        starts, ends = _runs(pieces, held.dead_positions)
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
    """The new records of a window, the number of its other records, and the slices that failed, with their errors."""

    slices: tuple[Slice, ...]
    repeated: int = 0
    failed: tuple[tuple[Slice, Exception], ...] = ()


def _covered(held: _Held[Token], missing: _Ranges, spans: Ranges) -> tuple[_Ranges, _Ranges]:
    """Return what a window with records at `spans` decides, and what it claims beyond them.

    missing: the ranges of the window that are not decided yet.
    """
    left = tuple(gap for each in missing for gap in spans.missing(*each))
    if not left or (held.shared and not held.missing):
        return missing, ()
    return tuple(spans), () if held.missing else left


def _runs(pieces: Iterable[Slice], dead_positions: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Return where runs of records start and where they end, each sorted, including the records that were laid aside.

    Sorting may pair a start with the end of another run, but the pairs cover the same positions, because how many runs
    cover a position depends only on the starts and ends before it.
    """
    starts, ends = [start for start, _ in dead_positions], [end for _, end in dead_positions]
    for piece in pieces:
        if piece.runs is None:
            starts += [place.pos for place in piece.places]
            ends += [place.end for place in piece.places]
        else:
            starts += piece.runs[0]
            ends += piece.runs[1]
    return sorted(starts), sorted(ends)


def _closes_up(piece: Slice, decided: Ranges) -> bool:
    """Report whether these records add no range: all are decided, or they are contiguous and adjoin a decided range."""
    if all(decided.covers(place.pos, place.end) for place in piece.places):
        return True
    spans = Ranges((place.pos, place.end) for place in piece.places)
    return spans.count == 1 and decided.touches(spans.start - 1, spans.end + 1)


def _new(pieces: Iterable[Slice], decided: Ranges) -> _New:
    """Return what is new of these slices. Where records overlap, the first one is kept."""
    known, kept, repeated, failed = decided.copy(), [], 0, []
    for piece in pieces:
        try:
            left, count = undecided(piece, known)
        except Exception as error:  # noqa: BLE001  # a record that fails in any way must not stop the others
            failed.append((piece, error))
            continue
        repeated += count
        if left:
            kept.append(left)
            for place in left.places:
                known.add(place.pos, place.end)
    return _New(tuple(kept), repeated, tuple(failed))
