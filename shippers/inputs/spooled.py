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

from logrouter.state import replace_file
from shippers.inputs import stdin, syslog
from shippers.inputs.files import Files
from shippers.inputs.follower import Follower
from shippers.refining import UNREDACTED, Refining
from shippers.services import NONE_KNOWN
from shippers.spool import Segment, Spool
from shippers.windows import Input, Stdin, Syslog

_SETTINGS = "input.json"

_ESCAPED = 8
"""Bytes of an envelope for one of a message, at most; and a little for the rest."""


@dataclass(slots=True, eq=False)
class _Spooled:
    settings: Input
    spool: Spool
    is_fed: bool
    follower: Follower | None = None


class Spools:
    """The spools in `directory`, of different inputs."""

    def __init__(self, directory: Path, inputs: Sequence[Input], host: str) -> None:
        self._each: list[_Spooled] = []
        self._unended = sum(isinstance(settings.feed, Stdin) for settings in inputs)
        services = next((settings.services for settings in inputs if settings.services.programs), NONE_KNOWN)
        for settings in inputs:
            identity = _saved(settings)
            name = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]
            place = directory / f"{_kind(settings)}-{name}"
            spool = Spool(place)
            saved = json.dumps(identity | {"refining": msgspec.to_builtins(settings.refining)}).encode()
            if not (place / _SETTINGS).exists() or (place / _SETTINGS).read_bytes() != saved:
                replace_file(place / _SETTINGS, saved)
            self._each.append(_Spooled(_followed(settings, host), spool, is_fed=True))
        ours = {each.spool.directory for each in self._each}
        for path in sorted(directory.glob(f"*/{_SETTINGS}")):
            if path.parent in ours:
                continue
            spool = Spool(path.parent)
            if spool.segments:
                settings = replace(_read(path), services=services)
                self._each.append(_Spooled(_followed(settings, host), spool, is_fed=False))
            else:
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
                if each.follower is not None:
                    files.release(each.follower)
                    each.follower = None
                each.spool.delete_confirmed()
                oldest = each.spool.segments[0] if each.spool.segments else None
            if oldest is not None and each.follower is None:
                each.follower = files.adopt(each.settings, oldest, now)

    async def feed(self) -> None:
        """Fill the spools until cancelled."""
        async with asyncio.TaskGroup() as group:
            for each in self._each:
                feed = each.settings.feed if each.is_fed else None
                if isinstance(feed, Syslog):
                    group.create_task(syslog.listen(feed, each.spool))
                elif isinstance(feed, Stdin):
                    group.create_task(self._copy_stdin(each.spool))
            await asyncio.Event().wait()

    @property
    def ended(self) -> bool:
        """Whether standard input has come to its end, if it is read."""
        return not self._unended

    async def _copy_stdin(self, spool: Spool) -> None:
        await stdin.copy(0, spool)
        self._unended -= 1

    async def close(self) -> None:
        """Make safe what was taken."""
        for each in self._each:
            await each.spool.close()


def _followed(settings: Input, host: str) -> Input:
    """An input as its spool is read: no envelope is too long for the message that it holds."""
    longest = settings.max_line
    if isinstance(settings.feed, Syslog):
        longest = _ESCAPED * settings.feed.max_line + 4096
    return replace(settings, host=settings.host or host, max_line=longest)


def _kind(settings: Input) -> str:
    return "stdin" if isinstance(settings.feed, Stdin) else "syslog"


def _saved(settings: Input) -> dict[str, str | int | list[str]]:
    """What decides what a spool's content is: spools that differ in it are kept apart."""
    feed = settings.feed if isinstance(settings.feed, Syslog) else Syslog()
    return {
        "version": 1,
        "feed": _kind(settings),
        "service": settings.service,
        "host": settings.host,
        "severity": settings.severity,
        "max_line": settings.max_line,
        "addresses": [*map(str, (*feed.udp, *feed.tcp)), *feed.unix, *feed.unix_stream],
        "syslog_host": feed.host,
        "syslog_max_line": feed.max_line,
    }


def _read(path: Path) -> Input:
    saved = json.loads(path.read_bytes())
    syslog = Syslog(host=saved["syslog_host"], max_line=saved["syslog_max_line"])
    return Input(
        service=saved["service"],
        host=saved["host"],
        severity=saved["severity"],
        max_line=saved["max_line"],
        feed=Stdin() if saved["feed"] == "stdin" else syslog,
        refining=msgspec.convert(saved["refining"], Refining) if "refining" in saved else UNREDACTED,
    )
