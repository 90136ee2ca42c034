"""Find the severity in the fields of a line that is a JSON object. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from shippers.parse.colours import strip_colours
from shippers.parse.severity.levels import LETTERS, NAMES, NEXTCLOUD, NUMBERS, SHORT


class _LevelFields(msgspec.Struct):
    """The fields in which JSON loggers put the level."""

    level: Any = None
    severity: Any = None
    levelname: Any = None
    level_name: Any = None
    lvl: Any = None
    loglevel: Any = None
    log: Any = None
    log_level: Any = msgspec.field(name="log.level", default=None)
    hashicorp: Any = msgspec.field(name="@level", default=None)
    serilog: Any = msgspec.field(name="@l", default=None)
    capital: Any = msgspec.field(name="Level", default=None)
    dotnet: Any = msgspec.field(name="LogLevel", default=None)
    otel: Any = msgspec.field(name="severityText", default=None)
    otel_go: Any = msgspec.field(name="SeverityText", default=None)
    journald: Any = msgspec.field(name="PRIORITY", default=None)
    mongodb: Any = msgspec.field(name="s", default=None)
    t: Any = None
    nextcloud: Any = msgspec.field(name="reqId", default=None)


_fields = msgspec.json.Decoder(_LevelFields)


def level_fields(line: str) -> _LevelFields | None:
    """Return the fields that may state a level; None if the line only looks like JSON."""
    try:
        return _fields.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return None


def stated_in_fields(fields: _LevelFields) -> str | None:
    """Return the severity that the fields state; None if they state none."""
    if fields.nextcloud is not None and type(fields.level) is int and 0 <= fields.level < len(NEXTCLOUD):
        return NEXTCLOUD[fields.level]
    if isinstance(fields.mongodb, str) and isinstance(fields.t, dict):
        return LETTERS.get(fields.mongodb[:1])
    nested = fields.log.get("level") if isinstance(fields.log, dict) else None
    for value in (
        *(fields.level, fields.severity, fields.level_name, fields.levelname, fields.lvl, fields.loglevel),
        *(fields.log_level, nested, fields.hashicorp, fields.serilog, fields.capital, fields.dotnet),
        *(fields.otel, fields.otel_go, fields.journald),
    ):
        if value is not None and (level := _level(value)):
            return level
    return None


def _level(value: Any) -> str | None:
    """Return the severity of one value: a name, or a number, which may be text."""
    if isinstance(value, str):
        name = strip_colours(value).strip().lower()
        return NAMES.get(name) or SHORT.get(name) or _level_of_odd(name)
    return NUMBERS.get(value) if type(value) is int else None


def _level_of_odd(name: str) -> str | None:
    """Return the severity of a number as text, or of a level between two as Go's slog writes it: `info+2`."""
    if name.isdecimal() and len(name) <= 3:
        return NUMBERS.get(int(name))
    base, _, _ = name.replace("-", "+").partition("+")
    return NAMES.get(base)
