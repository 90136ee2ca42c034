"""Saves how far each generation is read, in versioned files in a locked state directory.

`positions.json` has the generations that are being read and is saved often. `finished.json` has those that are done and
is saved when one of them changes. Files of an older version are read as they are, because a version adds fields and
redefines none. Files of a newer version are refused. A broken file is set aside, and every log is read again from its
start: that repeats lines and loses none.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import msgspec

from logrouter.errors import StateError
from logrouter.observability.events import STATE_BROKEN, STATE_CLONED
from logrouter.support.filesystem import Lock, replace_file
from shippers.files.content import Content
from shippers.files.fingerprint import NONE, Mark, machine_id
from shippers.files.rotation import Sibling, live_path
from shippers.files.tree import Inode

VERSION = 2
POSITIONS, FINISHED = "positions.json", "finished.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is known of one generation. Positions and lengths are in bytes.

    source: '' for a generation that was passed over because it existed before the log was followed.
    path: where it was last seen, by the name that a glob gives.   real: the same with links resolved; '' if equal.
    start: where its chain of windows begins.   confirmed: up to where the broker has it.   glob: what led to it.
    prefix, tail: the marks of its beginning and of the bytes just before `confirmed`.
    done: it was read to its end and closed, or was searched for in vain.
    lines: records between `start` and `confirmed`.   since: when it was first followed, Unix time; 0 if unknown.
    size, changed: bytes on disk, and modification time in ns, of its file when that was closed or passed over; -1 if
    unknown.
    log: the path of its live file; '' if its own path implies it.
    previous, reached: the source of the generation before it, and up to where that was read when this one began.
    """

    source: str
    path: str
    device: int
    inode: int
    start: int
    confirmed: int
    glob: str = ""
    prefix: Mark = NONE
    tail: Mark = NONE
    done: bool = False
    lines: int = 0
    since: float = 0.0
    real: str = ""
    size: int = -1
    changed: int = -1
    previous: str = ""
    reached: int = 0
    log: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError for impossible positions."""
        if (
            not 0 <= self.start <= self.confirmed
            or not 0 <= self.tail.length <= self.confirmed
            or self.prefix.length < 0
        ):
            raise ValueError(f"impossible position: {self}")

    @property
    def live(self) -> str:
        """The path of the live file of its log."""
        return self.log or live_path(self.path)

    def at(self, inode: Inode) -> bool:
        """Report whether it was in this file when it was last seen."""
        return (self.device, self.inode) == inode

    def rests_in(self, standing: Mapping[Inode, Sibling]) -> bool:
        """Report whether its file is among these and has not changed since.

        Size and time are compared because another file may have its inode by now.
        """
        there = standing.get((self.device, self.inode))
        return there is not None and (self.size, self.changed) == (there.size, there.changed)

    def begins(self, content: Content) -> bool:
        """Report whether an open file begins as this generation did. False if that had no content."""
        return bool(self.prefix.length) and self.prefix.ends_at(self.prefix.length, content)

    def recognises(self, content: Content) -> bool:
        """Report whether an open file has the bytes that were read of this generation, as far as its marks show."""
        return self.begins(content) and self.tail.ends_at(self.confirmed, content)


@dataclass(frozen=True, slots=True)
class State:
    """Everything that is saved.

    files: generations that are being read; before version 2 also those that are done.   finished: those that are done.
    globs: patterns that have been looked at before. A file that appears under one later is new and read from its start.
    looked_at: when directories were last looked at, Unix time; 0 for never. It is not written any more.
    reporter: the id under which this directory's shipper publishes statements.
    empty: before version 2, the inode of each followed path that had no content yet. Such files are not new either.
    """

    files: list[Checkpoint] = field(default_factory=list)
    globs: list[str] = field(default_factory=list)
    looked_at: float = 0.0
    machine: str = ""
    reporter: str = ""
    empty: dict[str, int] = field(default_factory=dict)
    version: int = VERSION
    finished: Sequence[Checkpoint] = ()


_DEFAULTS = {each.name: msgspec.to_builtins(each.default) for each in fields(Checkpoint) if each.default is not MISSING}
"""The values that msgspec reads for fields that are left out."""


class Checkpoints:
    """The state directory of one shipper, locked until `close`.

    path: the positions file.   state: what was saved last.   lost: a state file existed and could not be read.
    reporter: this directory's id.   upgraded: the state is of a version that did not save which files it passed over.
    Raises StateError if another process holds the directory or a newer version wrote it.
    """

    def __init__(self, directory: Path, machine: str | None = None) -> None:
        self.path = directory / POSITIONS
        self._machine = machine_id() if machine is None else machine
        self._lock = Lock(directory / "shipper.lock")
        self._encoded: dict[str, tuple[Checkpoint, str]] = {}
        self._finished: Sequence[Checkpoint] = ()
        self.lost = False
        try:
            self.state = self._load()
        except StateError:
            self._lock.release()
            raise
        self.upgraded = self.state.version < VERSION
        self.reporter = self.state.reporter or token_hex(8)
        if self.state.machine != self._machine:
            self.reporter = token_hex(8)
            self._rename_sources()

    def save(self, state: State) -> None:
        """Save this state durably. Raises OSError on failure; what was saved before then remains valid.

        A generation that is newly done is in both files until both are saved. Of two entries, the one in the positions
        file counts.
        """
        self.state = replace(state, machine=self._machine, reporter=self.reporter, version=VERSION)
        others = msgspec.to_builtins(replace(self.state, files=[], finished=()))
        del others["files"], others["finished"]
        new = set(state.finished).difference(self._finished) if self._finished is not state.finished else ()
        files = ", ".join(self._encode([*state.files, *new]))
        replace_file(self.path, f'{{"files": [{files}], {json.dumps(others)[1:]}'.encode())
        if self._finished is not state.finished:
            done = ", ".join(map(_text, state.finished))
            replace_file(self.path.with_name(FINISHED), f'{{"version": {VERSION}, "files": [{done}]}}'.encode())
            self._finished = state.finished

    def close(self) -> None:
        """Release the directory to other processes."""
        self._lock.release()

    def _encode(self, files: Sequence[Checkpoint]) -> list[str]:
        """Return each as JSON. Texts are reused, because there may be many files and few move between two saves."""
        known, self._encoded = self._encoded, {}
        texts = []
        for saved in files:
            last, text = known.get(saved.source, (None, ""))
            texts.append(text if last is saved else _text(saved))
            self._encoded[saved.source] = saved, texts[-1]
        return texts

    def _load(self) -> State:
        state = self._read(self.path, State)
        if state is None:
            return State(machine=self._machine)
        finished = self._read(self.path.with_name(FINISHED), State)
        if finished is None:
            return state
        known = {each.source for each in state.files if each.source}
        return replace(state, finished=[each for each in finished.files if each.source not in known])

    def _read(self, path: Path, kind: type[State]) -> State | None:
        try:
            document = json.loads(path.read_bytes())
            self._refuse_newer(path, document)
            return msgspec.convert(document, kind)
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError) as error:
            self.lost = True
            STATE_BROKEN.happened(path=path, reason=error, kept=_set_aside(path))
            return None

    def _refuse_newer(self, path: Path, document: Any) -> None:
        version = document.get("version") if isinstance(document, dict) else None
        if isinstance(version, int) and version > VERSION:
            raise StateError(
                f"{path} has version {version}, and this logrouter reads versions up to {VERSION}; "
                "run the newer logrouter, or give this one its own --state"
            )

    def _rename_sources(self) -> None:
        """Rename all sources in a copy of another machine's state: two hosts with one source would lose lines."""
        if self.state.files:
            STATE_CLONED.happened(path=self.path)
        renamed = {each.source: token_hex(8) for each in (*self.state.files, *self.state.finished) if each.source}
        files = [_renamed(each, renamed) for each in self.state.files]
        finished = [_renamed(each, renamed) for each in self.state.finished]
        self.save(replace(self.state, files=files, finished=finished))


def _text(saved: Checkpoint) -> str:
    """Return a checkpoint as JSON, without the fields that have their default."""
    values = msgspec.to_builtins(saved)
    return json.dumps({name: value for name, value in values.items() if value != _DEFAULTS.get(name)})


def _renamed(saved: Checkpoint, sources: dict[str, str]) -> Checkpoint:
    """Return a checkpoint under its new source. What is confirmed so far belongs to the other machine's source."""
    source, previous = sources.get(saved.source, ""), sources.get(saved.previous, "")
    start, lines = saved.confirmed, 0
    return replace(saved, source=source, start=start, lines=lines, since=time.time(), previous=previous)


def _set_aside(path: Path) -> Path:
    number = 1
    while (kept := path.with_name(f"{path.name}.broken-{number}")).exists():
        number += 1
    return path.rename(kept)
