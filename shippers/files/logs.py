"""The logs that the inputs lead to, and which generations of each are open.

Each file that is met is recognised as a generation of its log, or begins a new one.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from logrouter.observe.events import FILE_ALIKE
from shippers.files.checkpoint import Checkpoint
from shippers.files.content import Rewritten
from shippers.files.descriptors import Opened, is_shortage
from shippers.files.discovery import Discovery, Origin, Wanted, is_excluded
from shippers.files.fingerprint import shown
from shippers.files.generation import Generation, Tally
from shippers.files.log import Copy, Log
from shippers.files.notices import Notices
from shippers.files.reader import Reader
from shippers.files.recognition import Recognised, Recognition, Unclear, is_rewritten, is_unchanged, passed_over
from shippers.files.registry import REMEMBERED, Registry
from shippers.files.rotation import Sibling, age, is_doubtful, log_beside, uncompressed
from shippers.files.schedule import Turns
from shippers.files.standing import Standing
from shippers.files.tree import Inode
from shippers.input import Input, is_compressed

SETTLING = 3.0
"""Seconds for which a compressed file must not have changed before it is taken: it may be just being made."""


class _Arrived(NamedTuple):
    """An open file that is to be recognised."""

    wanted: Wanted
    reader: Reader

    @property
    def what(self) -> tuple[Sibling, Reader]:
        """What it is recognised by."""
        return self.wanted.file, self.reader


class Logs:
    """registry: the generations that are not open.   by_inode: those that are, save for rewritten ones.

    tallies: lines, by input.   looked_before: the globs under which all has been seen once.   settling: see SETTLING.
    older: the inodes of files without content that an older version followed, by path; None if there was none.
    changes: how often it changed what is followed, and where that is.
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
        older: Mapping[str, int] | None,
    ) -> None:
        self.registry = registry
        self.looked_before = looked_before
        self.by_inode: dict[Inode, Generation] = {}
        self.changes = 0
        self._origins = origins
        self._tallies = tallies
        self._turns = turns
        self._notices = notices
        self._settling = settling
        self._older = older
        self._standing = Standing(
            {each.live: origins[each.glob] for each in registry if each.glob in origins},
        )
        self._logs: dict[str, Log] = {}
        self._forget_at = REMEMBERED
        self._of: dict[Generation, Log] = {}
        self._wanted: dict[Inode, Wanted] = {}
        self._there_before: dict[Inode, bool] = {}  # and whether a glob led to it
        self._failing: set[Inode] = set()
        self._met: set[str] = set()

    def __iter__(self) -> Iterator[Generation]:
        """All that are open, and those that have ended and wait to be confirmed."""
        return iter(list(self._of))

    def wanted(self, discovery: Discovery, *, is_roomy: bool) -> list[Wanted]:
        """The files that are to be opened, those of each log oldest first.

        is_roomy: also those that were closed to make room, and hold nothing new.
        """
        self._standing.note(discovery)
        found = {inode: each for inode, each in self._wanted.items() if not each.is_matched}
        for live in sorted(self._standing.changed):
            for file in self._standing.rotated(live):
                found[file.inode] = Wanted(file, live, self._standing.origin(live), is_matched=False)
        for inode, each in discovery.files.items():
            if inode not in self.by_inode and each.origin.glob not in discovery.late:
                file = Sibling(each.paths[0], inode, *each.stamp)
                found[inode] = Wanted(file, self._standing.log_of(file.path), each.origin)
        wanted = [each for each in found.values() if not self._is_known(each, is_roomy=is_roomy)]
        wanted.sort(key=lambda each: (age(each.path), not is_compressed(each.path)), reverse=True)
        self._wanted = {each.inode: each for each in wanted}
        return wanted

    def apply(self, discovery: Discovery, opened: Opened, now: float) -> float:
        """Take in what is new, notice what was renamed or is gone; says when to discover again at the latest.

        opened: files that were opened since they were discovered; those that are taken leave it.
        """
        met = self._origins.keys() - discovery.late
        first_met = met - self.looked_before
        before = {inode: is_matched for inode, is_matched in self._there_before.items() if inode in self._wanted}
        now_met = {inode: each.is_matched for inode, each in self._wanted.items() if each.origin.glob in first_met}
        self._there_before = now_met | before
        self._see(discovery, now)
        arrived = self._arrived(opened)
        changed, self._standing.changed = sorted(self._standing.changed | arrived.keys()), set()
        waiting: dict[str, set[Inode]] = {live: set() for live in changed}
        for each in self._waiting():
            waiting.setdefault(each.live, set()).add(each.inode)
        are_settled = [self._recognise(self._log(live), arrived.get(live, []), waiting[live], now) for live in changed]
        for live in changed:
            self._give_up(self._log(live), discovery.began)
        self._met |= met
        if first_met:
            self.looked_before |= met
            self.changes += 1
        if len(self._logs) > self._forget_at:
            self._forget()
        return math.inf if all(are_settled) else now + self._settling

    def begin_anew(self, generation: Generation, now: float) -> None:
        """Its file was rewritten: what stands there is another generation, and its own content may stand in a copy."""
        log, old, origin = self._of[generation], generation.reader, generation.origin
        reader = Reader(os.dup(old.fd), generation.path, origin.settings)
        following = Generation(reader, generation.path, origin, now, self._tallies[origin.settings])
        if not generation.matched:
            following.missed(now)
        self._turns.leave(generation)
        self._add(log, following, behind=generation)
        log.copies = {inode: copy for inode, copy in log.copies.items() if copy.of != generation.inode}
        self._standing.changed.add(log.live)
        generation.rewritten_at = time.time()
        if not old.is_proven:  # it was taken for what it only began like
            self.registry.keep(replace(generation.checkpoint, device=0, inode=0))
            self.leave(generation)

    def leave(self, generation: Generation) -> None:
        """Follow it no longer."""
        if self.by_inode.get(generation.inode) is generation:
            del self.by_inode[generation.inode]
        self._turns.leave(generation)
        self._of.pop(generation).remove(generation)
        generation.reader.close()
        self.changes += 1

    def may_begin(self, generation: Generation) -> bool:
        """Whether all that came before it in its log was read as far as that went when it was met."""
        return self._of[generation].may_begin(generation)

    def is_copied(self, generation: Generation) -> bool:
        """Whether another file holds what it holds."""
        return any(generation.inode == each.of for each in self._of[generation].copies.values())

    def files(self, live: str) -> list[Sibling]:
        """Those of a log, oldest first."""
        return list(self._standing.of(live).values())

    def adopt(self, generation: Generation) -> None:
        """Follow a segment of a spool, behind the one before it."""
        self._add(self._log(generation.path.rpartition("/")[0]), generation)

    def go_on(self, saved: Checkpoint, fd: int, path: str, now: float) -> None:
        """With a generation in a file that was found elsewhere, to which no glob leads."""
        origin = self._origins[saved.glob]
        reader = Reader(fd, path, origin.settings)
        file = Sibling(path, reader.inode, saved.size, saved.changed)
        wanted = Wanted(file, saved.live, origin, is_matched=False)
        self._begin(self._log(wanted.live), _Arrived(wanted, reader), now, saved)

    def missing(self, discovery: Discovery) -> list[Checkpoint]:
        """The generations that were not read to their end, and stand nowhere."""
        globs = self._origins.keys() - discovery.late
        waiting = {each.live for each in self._waiting()}
        those = [each for each in self.registry.unfinished() if each.glob in globs and each.live not in waiting]
        return [each for each in those if not self._stands(each)]

    def _stands(self, saved: Checkpoint) -> bool:
        there = self._standing.of(saved.live).get((saved.device, saved.inode))
        return there is not None and self.registry.resting(there) is saved

    def _waiting(self) -> Iterator[Wanted]:
        """The files of which it is not known yet what they are."""
        return (each for inode, each in self._wanted.items() if inode not in self._failing)

    def _forget(self) -> None:
        """Drop the logs of which nothing stands, and of which the registry remembers nothing."""
        for live, log in list(self._logs.items()):
            if not (log.chain or self.registry.of_log(live) or self._standing.of(live)):
                del self._logs[live]
                self._standing.forget(live)
        self._forget_at = 2 * len(self._logs) + REMEMBERED

    def _log(self, live: str) -> Log:
        log = self._logs.get(live)
        if log is None:
            log = self._logs[live] = Log(live)
        return log

    def _add(self, log: Log, generation: Generation, behind: Generation | None = None) -> None:
        log.insert(generation, behind)
        generation.live = log.live
        self._of[generation] = log
        self.by_inode[generation.inode] = generation
        self._turns.wake(generation)
        self.changes += 1

    def _is_known(self, wanted: Wanted, *, is_roomy: bool) -> bool:
        """Whether a file need not be opened: one that is done or, where a glob leads to it, closed to make room."""
        file = wanted.file
        if file.inode in self.by_inode or self._is_copy(file, wanted.live):
            return True
        resting = self.registry.resting(file)
        if resting is not None:
            is_done = resting.done and bool(resting.size)
            return is_done or (wanted.is_matched and not is_roomy)
        return not wanted.is_matched and is_excluded(uncompressed(file.path), wanted.origin.settings)

    def _is_copy(self, file: Sibling, live: str) -> bool:
        """Whether it holds what another file holds, which still does."""
        copies = self._log(live).copies
        copy = copies.get(file.inode)
        if copy is None:
            return False
        original = self._standing.of(live).get(copy.of)
        is_there = copy.of in self.by_inode or (original is not None and self.registry.resting(original) is not None)
        if not is_there or (copy.size, copy.changed) != (file.size, file.changed):
            del copies[file.inode]
            return False
        return True

    def _see(self, discovery: Discovery, now: float) -> None:
        """Notice which open generations were renamed, or are where no glob leads."""
        for inode, generation in self.by_inode.items():
            found = discovery.files.get(inode)
            if found is not None:
                path = generation.path if generation.path in found.paths else found.paths[0]
                if path != generation.path:
                    self._move_to(self._standing.log_of(path), generation)
                generation.seen_at(path, now)
            elif generation.segment is None and generation.origin.glob not in discovery.late:
                if generation.matched:
                    self._standing.changed.add(self._of[generation].live)
                generation.missed(now)

    def _move_to(self, live: str, generation: Generation) -> None:
        """It stands in a place of this log, which may be another one than before."""
        log = self._of[generation]
        self._standing.changed |= {log.live, live}
        self.changes += 1
        if log.live != live:
            log.remove(generation)
            generation.live = live
            self._of[generation] = self._log(live)
            self._of[generation].insert(generation)

    def _arrived(self, opened: Opened) -> dict[str, list[_Arrived]]:
        """The files that were opened, by their logs."""
        arrived: dict[str, list[_Arrived]] = {}
        met: set[Inode] = set()
        for inode, wanted in self._wanted.items():
            answer = opened.get(inode)
            if isinstance(answer, FileNotFoundError) or (isinstance(answer, OSError) and is_shortage(answer)):
                continue
            try:
                if isinstance(answer, OSError):
                    raise answer
                if answer is not None and inode not in self.by_inode:
                    reader = Reader(answer, wanted.path, wanted.origin.settings)
                    found = reader.inode
                    if found in met or (found != inode and (found in self.by_inode or found in self._wanted)):
                        self._standing.changed.add(wanted.live)  # the path led to another file by then
                        continue
                    met.add(found)
                    del opened[inode]
                    self._failing.discard(inode)
                    arrived.setdefault(wanted.live, []).append(_Arrived(wanted, reader))
            except OSError as error:
                self._fail(wanted, error)
        return arrived

    def _fail(self, wanted: Wanted, error: OSError) -> None:
        """It cannot be read; what came behind it does not wait for it."""
        self._failing.add(wanted.inode)
        self._standing.changed.add(wanted.live)
        self._notices.failed(wanted.path, error.strerror)

    def _recognise(self, log: Log, arrived: list[_Arrived], waiting: set[Inode], now: float) -> bool:
        """Find out what these files of a log are, and put its generations into their order.

        waiting: those of its files that were not known before.   False if some are to be opened once more before long.
        """
        standing = self._standing.of(log.live)
        settled = [each for each in arrived if not self._is_fresh(each)]
        for each in arrived:
            if each not in settled:
                each.reader.close()
        unopened = waiting - {each.wanted.inode for each in settled}
        recognition = Recognition(log.live, log.chain, self.registry, standing, unopened)
        places = {inode: place for place, inode in enumerate(standing)}
        settled.sort(key=lambda each: places.get(each.wanted.inode, len(places)))
        readers = [each.reader for each in settled]

        known = [recognition.by_inode(*each.what, readers[:place]) for place, each in enumerate(settled)]
        new = [each for each, it in zip(settled, known, strict=True) if not self._take(log, each, it, now)]
        new = [each for each in new if not self._take(log, each, recognition.by_content(*each.what), now)]
        first_known = self._first_known(log, standing)
        for each in new:
            wanted = each.wanted
            is_older = wanted.inode in places and places[wanted.inode] < first_known
            if not wanted.is_matched and (is_older or self._is_none_of_it(log, standing, wanted)):
                self.registry.keep(passed_over(wanted, each.reader))
                each.reader.close()
                del self._wanted[wanted.inode]
            elif not self._take(log, each, recognition.by_content(*each.what), now):  # it may hold one begun just now
                if other := recognition.alike(*each.what):
                    FILE_ALIKE.happened(path=shown(wanted.path), other=shown(other))
                self._begin(log, each, now)
                del self._wanted[wanted.inode]
        for generation in log.chain:
            if not generation.matched and generation.inode in standing:
                generation.path = standing[generation.inode].path
        unknown = (waiting & self._wanted.keys()) - self._failing
        log.arrange(list(standing.values()), unknown & standing.keys())
        self.registry.looked_through(log.live, standing)
        return len(settled) == len(arrived)

    def _take(self, log: Log, arrived: _Arrived, found: Recognised | None, now: float) -> bool:
        """Go on with what a file was recognised as; false if it is new."""
        wanted, reader = arrived
        match found:
            case None:
                return False
            case Unclear():
                reader.close()
                return True
            case Copy():
                log.copies[wanted.inode] = found
                reader.close()
            case Generation():
                if (
                    found.rewritten_at is None
                    and self.by_inode[found.inode] is found
                    and found.inode in self._standing.of(log.live)
                ):
                    self.begin_anew(found, now)
                self._move(found, arrived, now)
            case Checkpoint() if is_unchanged(found, wanted.file):
                self.registry.keep(_met_again(self.registry.take(found), wanted))
                reader.close()
            case Checkpoint():
                self._begin(log, arrived, now, found)
        self._wanted.pop(wanted.inode, None)
        return True

    def _begin(self, log: Log, arrived: _Arrived, now: float, saved: Checkpoint | None = None) -> None:
        """Follow a file: as the generation that it is, or as a new one."""
        wanted, reader = arrived
        generation = Generation(reader, wanted.path, wanted.origin, now, self._tallies[wanted.origin.settings])
        try:
            if saved is not None:
                generation.resume(saved)
            elif wanted.inode in self._there_before:
                generation.begin_as_set()
        except OSError as error:
            self._fail(wanted, error)
            reader.close()
            return
        for each in self.registry.at(wanted.inode, wanted.path) if saved is None else ():
            if not each.prefix.length:
                self.registry.take(each)  # it was empty
        if saved is not None:
            self.registry.take(saved)
            generation.left_at = now if saved.path != wanted.path else None
        with contextlib.suppress(OSError, Rewritten):  # the next look says so
            generation.look(now)
        if not wanted.is_matched:
            generation.missed(now)
        self._add(log, generation)

    def _move(self, generation: Generation, arrived: _Arrived, now: float) -> None:
        """Go on with a generation in the file that holds it now."""
        if self.by_inode.get(generation.inode) is generation:
            del self.by_inode[generation.inode]
        self._turns.leave(generation)
        generation.move(arrived.reader, arrived.wanted.path, now)
        if not arrived.wanted.is_matched:
            generation.missed(now)
        self.by_inode[generation.inode] = generation
        self._turns.wake(generation)
        self.changes += 1

    def _give_up(self, log: Log, began: float) -> None:
        """What was rewritten before all files of its log were listed, and stands in none of them, is gone."""
        for generation in log.chain:
            if generation.rewritten_at is not None:
                if generation.rewritten_at <= began and not log.is_unclear:
                    generation.end()
                else:
                    self._standing.changed.add(log.live)

    def _is_fresh(self, arrived: _Arrived) -> bool:
        """Whether it is perhaps just being compressed; what a glob leads to when this process begins is not."""
        wanted, reader = arrived
        if not is_compressed(wanted.path) or (wanted.is_matched and wanted.origin.glob not in self._met):
            return False
        return time.time() - os.fstat(reader.fd).st_ctime < self._settling

    def _has_rotated(self, log: Log, standing: Mapping[Inode, Sibling]) -> bool:
        """Whether its live file is another one than before, or none, or was truncated; or one was in such a place."""
        closed = self.registry.of_log(log.live)
        known: list[Generation | Checkpoint] = [*log.chain, *closed]
        live = next((each for each in standing.values() if each.path == log.live), None)
        is_new = live is None or not (live.inode in self.by_inode or self.registry.resting(live) is not None)
        is_cut = live is not None and any(each.at(live.inode) and each.confirmed > live.size for each in closed)
        is_moved = any(each.source and is_doubtful(each.path) for each in known)
        is_changed = is_new or is_cut or any(map(is_rewritten, log.chain))
        return is_moved or (is_changed and bool(known or log.last[0]))

    def _first_known(self, log: Log, standing: Mapping[Inode, Sibling]) -> int:
        """The place of the oldest file that is known, where an older version did not note those that it passed over."""
        if self._older is None:
            return 0
        for place, (inode, file) in enumerate(standing.items()):
            if inode in self.by_inode or self.registry.at(inode, file.path) or inode[1] in self._older.values():
                return place
        return 0 if log.chain or self.registry.of_log(log.live) else len(standing)

    def _is_none_of_it(self, log: Log, standing: Mapping[Inode, Sibling], wanted: Wanted) -> bool:
        """Whether a rotated file was there before its log was followed, or perhaps belongs to another log."""
        was_rotated = self._there_before.get(wanted.inode) is False
        return was_rotated or (is_doubtful(wanted.path) and not self._has_rotated(log, standing))


def _met_again(saved: Checkpoint, wanted: Wanted) -> Checkpoint:
    """The same content in another file."""
    file = wanted.file
    device, inode = file.inode
    log = log_beside(file.path, wanted.live)
    return replace(saved, path=file.path, device=device, inode=inode, size=file.size, changed=file.changed, log=log)
