"""`logrouter ship --dry-run`: prints what would be published, without a broker and without state.

Each record is printed as its routing key and message, or as JSON. Files are read as the shipper reads new files, up to
their current end.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from logrouter.cli.output import is_on_terminal
from logrouter.errors import LogrouterError
from logrouter.observability import events
from logrouter.support.terminal import printable, printable_json
from logrouter.wire.batch import Part
from logrouter.wire.record import decode_lines, decode_positions, split_lines
from shippers.encode.windows import all_parts
from shippers.files.content import Plain, Rewritten
from shippers.files.discovery import Origin, discover
from shippers.files.generation import Generation, Tally
from shippers.files.notices import Notices
from shippers.files.reader import WINDOW, Reader
from shippers.input import Input, Stdin

Parts = tuple[Part, ...]
"""The parts of one window."""

Show = Callable[[Part], list[tuple[int, bytes]]]
"""Returns a line for each record of a part, with the record's position."""


def try_out(inputs: Sequence[Input], host: str, *, excluded: Sequence[Path], as_objects: bool) -> None:
    """Print what the inputs hold now. Raises LogrouterError at the end if a file could not be read.

    excluded: directories whose files are not read. Returns without an error if the reader closes standard output.
    """
    settings = [replace(each, host=each.host or host) for each in inputs]
    for each in settings:
        if each.feed is not None and not isinstance(each.feed, Stdin):
            events.NOT_TRIED.happened(input=each.name)
    try:
        for each in settings:
            if isinstance(each.feed, Stdin):
                _print(_standard_input(each), as_objects=as_objects)
        unread = _print_files([each for each in settings if each.feed is None], excluded, as_objects=as_objects)
    except BrokenPipeError:
        # Python flushes stdout at exit, and would print an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    if unread:
        raise LogrouterError(f"cannot read {', '.join(unread)}")


def _print_files(inputs: Sequence[Input], excluded: Sequence[Path], *, as_objects: bool) -> list[str]:
    """Print what is in files, and return the paths that could not be read."""
    notices = Notices(glob for each in inputs for glob in each.globs)
    found = discover(inputs, [str(directory) for directory in excluded])
    for file in found.files.values():
        try:
            _print(_file(file.paths[0], file.origin), as_objects=as_objects)
        except BrokenPipeError:
            raise
        except (OSError, Rewritten) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            notices.failed(file.paths[0], reason or error)
    notices.scanned(found)
    return notices.unreadable


def _file(path: str, origin: Origin) -> Iterator[Parts]:
    generation = _generation(os.open(path, os.O_RDONLY), path, origin)
    reader = generation.reader
    try:
        generation.begin_as_set()
        is_growing = isinstance(reader.content, Plain)
        yield from _windows(generation, os.fstat(reader.fd).st_size if is_growing else None, final=True)
    finally:
        reader.close()


def _standard_input(settings: Input) -> Iterator[Parts]:
    """Yield the windows of standard input as they arrive. A temporary file lets them be read like those of any file."""
    with tempfile.TemporaryFile(buffering=0) as copy:
        generation = _generation(os.dup(copy.fileno()), "standard input", Origin(settings, ""))
        try:
            while content := os.read(sys.stdin.fileno(), WINDOW):
                copy.write(content)
                yield from _windows(generation, os.fstat(copy.fileno()).st_size, final=False)
            yield from _windows(generation, os.fstat(copy.fileno()).st_size, final=True)
        finally:
            generation.reader.close()


def _generation(fd: int, path: str, origin: Origin) -> Generation:
    reader = Reader(fd, path, origin.settings)
    generation = Generation(reader, path, origin, time.monotonic(), Tally())
    generation.identity_saved()
    return generation


def _windows(generation: Generation, end: int | None, *, final: bool) -> Iterator[Parts]:
    """Yield the windows of a file up to `end`, or all if None. The last window may reach beyond `end`."""
    while end is None or generation.reader.position < end:
        window = generation.read(time.monotonic(), final=final)
        if window is not None:
            made = all_parts(window, generation.origin.settings, time.time())
            generation.confirm(sum(part.count for part in made))
            yield made
        elif generation.reader.exhausted:
            return


def _print(windows: Iterator[Parts], *, as_objects: bool) -> None:
    show = _keyed if not as_objects else _printable_objects if is_on_terminal() else _objects
    for made in windows:
        rows = [row for part in made for row in show(part)]
        if len(made) > 1:
            rows.sort(key=lambda row: row[0])
        sys.stdout.buffer.write(b"".join(line for _, line in rows))
        sys.stdout.buffer.flush()


def _objects(part: Part) -> list[tuple[int, bytes]]:
    places = decode_positions(part.body)
    return [(place.pos, line) for place, line in zip(places, split_lines(part.body), strict=True)]


def _printable_objects(part: Part) -> list[tuple[int, bytes]]:
    return [(pos, printable_json(line.decode()).encode()) for pos, line in _objects(part)]


def _keyed(part: Part) -> list[tuple[int, bytes]]:
    key = printable(part.key)
    return [(each.pos, f"{key}\t{_on_one_line(each.message)}\n".encode()) for each in decode_lines(part.body)]


def _on_one_line(message: str) -> str:
    return printable(message, newlines=True).replace("\n", "\\n")
