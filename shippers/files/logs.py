"""Takes in the files of all logs: each file that is met is a known generation of its log, or begins a new one."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from logrouter.observability.events import FILE_ALIKE
from shippers.files.arrivals import Arrival, Arrivals
from shippers.files.chains import Chains
from shippers.files.checkpoint import Checkpoint
from shippers.files.content import Rewritten
from shippers.files.descriptors import Opened
from shippers.files.discovery import Discovery, Origin, Wanted
from shippers.files.fingerprint import shown
from shippers.files.generation import Generation, Tally
from shippers.files.history import History
from shippers.files.log import Copy, Log
from shippers.files.notices import Notices
from shippers.files.reader import Reader
from shippers.files.recognition import Recognised, Recognition, Unclear, is_unchanged, passed_over
from shippers.files.registry import Registry
from shippers.files.rotation import Sibling, is_doubtful, log_beside
from shippers.files.schedule import Turns
from shippers.files.standing import LogFiles
from shippers.files.succession import predecessor
from shippers.files.tree import Inode
from shippers.input import Input

SETTLING = 3.0
"""Seconds for which a compressed file must be unchanged before it is read, because it may still be being written."""


class Logs:
    """The logs that the inputs lead to.

    registry: the generations that are not open.   chains: those that are.   arrivals: the files to open.
    tallies: line counts by input.   settling: see SETTLING.
    looked_before: the globs that have been looked at completely once.
    empty: the inodes of files without content that an older version followed, by path; None if the state is newer.
    """

    def __init__(
        self,
        origins: Mapping[str, Origin],
        tallies: Mapping[Input, Tally],
        registry: Registry,
        turns: Turns,
        notices: Notices,
        *,
        looked_before: set[str],
        settling: float,
        empty: Mapping[str, int] | None,
    ) -> None:
        self.registry = registry
        self.chains = Chains(turns)
        self._origins = origins
        self._tallies = tallies
        self._empty = None if empty is None else frozenset(empty.values())
        self._standing = LogFiles(
            {each.live: origins[each.glob] for each in registry if each.glob in origins},
        )
        self.arrivals = Arrivals(
            origins,
            self.chains,
            registry,
            self._standing,
            notices,
            looked_before=looked_before,
            settling=settling,
        )

    def wanted(self, discovery: Discovery, *, has_room: bool) -> list[Wanted]:
        """Return the files to open, those of each log oldest first.

        is_roomy: include files that were closed to make room and hold nothing new.
        """
        self._standing.note(discovery)
        return self.arrivals.wanted(discovery, has_room=has_room)

    def apply(self, discovery: Discovery, opened: Opened, now: float) -> float:
        """Recognise or follow new files, and note renamed and missing ones. Return by when to discover again.

        opened: the files opened since the discovery; those that are used are removed from it.
        """
        self._see(discovery, now)
        arrived = self.arrivals.arrive(discovery, opened)
        changed, self._standing.changed = sorted(self._standing.changed | arrived.keys()), set()
        waiting: dict[str, set[Inode]] = {live: set() for live in changed}
        for each in self.arrivals.waiting():
            waiting.setdefault(each.live, set()).add(each.inode)
        are_settled = [
            self._recognise(self.chains.log(live), arrived.get(live, []), waiting[live], now) for live in changed
        ]
        for live in changed:
            self._give_up(self.chains.log(live), discovery.began)
        if self.arrivals.looked(discovery):
            self.chains.changes += 1
        for live in self.chains.forget(lambda live: bool(self.registry.of_log(live) or self._standing.of(live))):
            self._standing.forget(live)
        return math.inf if all(are_settled) else now + self.arrivals.settling

    def begin_anew(self, generation: Generation, now: float) -> None:
        """Begin another generation in a file that was rewritten. The old one's content may be in a copy."""
        log, old, origin = self.chains.log_of(generation), generation.reader, generation.origin
        reader = Reader(os.dup(old.fd), generation.path, origin.settings)
        following = Generation(reader, generation.path, origin, now, self._tallies[origin.settings])
        if not generation.matched:
            following.missed(now)
        self.chains.rest(generation)
        self.chains.add(log, following, behind=generation)
        log.copies = {inode: copy for inode, copy in log.copies.items() if copy.of != generation.inode}
        self._standing.changed.add(log.live)
        generation.rewritten_at = time.time()
        if not old.is_proven:  # the file was recognised by its beginning alone, and wrongly
            self.registry.keep(replace(generation.checkpoint, device=0, inode=0))
            self.chains.leave(generation)

    def may_begin(self, generation: Generation) -> bool:
        """Report whether all that came before it in its log is through. If so, set its predecessor."""
        log = self.chains.log_of(generation)
        if not log.is_chain:
            return True
        if not log.may_begin(generation) or self._has_unread_before(generation):
            return False
        closed, standing = self.registry.of_log(log.live), self._standing.of(log.live)
        before = predecessor(generation, log.before(generation), closed, standing)
        if before is not None:
            generation.follow(before.source, before.reached)
        return True

    def is_copied(self, generation: Generation) -> bool:
        """Report whether another file holds the same content."""
        return any(generation.inode == each.of for each in self.chains.log_of(generation).copies.values())

    def files(self, live: str) -> list[Sibling]:
        """Return the files of a log, oldest first."""
        return list(self._standing.of(live).values())

    def adopt(self, generation: Generation) -> None:
        """Add a segment of a spool behind the one before it."""
        log = self.chains.log(generation.path.rpartition("/")[0])
        log.is_chain = True
        self.chains.add(log, generation)

    def resume_elsewhere(self, saved: Checkpoint, fd: int, path: str, now: float) -> None:
        """Continue a generation in a file that was found elsewhere, to which no glob leads."""
        origin = self._origins[saved.glob]
        reader = Reader(fd, path, origin.settings)
        file = Sibling(path, reader.inode, saved.size, saved.changed)
        wanted = Wanted(file, saved.live, origin, is_matched=False)
        self._begin(self.chains.log(saved.live), Arrival(wanted, reader), now, saved)

    def missing(self, discovery: Discovery) -> list[Checkpoint]:
        """Return the generations that were not read to their end and are in none of the files."""
        waiting = {each.live for each in self.arrivals.waiting()}
        those = (each for each in self.registry.unfinished() if each.glob not in discovery.late)
        return [each for each in those if each.live not in waiting and self._is_sought(each)]

    def _has_unread_before(self, generation: Generation) -> bool:
        """Report whether a generation that was followed earlier has been neither found nor given up."""
        closed = self.registry.of_log(generation.live)
        return any(each.since < generation.since and not each.done and self._is_sought(each) for each in closed)

    def _is_sought(self, saved: Checkpoint) -> bool:
        """Report whether an input still leads to it, and its file is missing or has changed."""
        there = self._standing.of(saved.live).get((saved.device, saved.inode))
        return saved.glob in self._origins and (there is None or self.registry.resting(there) is not saved)

    def _see(self, discovery: Discovery, now: float) -> None:
        """Note which open generations were renamed, or are where no glob leads."""
        for inode, generation in self.chains.by_inode.items():
            found = discovery.files.get(inode)
            if found is not None:
                path = generation.path if generation.path in found.paths else found.paths[0]
                if path != generation.path:
                    live = self._standing.log_of(path)
                    self._standing.changed |= {generation.live, live}
                    self.chains.carry(generation, live)
                generation.seen_at(path, now)
            elif generation.segment is None and generation.origin.glob not in discovery.late:
                if generation.matched:
                    self._standing.changed.add(generation.live)
                generation.missed(now)

    def _recognise(self, log: Log, arrived: list[Arrival], waiting: set[Inode], now: float) -> bool:
        """Recognise the files of a log that were opened, and put its generations in order.

        waiting: its files that were not recognised before.   Return False if some must be opened again before long.
        """
        standing = self._standing.of(log.live)
        log.is_chain = log.is_chain or _has_order(standing, self.registry.of_log(log.live))
        places = {inode: place for place, inode in enumerate(standing)}
        settled = [each for each in arrived if not self.arrivals.is_fresh(each)]
        for each in arrived:
            if each not in settled:
                each.reader.close()
        settled.sort(key=lambda each: places.get(each.wanted.inode, len(places)))

        unopened = waiting - {each.wanted.inode for each in settled}
        recognition = Recognition(log.live, log.chain, self.registry, standing, unopened)
        readers = [each.reader for each in settled]
        known = [recognition.by_inode(*each.what, readers[:place]) for place, each in enumerate(settled)]
        new = [each for each, it in zip(settled, known, strict=True) if not self._take(log, each, it, now)]
        new = [each for each in new if not self._take(log, each, recognition.by_content(*each.what), now)]
        self._begin_new(log, new, recognition, now)

        for generation in log.chain:
            if not generation.matched and generation.inode in standing:
                generation.path = standing[generation.inode].path
        log.arrange(list(standing.values()), self.arrivals.unknown(waiting) & standing.keys())
        self.registry.forget_excess(log.live, standing)
        return len(settled) == len(arrived)

    def _begin_new(self, log: Log, new: list[Arrival], recognition: Recognition, now: float) -> None:
        """Follow the files that were not recognised, except history, which is only recorded."""
        history = History(log, recognition.standing, self.registry, self.chains.by_inode, self._empty)
        older = history.older()
        for each in new:
            wanted = each.wanted
            is_history = each.was_rotated or wanted.inode in older
            if not wanted.is_matched and (is_history or (is_doubtful(wanted.path) and not history.has_rotated())):
                self.registry.keep(passed_over(wanted, each.reader))
                each.reader.close()
            elif self._take(log, each, recognition.by_content(*each.what), now):  # it may hold one begun just now
                continue
            else:
                if other := recognition.alike(*each.what):
                    FILE_ALIKE.happened(path=shown(wanted.path), other=shown(other))
                self._begin(log, each, now)
            self.arrivals.recognised(wanted.inode)

    def _take(self, log: Log, arrival: Arrival, found: Recognised | None, now: float) -> bool:
        """Continue with what a file was recognised as. Return False if the file is new."""
        wanted, reader = arrival.wanted, arrival.reader
        match found:
            case None:
                return False
            case Unclear():
                reader.close()
                return True
            case Copy():
                log.copies = {**log.copies, wanted.inode: found}
                reader.close()
            case Generation():
                self._move(log, found, arrival, now)
            case Checkpoint() if is_unchanged(found, wanted.file):
                self.registry.keep(_met_again(self.registry.take(found), wanted))
                reader.close()
            case Checkpoint():
                self._begin(log, arrival, now, found)
        self.arrivals.recognised(wanted.inode)
        return True

    def _begin(self, log: Log, arrival: Arrival, now: float, saved: Checkpoint | None = None) -> None:
        """Follow a file: as the saved generation, or as a new one."""
        wanted, reader = arrival.wanted, arrival.reader
        generation = Generation(reader, wanted.path, wanted.origin, now, self._tallies[wanted.origin.settings])
        try:
            if saved is not None:
                generation.resume(saved)
            elif arrival.was_there:
                generation.begin_as_set()
        except OSError as error:
            self.arrivals.fail(wanted, error)
            reader.close()
            return
        for each in self.registry.at(wanted.inode, wanted.path) if saved is None else ():
            if not each.prefix.length:
                self.registry.take(each)  # the file was empty then
        if saved is not None:
            self.registry.take(saved)
            generation.left_at = now if saved.path != wanted.path else None
        with contextlib.suppress(OSError, Rewritten):  # the next look reports it
            generation.look(now)
        if not wanted.is_matched:
            generation.missed(now)
        self.chains.add(log, generation)

    def _move(self, log: Log, generation: Generation, arrival: Arrival, now: float) -> None:
        """Continue a generation in the file that holds it now."""
        is_there = generation.inode in self._standing.of(log.live)
        is_current = self.chains.by_inode.get(generation.inode) is generation
        if generation.rewritten_at is None and is_current and is_there:
            self.begin_anew(generation, now)
        self.chains.move(generation, arrival.reader, arrival.wanted.path, now)
        if not arrival.wanted.is_matched:
            generation.missed(now)

    def _give_up(self, log: Log, began: float) -> None:
        """End the generations that were rewritten before the log's files were listed, and are in none of these."""
        for generation in log.chain:
            if generation.rewritten_at is not None:
                if generation.rewritten_at <= began and not log.is_unclear:
                    generation.end()
                else:
                    self._standing.changed.add(log.live)


def _has_order(standing: Mapping[Inode, Sibling], closed: Sequence[Checkpoint]) -> bool:
    """Report whether the files of a log have an order.

    Files such as `worker-1.log` and `worker-2.log` have one only if there is or was a `worker.log`, or if one of them
    is known to follow another.
    """
    paths = [*(each.path for each in standing.values()), *(each.path for each in closed)]
    return any(each.previous for each in closed) or not all(map(is_doubtful, paths))


def _met_again(saved: Checkpoint, wanted: Wanted) -> Checkpoint:
    """Return the checkpoint of the same content in another file."""
    file = wanted.file
    device, inode = file.inode
    log = log_beside(file.path, wanted.live)
    return replace(saved, path=file.path, device=device, inode=inode, size=file.size, changed=file.changed, log=log)
