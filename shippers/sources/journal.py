"""Reads the systemd journal into a spool, each entry once, whichever process dies in between.

journalctl writes the entries as JSON. A first call returns the entries that exist, and a second call follows new ones.
Both begin with the last known entry (`--cursor`), which is then dropped. So a journal that has lost that entry is
noticed, and no other entry is skipped: `--after-cursor` would skip the next one instead.

If the shipper dies, even by `kill -9`, journalctl ends by itself, because it watches its output. What it had written
and nobody had read is read again from the cursor.
"""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from pathlib import Path

from logrouter.observability.conditions import Condition
from logrouter.observability.events import JOURNAL_FAILING, JOURNAL_GAP, JOURNAL_RESUMED, JOURNAL_SAID
from logrouter.support.backoff import Backoff
from shippers.input import Journal
from shippers.parse.journal import JournalLines, is_of
from shippers.sources.journal_cursor import Cursors
from shippers.spool.load_shedding import LoadShedding
from shippers.spool.spool import Spool

_PROGRAM = "journalctl"
_READ_BYTES = 256 << 10
_BACKOFF = Backoff(0.2, 15.0)
_STEADY_SECONDS = 5.0
"""Seconds after which a journalctl that follows is considered to work."""

_REMARKS = 100
"""The most different messages of journalctl that are logged."""

_SYSTEMD_RUNS = Path("/run/systemd/system")
"""This directory exists on each machine that was started by systemd, see sd_booted(3)."""


class JournalFailed(Exception):
    """journalctl failed, ended although it should follow, or found no entries."""


def is_enabled(unless: Sequence[str]) -> bool:
    """Report whether to follow a journal that stands in for the files in `unless`.

    True if systemd runs and none of the files exists, or if there are no files.
    """
    return not unless or (_SYSTEMD_RUNS.is_dir() and not any(Path(path).exists() for path in unless))


class JournalReader:
    """Reads one journal into `spool`, beginning after the last entry that `cursors` know.

    caught_up: whether all entries that existed at the start are synced in the spool.
    """

    def __init__(self, settings: Journal, spool: Spool, cursors: Cursors) -> None:
        self.name = settings.name
        self.caught_up = False
        self._settings = settings
        self._spool = spool
        self._room = LoadShedding(spool, settings.max_spool)
        self._cursors = cursors
        self._cursor = cursors.last
        self._first = None if cursors.begun else settings.first_read
        self._failing = Condition(JOURNAL_FAILING, JOURNAL_RESUMED)
        self._remarks: set[str] = set()

    @property
    def is_failing(self) -> bool:
        """Whether the journal cannot be read now."""
        return self._failing.holds

    async def run(self) -> None:
        """Read until cancelled. After a failure, log it and try again."""
        failures, loop = 0, asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await self._read()
            except (OSError, JournalFailed) as error:
                self._failing.begin(journal=self.name, reason=error, remedy=_remedy(error))
            failures = 1 if loop.time() - began > _STEADY_SECONDS else failures + 1
            await asyncio.sleep(_BACKOFF.pause(failures))

    async def _read(self) -> None:
        """Read the entries that exist, then follow new ones. Raises OSError or JournalFailed."""
        if not await self._take() and self._cursor:
            await self._begin_anew()
        await self._spool.put(b"")
        if not self._spool.segments:
            await asyncio.to_thread(self._cursors.note, self._cursor)
        self._first, self.caught_up = None, True
        well = asyncio.get_running_loop().call_later(_STEADY_SECONDS, self._resumed)
        try:
            await self._take("--follow", "--no-tail")
        finally:
            well.cancel()
        raise JournalFailed("journalctl ended")

    async def _begin_anew(self) -> None:
        """Read the whole journal, because neither the last known entry nor a later one is in it.

        Raises OSError or JournalFailed.
        """
        lost, self._cursor = self._cursor, ""
        if not await self._take():
            self._cursor = lost  # its disk may not be mounted yet; without a cursor, all of it would be read again
            raise JournalFailed("it has no entries")
        JOURNAL_GAP.happened(journal=self.name, cursor=lost)

    def _resumed(self) -> None:
        self._failing.end(journal=self.name)

    async def _take(self, *options: str) -> bool:
        """Run journalctl from the last known entry on, and put its entries into the spool.

        Report whether that entry or a later one was found.

        Raises OSError or JournalFailed.
        """
        known = self._cursor
        process = await asyncio.create_subprocess_exec(
            *self._command(known, follows=bool(options)),
            *options,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,  # Ctrl-C is for the shipper
        )
        remarking = asyncio.create_task(self._remarked(process))
        try:
            found = await self._copy(process, known)
            status = await process.wait()
            remark = await remarking
        finally:
            remarking.cancel()
            if process.returncode is None:
                process.kill()
                await process.wait()
        if status and known and not found and "cursor" in remark:
            return False
        if status:
            raise JournalFailed(remark or f"journalctl ended with status {status}")
        return found

    def _command(self, cursor: str, *, follows: bool) -> list[str]:
        command = [_PROGRAM, "--output=json", "--all", "--no-pager"]
        if self._settings.directory:
            command.append(f"--directory={self._settings.directory}")
        if cursor:
            command.append(f"--cursor={cursor}")
        elif self._first is not None and not follows:
            command.append(f"--lines={self._first}")
        return command

    async def _copy(self, process: Process, known: str) -> bool:
        """Put entries as they come, except the known one. Report whether any came."""
        assert process.stdout is not None
        lines, found = JournalLines(self._settings.max_entry, known), False
        while content := await process.stdout.read(_READ_BYTES):
            entries = lines.feed(content)
            if entries and not found:
                found = True
                if entries[0][0] == known:
                    entries = entries[1:]
                elif known:
                    JOURNAL_GAP.happened(journal=self.name, cursor=known)
            if entries:
                await self._put(entries)
        return found

    async def _put(self, entries: Sequence[tuple[str, bytes]]) -> None:
        units = self._settings.units
        wanted = [line for _, line in entries if not units or is_of(line, units)]
        safe = self._spool.put(b"".join(wanted))
        self._cursor = entries[-1][0]
        if self._spool.is_full:
            await safe
        await self._room.room()

    async def _remarked(self, process: Process) -> str:
        """Log the messages of journalctl, each different one once. Return the last one."""
        assert process.stderr is not None
        last = ""
        while content := await process.stderr.read(_READ_BYTES):
            for remark in content.decode(errors="replace").split("\n"):
                last = remark or last
                if remark and remark not in self._remarks and len(self._remarks) < _REMARKS:
                    self._remarks.add(remark)
                    JOURNAL_SAID.happened(journal=self.name, text=remark)
        return last


def _remedy(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "Install systemd's journalctl, or remove `journal` from the inputs"
    if "ermission" in str(error):
        return "Add the user to the group systemd-journal"
    return "Nothing is lost as long as the journal keeps its entries"
