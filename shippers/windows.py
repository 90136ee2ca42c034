"""A window of a source -> the parts that are published: one for each (service, host, severity) in it. Pure.

In comes what a source held between two positions, with the settings of its input and the time it was read; out go
parts whose records rebuild every byte of it (`logrouter.record.original`), save for lines that had to be cut. A spool
of syslog messages holds envelopes: its records rebuild what was received; one of a journal holds its entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

from logrouter.batch import Part
from logrouter.keys import routing_key
from logrouter.record import Record, encode_lines, rfc3339, split_lines
from shippers.input import Input, Journal, Syslog
from shippers.lines import Lines, Window, lines_of
from shippers.messages import entry, message
from shippers.parsing.containers import service_of
from shippers.parsing.severity import severities
from shippers.parsing.syslog import program
from shippers.parsing.time import DAY, times
from shippers.refining import Refining, refine, told

MAX_PARTS = 64
"""In a window: each part's message names the keys of all, and whoever sends syslog can make up services and hosts."""


@dataclass(slots=True)
class _Group:
    """The records of one part, and the time in ms since 1970 that each is filed by."""

    records: list[Record] = field(default_factory=list)
    filed: list[int] = field(default_factory=list)


Label = tuple[str, str, str]
"""Service, host, severity: what all records of a part have in common."""


def parts(window: Window, settings: Input, now: float) -> tuple[Part, ...]:
    """The parts of a window in the order in which they first appear in it; `now` is when it was read (Unix time).

    A window of more than MAX_PARTS is cut before the line that would begin another: the parts say where, in `to`.
    """
    is_spooled = isinstance(settings.feed, Syslog | Journal)
    groups = _spooled(window, settings, now) if is_spooled else _lines(window, settings, now)
    keys = tuple(routing_key(*label) for label in groups)
    to = max(group.records[-1].end for group in groups.values())
    return tuple(
        Part(
            source=window.source,
            start=window.start,
            from_=window.from_,
            to=to,
            part=number,
            keys=keys,
            service=service,
            host=host,
            severity=level,
            count=len(group.records),
            first=min(group.filed),
            last=max(group.filed),
            body=encode_lines(group.records),
        )
        for number, ((service, host, level), group) in enumerate(groups.items())
    )


def _lines(window: Window, settings: Input, now: float) -> dict[Label, _Group]:
    """The records of a window of lines."""
    lines = lines_of(window, settings.joining)
    levels = severities(lines.firsts, settings.severity)
    moments = times(lines.whens, now)
    refined = refine(lines.texts, settings.refining)
    raw = refined.raw(lines.raw, lines.texts, [window.from_, *lines.ends])
    if window.cut:
        refined.mark_cut(window.cut.length, window.cut.sha256)
    programs = repeat((None, None)) if settings.service else refined.programs(map(program, lines.firsts))
    fields, conversations = _fields(refined.fields, lines, window, settings.refining), refined.conversations
    own_service = settings.service or service_of(window.container or {})
    groups: dict[Label, _Group] = {}
    now_ms, received = int(now * 1000), rfc3339(now)
    pos, service, host = window.from_, own_service, settings.host
    columns = zip(refined.texts, lines.ends, levels, moments, programs, strict=False)  # `repeat` has no end
    for index, (text, end, (level, severity_from), (ts, ms), (app, pid)) in enumerate(columns):
        if not own_service:
            service = settings.services.of(app)
        far = abs(ms - now_ms) > DAY * 1000
        label = (service, host, level)
        group = groups.get(label)
        if group is None:
            if len(groups) == MAX_PARTS:
                break
            group = groups[label] = _Group()
        group.filed.append(now_ms if far else ms)
        group.records.append(
            Record(
                ts=ts,
                service=service,
                host=host,
                severity=level,
                message=text,
                source=window.source,
                pos=pos,
                end=end,
                received=received if far else None,
                severity_from=severity_from,
                app=app,
                pid=pid,
                fields=fields.get(index) if fields else None,
                conversation=conversations.get(index) if conversations else None,
                raw=raw.get(index) if raw else None,
                lines=lines.starts.get(index) if lines.starts else None,
            )
        )
        pos = end
    return groups


def _fields(
    refined: Mapping[int, dict[str, Any]], lines: Lines, window: Window, how: Refining
) -> Mapping[int, dict[str, Any]]:
    """What is known of each record beside its message: from it, from its wrapping, and of its container."""
    if not (lines.fields or window.container):
        return refined
    common = told({"container": window.container}, how) if window.container else {}
    wrapped = {index: told(each, how) for index, each in lines.fields.items()}
    every = range(len(lines.texts)) if common else refined.keys() | wrapped.keys()
    return {index: {**refined.get(index, {}), **common, **wrapped.get(index, {})} for index in every}


def _spooled(window: Window, settings: Input, now: float) -> dict[Label, _Group]:
    """The records of a window of a spool of syslog messages, or of entries of a journal."""
    read = entry if isinstance(settings.feed, Journal) else message
    groups: dict[Label, _Group] = {}
    pos = window.from_
    for line in split_lines(window.data):
        record, filed = read(line, settings, now, (window.source, pos))
        label = (record.service, record.host, record.severity)
        if len(groups) == MAX_PARTS and label not in groups:
            break
        pos = record.end
        group = groups.setdefault(label, _Group())
        group.records.append(record)
        group.filed.append(filed)
    return groups
