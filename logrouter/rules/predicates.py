"""Compile the conditions of rules to predicates on records. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from logrouter.config.when import (
    All,
    AnyOf,
    Contains,
    Equals,
    Not,
    Regex,
    WhenClause,
)
from logrouter.support.regex import compile_regex
from logrouter.wire.record import Record

Predicate = Callable[[Record], bool]


def predicate(condition: WhenClause) -> Predicate:
    """Return a function that reports whether a record meets the condition."""
    match condition:
        case All(conditions):
            tests = tuple(map(predicate, conditions))
            return lambda record: all(test(record) for test in tests)
        case AnyOf(conditions):
            tests = tuple(map(predicate, conditions))
            return lambda record: any(test(record) for test in tests)
        case Not(inner):
            test = predicate(inner)
            return lambda record: not test(record)
        case Equals(field, values):
            read, wanted = reader(field), frozenset(values)
            return lambda record: read(record) in wanted
        case Contains(field, texts):
            read = reader(field)
            return lambda record: any(text in read(record) for text in texts)
        case Regex(field, pattern):
            read, search = reader(field), compile_regex(pattern).search
            return lambda record: search(read(record)) is not None


def reader(field: str) -> Callable[[Record], str]:
    """Return a function that reads a field as text; '' if the record has none. Dots reach into mappings."""
    name, _, rest = field.partition(".")
    if not rest:
        return lambda record: _text(getattr(record, name))
    steps = rest.split(".") if name == "fields" else rest.rsplit(".", 1)

    def read(record: Record) -> str:
        value: Any = getattr(record, name)
        if isinstance(value, dict) and rest in value:
            return _text(value[rest])
        for step in steps:
            value = value.get(step) if isinstance(value, dict) else None
        return _text(value)

    return read


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
