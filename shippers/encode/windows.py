"""Encodes a window of a source as the parts that are published: one for each service, host and severity. Pure.

The records of the parts rebuild every byte of the window (`original` in `logrouter.wire.record`), except for lines that
were truncated or redacted. The window of a syslog spool holds envelopes, and that of a journal holds entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Any, TypeVar

from logrouter.observability.events import RECORD_CUT
from logrouter.wire.batch import Part, packed
from logrouter.wire.record import MAX_RECORD, Record, encode_lines, fitted, rfc3339, split_lines
from logrouter.wire.routing_key import routing_key
from shippers.encode.lines import Lines, Window, lines_of
from shippers.encode.messages import entry, message
from shippers.encode.text import Refining, refine, told
from shippers.input import Input, Journal, Syslog
from shippers.parse.container_name import service_of
from shippers.parse.severity.bulk import parse_lines
from shippers.parse.syslog import programs
from shippers.parse.timestamp.calendar import DAY
from shippers.parse.timestamp.line import times

T = TypeVar("T")

MAX_PARTS = 64
"""The most parts of a window: each names the keys of all, and a sender of syslog can invent services and hosts."""


@dataclass(slots=True)
class _PartRecords:
    """The records of one part. filed: the filing time of each, in ms since 1970."""

    records: list[Record] = field(default_factory=list)
    filed: list[int] = field(default_factory=list)


Label = tuple[str, str, str]
"""The service, host and severity that all records of a part have in common."""


def all_parts(window: Window, settings: Input, now: float) -> tuple[Part, ...]:
    """Return the parts of a whole window. If it has too many, it is split into several windows in a row."""
    made = parts(window, settings, now)
    while made[-1].to < window.to:
        made += parts(window.rest(made[-1].to), settings, now)
    return made


def parts(window: Window, settings: Input, now: float) -> tuple[Part, ...]:
    """Return the parts of a window, in the order in which they first appear. now: when it was read (Unix time).

    A window with more than MAX_PARTS ends before the first line of the next part. `to` of the parts says where.
    """
    is_spooled = isinstance(settings.feed, Syslog | Journal)
    groups = _spooled(window, settings, now) if is_spooled else _lines(window, settings, now)
    keys = tuple(routing_key(*label) for label in groups)
    to = max(group.records[-1].end for group in groups.values())
    made = (
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
            body=_encoded(group.records),
            after=window.after,
        )
        for number, ((service, host, level), group) in enumerate(groups.items())
    )
    return tuple(map(packed, made) if settings.compressed else made)


def _encoded(records: Sequence[Record]) -> bytes:
    """Return the records as NDJSON. A record that is too large for a message is truncated."""
    body = encode_lines(records)
    if len(body) <= MAX_RECORD:
        return body
    kept = [fitted(record) for record in records]
    for record, each in zip(records, kept, strict=True):
        if each is not record:
            RECORD_CUT.happened(source=record.source, position=record.pos)
    return encode_lines(kept)


def _lines(window: Window, settings: Input, now: float) -> dict[Label, _PartRecords]:
    """Return the records of a window of lines, by label.

    They are made in columns, one for each field, to avoid Python code that runs for each line.
    """
    lines = lines_of(window, settings.joining)
    levels, found_by, stated_times, moments = parse_lines(lines.firsts, settings.severity, now)
    if lines.time_texts is not lines.firsts:
        stated_times, moments = zip(*times(lines.time_texts, now), strict=True)
    refined = refine(lines.texts, settings.refining)
    raw = refined.raw(lines.raw, lines.texts, [window.begin, *lines.ends])
    if window.cut:
        refined.mark_truncated(window.cut)
    service = settings.service or service_of(window.container or {})
    apps_and_pids = () if settings.service else refined.programs(programs(lines.firsts))
    apps, pids = zip(*apps_and_pids, strict=True) if apps_and_pids else (repeat(None), repeat(None))
    by_app = {} if service else {app: settings.services.of(app) for app in set(apps)}
    services = repeat(service) if service else [by_app[app] for app in apps]
    received, filed = _filed(moments, now)
    records = list(
        map(
            Record,
            stated_times,
            services,
            repeat(settings.host),
            levels,
            refined.texts,
            repeat(window.source),
            [window.from_, *lines.ends],
            lines.ends,
            received,
            found_by,
            repeat(None),  # facility
            apps,
            pids,
            repeat(None),  # msgid
            repeat(None),  # sd
            _column(_fields(refined.fields, lines, window, settings.refining), len(lines.ends)),
            _column(refined.conversations, len(lines.ends)),
            _column(raw, len(lines.ends)),
            _column(lines.starts, len(lines.ends)),
            chain((window.hole,), repeat(0)),
        )
    )
    return _grouped(list(zip(services, repeat(settings.host), levels, strict=False)), records, filed)


def _filed(moments: Sequence[int], now: float) -> tuple[Iterable[str | None], Sequence[int]]:
    """Return two columns: `received` of the records that are filed by it, and the filing times in ms since 1970."""
    now_ms, far = int(now * 1000), DAY * 1000
    if now_ms - far <= min(moments) and max(moments) <= now_ms + far:
        return repeat(None), moments
    received = rfc3339(now)
    are_far = [abs(moment - now_ms) > far for moment in moments]
    filed = [now_ms if is_far else moment for is_far, moment in zip(are_far, moments, strict=True)]
    return [received if is_far else None for is_far in are_far], filed


def _column(found: Mapping[int, T], count: int) -> Iterable[T | None]:
    """Return a column of `count` items from the values that were found, by index."""
    return [found.get(index) for index in range(count)] if found else repeat(None)


def _grouped(labels: Sequence[Label], records: Sequence[Record], filed: Sequence[int]) -> dict[Label, _PartRecords]:
    """Group records by label, in the order of first appearance, up to the record that would begin a part too many."""
    groups = {label: _PartRecords() for label in dict.fromkeys(labels)}
    if len(groups) == 1:
        return {labels[0]: _PartRecords(list(records), list(filed))}
    if len(groups) > MAX_PARTS:
        end = labels.index(list(groups)[MAX_PARTS])
        return _grouped(labels[:end], records[:end], filed[:end])
    for label, record, moment in zip(labels, records, filed, strict=True):
        group = groups[label]
        group.records.append(record)
        group.filed.append(moment)
    return groups


def _fields(
    refined: Mapping[int, dict[str, Any]], lines: Lines, window: Window, refining: Refining
) -> Mapping[int, dict[str, Any]]:
    """Return the fields of each record: from its text, from the wrapping of the line, and of its container."""
    if not (lines.fields or window.container):
        return refined
    common = told({"container": window.container}, refining) if window.container else {}
    wrapped = {index: told(each, refining) for index, each in lines.fields.items()}
    every = range(len(lines.texts)) if common else refined.keys() | wrapped.keys()
    return {index: {**refined.get(index, {}), **common, **wrapped.get(index, {})} for index in every}


def _spooled(window: Window, settings: Input, now: float) -> dict[Label, _PartRecords]:
    """Return the records of a window of a syslog or journal spool, by label."""
    read = entry if isinstance(settings.feed, Journal) else message
    groups: dict[Label, _PartRecords] = {}
    pos = window.from_
    for line in split_lines(window.data):
        record, filed = read(line, settings, now, (window.source, pos))
        label = (record.service, record.host, record.severity)
        if len(groups) == MAX_PARTS and label not in groups:
            break
        pos = record.end
        group = groups.setdefault(label, _PartRecords())
        group.records.append(record)
        group.filed.append(filed)
    return groups
