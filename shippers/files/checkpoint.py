"""How far each generation is: what is saved of it, and the versioned files in a locked state directory.

Two files hold it: `positions.json` the generations that are read, saved often, and `finished.json` those that are
done, saved when one of them changes. Files of an older version are read as they are, since a version adds fields and
redefines none; newer ones are refused. Broken ones are set aside and every file is read again from its start: that
repeats lines and loses none.
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
    """What is known of one generation.

    source: '' of one that was passed over, since it was there before the log was followed.
    path: where it was seen last, by the name that a glob gives.   real: the same without links, '' where it is that.
    start: where its chain of windows begins.   confirmed: up to where the broker has it, in bytes.   glob: what met it.
    prefix, tail: of its beginning, and of what stands just before `confirmed`.
    done: it was read to its end and let go, or looked for in vain.
    lines: records between `start` and `confirmed`.   since: when it was first followed, Unix time; 0 if nobody knows.
    size, changed: of the file when it was let go or passed over, in bytes on disk, and in ns; -1 if nobody knows.
    log: the path of its live file, '' where its own says it.
    previous, reached: the generation before it, and up to where that had been read when this one began.
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
        """Raises ValueError for positions that cannot be."""
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
        """Whether it was in this file, when it was last seen."""
        return (self.device, self.inode) == inode

    def rests_in(self, standing: Mapping[Inode, Sibling]) -> bool:
        """Whether its file is among these, and has not changed since. Another one may have its inode."""
        there = standing.get((self.device, self.inode))
        return there is not None and (self.size, self.changed) == (there.size, there.changed)

    def begins(self, content: Content) -> bool:
        """Whether an open file begins as it did; never of one that had no content."""
        return bool(self.prefix.length) and self.prefix.ends_at(self.prefix.length, content)

    def recognises(self, content: Content) -> bool:
        """Whether an open file still has the bytes that were read from it."""
        return self.begins(content) and self.tail.ends_at(self.confirmed, content)


@dataclass(frozen=True, slots=True)
class State:
    """All that is saved.

    files: what is read, and in a version before 2 what is done.   finished: what is done.
    globs: the patterns that have been looked at before; what appears under them is new, and read from its start.
    looked_at: when directories were last looked at, Unix time; 0 for never.
    reporter: the id under which this directory's shipper makes statements.
    empty: the files that were followed and had no content yet, the inode of each path: they are not new either.
    """

    files: list[Checkpoint] = field(default_factory=list)
    globs: list[str] = field(default_factory=list)
    looked_at: float = 0.0
    machine: str = ""
    reporter: str = ""
    empty: dict[str, int] = field(default_factory=dict)
    version: int = VERSION
    finished: Sequence[Checkpoint] = ()


_USUAL = {each.name: msgspec.to_builtins(each.default) for each in fields(Checkpoint) if each.default is not MISSING}
"""What msgspec reads where a field is left out."""


class Checkpoints:
    """The state directory of one shipper, held until `close`.

    path: the file of positions.   state: what was saved last.   lost: it was there and could not be read.
    reporter: this directory's id.   upgraded: it was written by a version that did not save what was passed over.
    Raises StateError when another process holds the directory, or a newer version wrote it.
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
        """Make this state durable. Raises OSError when it cannot; then the last one stands.

        What is newly done stands in both files until both are saved; of two entries that of the positions holds.
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
        """Let another process have the directory."""
        self._lock.release()

    def _encode(self, files: Sequence[Checkpoint]) -> list[str]:
        """The text of each: there may be many, of which few have moved since the last save."""
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
                f"{path} is of version {version}, and this logrouter reads up to {VERSION}; "
                "run the newer one, or give this one its own --state"
            )

    def _rename_sources(self) -> None:
        """Go on under new names in a copy of another machine's state: two hosts with one source would lose lines."""
        if self.state.files:
            STATE_CLONED.happened(path=self.path)
        renamed = {each.source: token_hex(8) for each in (*self.state.files, *self.state.finished) if each.source}
        files = [_renamed(each, renamed) for each in self.state.files]
        finished = [_renamed(each, renamed) for each in self.state.finished]
        self.save(replace(self.state, files=files, finished=finished))


def _text(saved: Checkpoint) -> str:
    """As JSON, without what is as it usually is."""
    return json.dumps({name: value for name, value in msgspec.to_builtins(saved).items() if value != _USUAL.get(name)})


def _renamed(saved: Checkpoint, sources: dict[str, str]) -> Checkpoint:
    """What is confirmed belongs to the other machine's source."""
    source, previous = sources.get(saved.source, ""), sources.get(saved.previous, "")
    start, lines = saved.confirmed, 0
    return replace(saved, source=source, start=start, lines=lines, since=time.time(), previous=previous)


def _set_aside(path: Path) -> Path:
    number = 1
    while (kept := path.with_name(f"{path.name}.broken-{number}")).exists():
        number += 1
    return path.rename(kept)
