"""The spools of a shipper: one for each input that cannot be read twice, and those that earlier processes left.

In come inputs with a feed; out go the segments of their spools, each spool's one after the other, to be followed like
files. A spool holds its input's settings too, so that what one `ship --stdin` had to leave is sent by any later start.
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
from shippers.services import NONE_KNOWN
from shippers.sources import stdin
from shippers.sources.journal import JournalReader
from shippers.sources.journal_cursor import Cursors, is_kept
from shippers.sources.syslog import listener as syslog
from shippers.spool.spool import Segment, Spool

_SETTINGS = "input.json"

_ESCAPED = 8
"""Bytes of an envelope for one of a message, at most; and a little for the rest."""


@dataclass(slots=True, eq=False)
class _Spooled:
    settings: Input
    spool: Spool
    is_fed: bool
    cursors: Cursors | None = None
    generation: Generation | None = None


class Spools:
    """The spools in `directory`, of different inputs."""

    def __init__(self, directory: Path, inputs: Sequence[Input], host: str) -> None:
        self._each: list[_Spooled] = []
        self._unended = sum(isinstance(settings.feed, Stdin) for settings in inputs)
        self._journals: list[JournalReader] = []
        compressed = any(settings.compressed for settings in inputs)
        services = next((settings.services for settings in inputs if settings.services.programs), NONE_KNOWN)
        for settings in inputs:
            place = directory / f"{_kind(settings)}-{hashlib.sha256(_identity(settings)).hexdigest()[:8]}"
            each = _open(place, _followed(settings, host), is_fed=True)
            saved = json.dumps(_saved(settings) | {"refining": msgspec.to_builtins(settings.refining)}).encode()
            if not (place / _SETTINGS).exists() or (place / _SETTINGS).read_bytes() != saved:
                replace_file(place / _SETTINGS, saved)
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
        """The inputs, as they are followed, those of earlier processes included."""
        return [each.settings for each in self._each]

    def behind(self, settings: Input) -> int:
        """Bytes of an input that are safe in its spool and not confirmed."""
        return sum(each.spool.behind for each in self._each if each.settings == settings)

    def held(self) -> list[tuple[Segment, int]]:
        """All segments, and what each holds now."""
        return [(segment, segment.synced) for each in self._each for segment in each.spool.segments]

    def turn(self, files: Files, now: float) -> None:
        """Let `files` follow the oldest segment of each spool, and delete those that are done with.

        One at a time, so that the order of what came is the order in which it is read.
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
        """Whether all has come that will by itself: standard input to its end, a journal as far as it can be read."""
        return not self._unended and all(reader.caught_up or reader.is_failing for reader in self._journals)

    @property
    def unread(self) -> list[str]:
        """The journals that could not be read at all."""
        return [reader.name for reader in self._journals if not reader.caught_up]

    async def _copy_stdin(self, spool: Spool) -> None:
        await stdin.copy(0, spool)
        self._unended -= 1

    async def close(self) -> None:
        """Make safe what was taken."""
        for each in self._each:
            await each.spool.close()


def _open(place: Path, settings: Input, *, is_fed: bool) -> _Spooled:
    """A spool and, of a journal, where that is to be gone on with."""
    cursors = Cursors(place) if isinstance(settings.feed, Journal) else None
    return _Spooled(settings, Spool(place), is_fed, cursors)


def _followed(settings: Input, host: str) -> Input:
    """An input as its spool is read: no line of it is too long for the message that it holds."""
    longest = settings.max_line
    if isinstance(settings.feed, Syslog):
        longest = _ESCAPED * settings.feed.max_line + 4096
    elif isinstance(settings.feed, Journal):
        longest = settings.feed.max_entry
    return replace(settings, host=settings.host or host, max_line=longest)


def _kind(settings: Input) -> str:
    return {Stdin: "stdin", Syslog: "syslog", Journal: "journal"}[type(settings.feed)]


def _identity(settings: Input) -> bytes:
    """What an input is known by. A journal goes on where it was, though its host or severity be said otherwise."""
    if isinstance(settings.feed, Journal):
        return json.dumps([settings.service, settings.feed.directory, sorted(settings.feed.units)]).encode()
    return json.dumps(_saved(settings)).encode()


def _saved(settings: Input) -> dict[str, str | int | list[str]]:
    """What decides how the content of a spool is read; spools that differ in it are kept apart, save for journals."""
    feed = settings.feed
    listening = feed if isinstance(feed, Syslog) else Syslog()
    said = feed if isinstance(feed, Syslog | Journal) else listening
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
        "syslog_host": said.host,
        "syslog_max_line": said.max_line,
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
