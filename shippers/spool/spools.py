"""The spools of a shipper: one for each input that cannot be read twice, and those that earlier processes left.

The segments of a spool are followed like files, one after the other. A spool also holds the settings of its input, so
any later shipper can send what a `ship --stdin` had to leave behind.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from logrouter.support.filesystem import replace_file
from shippers.encode.text import UNREDACTED, Refining
from shippers.files.follow import Files
from shippers.files.generation import Generation
from shippers.input import Input, Journal, Stdin, Syslog
from shippers.services import NO_SERVICES
from shippers.sources import stdin
from shippers.sources.journal import JournalReader
from shippers.sources.journal_cursor import Cursors, is_kept
from shippers.sources.syslog import listener as syslog
from shippers.spool.spool import Segment, Spool

_SETTINGS = "input.json"

_ESCAPED = 8
"""Bytes of an envelope for each byte of a message, at most."""


@dataclass(slots=True, eq=False)
class _Spooled:
    settings: Input
    spool: Spool
    is_fed: bool
    cursors: Cursors | None = None
    generation: Generation | None = None


class Spools:
    """The spools in `directory`. `inputs` are the inputs with a feed; `host` is for those that name none.

    Raises OSError.
    """

    def __init__(self, directory: Path, inputs: Sequence[Input], host: str) -> None:
        self._each: list[_Spooled] = []
        self._unended = sum(isinstance(settings.feed, Stdin) for settings in inputs)
        self._journals: list[JournalReader] = []
        compressed = any(settings.compressed for settings in inputs)
        services = next((settings.services for settings in inputs if settings.services.programs), NO_SERVICES)
        for settings in inputs:
            path = directory / f"{_kind(settings)}-{hashlib.sha256(_identity(settings)).hexdigest()[:8]}"
            each = _open(path, _followed(settings, host), is_fed=True)
            saved = json.dumps(_saved(settings) | {"refining": msgspec.to_builtins(settings.refining)}).encode()
            if not (path / _SETTINGS).exists() or (path / _SETTINGS).read_bytes() != saved:
                replace_file(path / _SETTINGS, saved)
            self._each.append(each)
            if isinstance(settings.feed, Journal) and each.cursors is not None:
                self._journals.append(JournalReader(settings.feed, each.spool, each.cursors))
        ours = {each.spool.directory for each in self._each}
        for path in sorted(directory.glob(f"*/{_SETTINGS}")):
            if path.parent in ours:
                continue
            settings = replace(_read(path), services=services, compressed=compressed)
            each = _open(path.parent, _followed(settings, host), is_fed=False)
            if each.spool.segments:
                self._each.append(each)
            elif not is_kept(path.parent):
                shutil.rmtree(path.parent)

    @property
    def inputs(self) -> list[Input]:
        """The inputs as they are followed, including those of spools that earlier processes left."""
        return [each.settings for each in self._each]

    def behind(self, settings: Input) -> int:
        """Return how many bytes of an input are synced in its spool and not confirmed."""
        return sum(each.spool.behind for each in self._each if each.settings == settings)

    def held(self) -> list[tuple[Segment, int]]:
        """Return all segments, each with the bytes that it holds now."""
        return [(segment, segment.synced) for each in self._each for segment in each.spool.segments]

    def turn(self, files: Files, now: float) -> None:
        """Have `files` follow the oldest segment of each spool, and delete segments that are closed and confirmed.

        Only one segment of a spool is followed at a time, so that content is read in the order in which it arrived.
        """
        for each in self._each:
            oldest = each.spool.segments[0] if each.spool.segments else None
            if oldest is not None and oldest.closed and oldest.confirmed >= oldest.synced:
                if each.cursors is not None and not each.cursors.keep(oldest):
                    continue
                if each.generation is not None:
                    files.release(each.generation)
                    each.generation = None
                each.spool.delete_confirmed()
                oldest = each.spool.segments[0] if each.spool.segments else None
            if oldest is not None and each.generation is None:
                each.generation = files.adopt(each.settings, oldest, now)

    async def feed(self) -> None:
        """Fill the spools until cancelled."""
        async with asyncio.TaskGroup() as group:
            for each in self._each:
                feed = each.settings.feed if each.is_fed else None
                if isinstance(feed, Syslog):
                    group.create_task(syslog.listen(feed, each.spool))
                elif isinstance(feed, Stdin):
                    group.create_task(self._copy_stdin(each.spool))
            for reader in self._journals:
                group.create_task(reader.run())
            await asyncio.Event().wait()

    @property
    def ended(self) -> bool:
        """Whether standard input has ended, and each journal has been read as far as it can be."""
        return not self._unended and all(reader.caught_up or reader.is_failing for reader in self._journals)

    @property
    def unread(self) -> list[str]:
        """The names of the journals that have not caught up. When `ended` is true, these cannot be read."""
        return [reader.name for reader in self._journals if not reader.caught_up]

    async def _copy_stdin(self, spool: Spool) -> None:
        await stdin.copy(0, spool)
        self._unended -= 1

    async def close(self) -> None:
        """Write what waits in the spools, and close them."""
        for each in self._each:
            await each.spool.close()


def _open(directory: Path, settings: Input, *, is_fed: bool) -> _Spooled:
    """Open a spool and, for a journal, first its cursors: they truncate segments that a crash has torn."""
    cursors = Cursors(directory) if isinstance(settings.feed, Journal) else None
    return _Spooled(settings, Spool(directory), is_fed, cursors)


def _followed(settings: Input, host: str) -> Input:
    """Return an input as its spool is read, with a `max_line` that admits the longest envelope or entry."""
    longest = settings.max_line
    if isinstance(settings.feed, Syslog):
        longest = _ESCAPED * settings.feed.max_line + 4096
    elif isinstance(settings.feed, Journal):
        longest = settings.feed.max_entry
    return replace(settings, host=settings.host or host, max_line=longest)


def _kind(settings: Input) -> str:
    return {Stdin: "stdin", Syslog: "syslog", Journal: "journal"}[type(settings.feed)]


def _identity(settings: Input) -> bytes:
    """Return what identifies the spool of an input. A journal keeps its spool when its host or severity changes."""
    if isinstance(settings.feed, Journal):
        return json.dumps([settings.service, settings.feed.directory, sorted(settings.feed.units)]).encode()
    return json.dumps(_saved(settings)).encode()


def _saved(settings: Input) -> dict[str, str | int | list[str]]:
    """Return the settings that decide how a spool is read. Except for journals, they also identify the spool."""
    feed = settings.feed
    listening = feed if isinstance(feed, Syslog) else Syslog()
    limits = feed if isinstance(feed, Syslog | Journal) else listening
    return {
        "version": 1,
        "feed": _kind(settings),
        "service": settings.service,
        "host": settings.host,
        "severity": settings.severity,
        "max_line": settings.max_line,
        "addresses": [
            *map(str, (*listening.udp, *listening.tcp, *listening.tls)),
            *listening.unix,
            *listening.unix_stream,
        ],
        "syslog_host": limits.host,
        "syslog_max_line": limits.max_line,
    }


def _read(path: Path) -> Input:
    saved = json.loads(path.read_bytes())
    host, max_line = saved["syslog_host"], saved["syslog_max_line"]
    feeds: dict[str, Stdin | Syslog | Journal] = {
        "stdin": Stdin(),
        "syslog": Syslog(host=host, max_line=max_line),
        "journal": Journal(host=host, max_line=max_line),
    }
    return Input(
        service=saved["service"],
        host=saved["host"],
        severity=saved["severity"],
        max_line=saved["max_line"],
        feed=feeds[saved["feed"]],
        refining=msgspec.convert(saved["refining"], Refining) if "refining" in saved else UNREDACTED,
    )
