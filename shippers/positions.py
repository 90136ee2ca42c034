"""Up to where each file has been read and confirmed: one versioned JSON file in a locked state directory.

In come the positions of all incarnations, out they go again after a restart. A file of an older version is read as it
is, since a version adds fields and redefines none; a newer one is refused. A broken one is set aside and every file is
read again from its start: that repeats lines and loses none.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import msgspec

from logrouter.errors import StateError
from logrouter.observe.events import STATE_BROKEN, STATE_CLONED
from logrouter.state import Lock, replace_file
from shippers.inputs.identity import Saved, machine_id

VERSION = 1
FILE = "positions.json"


@dataclass(frozen=True, slots=True)
class State:
    """All that is saved.

    globs: the patterns that have been looked at before; what appears under them is new, and read from its start.
    looked_at: when directories were last looked at, Unix time; 0 for never.
    reporter: the id under which this directory's shipper makes statements.
    empty: the files that were followed and had no content yet, the inode of each path: they are not new either.
    """

    files: list[Saved] = field(default_factory=list)
    globs: list[str] = field(default_factory=list)
    looked_at: float = 0.0
    machine: str = ""
    reporter: str = ""
    empty: dict[str, int] = field(default_factory=dict)
    version: int = VERSION


class Positions:
    """The state directory of one shipper, held until `close`.

    path: the file.   state: what was saved last.   lost: it was there and could not be read.
    reporter: this directory's id.
    Raises StateError when another process holds the directory, or a newer version wrote it.
    """

    def __init__(self, directory: Path, machine: str | None = None) -> None:
        self.path = directory / FILE
        self._machine = machine_id() if machine is None else machine
        self._lock = Lock(directory / "shipper.lock")
        self._encoded: dict[str, tuple[Saved, str]] = {}
        self.lost = False
        try:
            self.state = self._load()
        except StateError:
            self._lock.release()
            raise
        self.reporter = self.state.reporter or token_hex(8)
        if self.state.machine != self._machine:
            self.reporter = token_hex(8)
            self._rename_sources()

    def save(self, state: State) -> None:
        """Make this state durable. Raises OSError when it cannot; then the last one stands."""
        self.state = replace(state, machine=self._machine, reporter=self.reporter, version=VERSION)
        others = msgspec.to_builtins(replace(self.state, files=[]))
        del others["files"]
        files = ", ".join(self._encode(self.state.files))
        replace_file(self.path, f'{{"files": [{files}], {json.dumps(others)[1:]}'.encode())

    def _encode(self, files: Sequence[Saved]) -> list[str]:
        """The text of each: there may be many, of which few have moved since the last save."""
        known, self._encoded = self._encoded, {}
        texts = []
        for saved in files:
            last, text = known.get(saved.source, (None, ""))
            texts.append(text if last is saved else json.dumps(msgspec.to_builtins(saved)))
            self._encoded[saved.source] = saved, texts[-1]
        return texts

    def close(self) -> None:
        """Let another process have the directory."""
        self._lock.release()

    def _load(self) -> State:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return State(machine=self._machine)
        try:
            document = json.loads(content)
            self._refuse_newer(document)
            return msgspec.convert(document, State)
        except (ValueError, RecursionError) as error:
            self.lost = True
            STATE_BROKEN.happened(path=self.path, reason=error, kept=self._set_aside())
            return State(machine=self._machine)

    def _refuse_newer(self, document: Any) -> None:
        version = document.get("version") if isinstance(document, dict) else None
        if isinstance(version, int) and version > VERSION:
            raise StateError(
                f"{self.path} is of version {version}, and this logrouter reads up to {VERSION}; "
                "run the newer one, or give this one its own --state"
            )

    def _set_aside(self) -> Path:
        number = 1
        while (kept := self.path.with_name(f"{FILE}.broken-{number}")).exists():
            number += 1
        return self.path.rename(kept)

    def _rename_sources(self) -> None:
        """Go on under new names in a copy of another machine's state: two hosts with one source would lose lines."""
        if self.state.files:
            STATE_CLONED.happened(path=self.path)
        files = [
            replace(file, source=token_hex(8), start=file.confirmed, lines=0, since=time.time())
            for file in self.state.files
        ]
        self.save(replace(self.state, files=files))
