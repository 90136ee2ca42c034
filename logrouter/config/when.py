"""Parse the `when` of a rule: a tree of tests on the fields of a record, as frozen data.

Mistakes are reported with their path in the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from logrouter.config.document import KeyPath
from logrouter.config.mistakes import RE2_REMEDY, did_you_mean
from logrouter.support.regex import regex_problem
from logrouter.wire.record import Record

FIELDS = frozenset(Record.__struct_fields__) - {"sd", "fields", "lines"}
"""Fields that can be tested by name. `fields.NAME` and `sd.ID.NAME` test values in those two mappings."""

TESTS = ("regex", "contains")
COMBINATIONS = ("any", "all", "not")

Report = Callable[[KeyPath, str, str], None]
"""Takes the path below `when`, the problem and the remedy."""


@dataclass(frozen=True, slots=True)
class All:
    """All of these conditions hold."""

    conditions: tuple[WhenClause, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of these conditions holds."""

    conditions: tuple[WhenClause, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """This condition does not hold."""

    condition: WhenClause


@dataclass(frozen=True, slots=True)
class Equals:
    """The field is one of these values, compared as text."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contains:
    """The field contains one of these texts."""

    field: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Regex:
    """The pattern is found in the field."""

    field: str
    pattern: str


WhenClause = All | AnyOf | Not | Equals | Contains | Regex


def parse_condition(data: Any, report: Report, path: KeyPath = ()) -> WhenClause:
    """Return the condition in a `when`. In place of a mistake, which is reported, it has an empty condition."""
    if not isinstance(data, dict) or not data:
        report(path, "a condition must be a mapping of fields to values", "write one such as {app: postfix}")
        return All(())
    conditions = [_parse_entry(name, value, report, (*path, name)) for name, value in data.items()]
    return conditions[0] if len(conditions) == 1 else All(tuple(conditions))


def _parse_entry(name: str, value: Any, report: Report, path: KeyPath) -> WhenClause:
    if name == "not":
        return Not(parse_condition(value, report, path))
    if name in ("any", "all"):
        if not isinstance(value, list):
            report(path, f"`{name}` must be a list of conditions", "write one such as [{app: postfix}, {app: exim}]")
            return All(())
        children = tuple(parse_condition(child, report, (*path, index)) for index, child in enumerate(value))
        return AnyOf(children) if name == "any" else All(children)
    if name not in FIELDS and not name.startswith(("fields.", "sd.")):
        remedy = did_you_mean(name, {*FIELDS, *COMBINATIONS, "fields.NAME"})
        report(path, f"`{name}` is not a field of a record", remedy)
        return All(())
    return _parse_test(name, value, report, path)


def _parse_test(field: str, value: Any, report: Report, path: KeyPath) -> WhenClause:
    if not isinstance(value, dict):
        return Equals(field, _texts(value, report, path))
    conditions = tuple(_parse_tests(field, value, report, path))
    return conditions[0] if len(conditions) == 1 else All(conditions)


def _parse_tests(field: str, tests: dict[str, Any], report: Report, path: KeyPath) -> Iterator[WhenClause]:
    for test, wanted in tests.items():
        if test == "regex":
            if problem := regex_problem(wanted):
                report((*path, test), f"the pattern is invalid: {problem}", RE2_REMEDY)
            else:
                yield Regex(field, wanted)
        elif test == "contains":
            yield Contains(field, _texts(wanted, report, (*path, test)))
        else:
            report((*path, test), f"`{test}` is not a test of a field", did_you_mean(test, TESTS))


def _texts(value: Any, report: Report, path: KeyPath) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or any(item is None or isinstance(item, dict | list) for item in values):
        report(path, "this must be text, a number, or a list of these", "")
    return tuple(map(_text, values))


def _text(value: Any) -> str:
    """Return a value as the text to compare with: a number as written in the file."""
    return str(value).lower() if isinstance(value, bool) else str(getattr(value, "written", value))
