"""What came over connections, brought into the terms of the oracle. Pure.

A spool has positions of its own, so that a line's place is told by the number that it bears; and whoever sends over a
connection cannot know what got there. So the promise is another one: of each connection a beginning, in order, each
line once, and all of the one that was never broken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from faults.oracle import Archived, Place, lines_of

_NUMBERED = re.compile(rb"([a-z]+\d+\.\d+) (\d{8}) ")


def placed(archive: Iterable[Archived], journals: Mapping[str, bytes], service: str) -> list[Archived]:
    """An archive whose records of one service are where their lines are in the journals; pos -1 for foreign ones."""
    places = {name: _numbered(content) for name, content in journals.items() if name.startswith(service)}
    return [_placed(record, places, service) for record in archive]


def _placed(record: Archived, places: Mapping[str, Mapping[bytes, int]], service: str) -> Archived:
    found = _NUMBERED.search(record.line)
    if found is None or not found[1].startswith(service.encode()):
        return record
    line, name = record.line[found.start() :], found[1].decode()
    pos = places.get(name, {}).get(found[2], -1)
    return Archived(name, pos, pos + len(line), line)


def _numbered(content: bytes) -> dict[bytes, int]:
    """Where each line is, by its number."""
    return {line.split(maxsplit=2)[1]: pos for pos, line in lines_of(content)}


def not_received(
    lost: Sequence[Place], journals: Mapping[str, bytes], is_kept: Callable[[bytes], bool], service: str
) -> list[Place]:
    """Of the lines that are lost those that were still under way over a connection when it broke."""
    names = [name for name in journals if name.startswith(service)]
    last = max(names, key=lambda name: int(name.rpartition(".")[2]), default="")
    ends: list[Place] = []
    for name in names:
        here = [place.pos for place in lost if place.name == name]
        kept = [pos for pos, line in lines_of(journals[name]) if is_kept(line)]
        if name != last and here and here == kept[-len(here) :]:
            ends += [Place(name, pos) for pos in here]
    return ends
