"""What a rule's `when` says, as frozen data: a tree of tests on a record's fields.

In comes the plain data of a YAML mapping, out goes a Condition; what is wrong with it is reported with its path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from logrouter.config.document import Path_
from logrouter.config.mistakes import did_you_mean
from logrouter.support.regex import regex_problem
from logrouter.wire.record import Record

FIELDS = frozenset(Record.__struct_fields__) - {"sd", "fields", "lines"}
"""Fields that can be tested by their name; `fields.NAME` and `sd.ID.NAME` reach into the two mappings."""

TESTS = ("regex", "contains")
COMBINATIONS = ("any", "all", "not")

Report = Callable[[Path_, str, str], None]
"""Takes the path below `when`, the problem and the remedy."""


@dataclass(frozen=True, slots=True)
class All:
    """Every one of these holds."""

    conditions: tuple[WhenClause, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of these holds."""

    conditions: tuple[WhenClause, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """This does not hold."""

    condition: WhenClause


@dataclass(frozen=True, slots=True)
class Equals:
    """The field is one of these values, compared as text."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contains:
    """The field holds one of these texts."""

    field: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Regex:
    """The pattern is found in the field."""

    field: str
    pattern: str


WhenClause = All | AnyOf | Not | Equals | Contains | Regex


def parse_condition(data: Any, report: Report, path: Path_ = ()) -> WhenClause:
    """The condition in a `when`; an empty one, which always holds, where it was wrong and has been reported."""
    if not isinstance(data, dict) or not data:
        report(path, "a condition is a mapping of fields to what they must be", "such as  when: {app: postfix}")
        return All(())
    conditions = [_parse_entry(name, value, report, (*path, name)) for name, value in data.items()]
    return conditions[0] if len(conditions) == 1 else All(tuple(conditions))


def _parse_entry(name: str, value: Any, report: Report, path: Path_) -> WhenClause:
    if name == "not":
        return Not(parse_condition(value, report, path))
    if name in ("any", "all"):
        if not isinstance(value, list):
            report(path, f"`{name}` takes a list of conditions", f"such as  {name}: [{{app: postfix}}, {{app: exim}}]")
            return All(())
        children = tuple(parse_condition(child, report, (*path, index)) for index, child in enumerate(value))
        return AnyOf(children) if name == "any" else All(children)
    if name not in FIELDS and not name.startswith(("fields.", "sd.")):
        report(path, f"`{name}` is no field of a record", did_you_mean(name, {*FIELDS, *COMBINATIONS, "fields.NAME"}))
        return All(())
    return _parse_test(name, value, report, path)


def _parse_test(field: str, value: Any, report: Report, path: Path_) -> WhenClause:
    if not isinstance(value, dict):
        return Equals(field, _texts(value, report, path))
    conditions = tuple(_parse_tests(field, value, report, path))
    return conditions[0] if len(conditions) == 1 else All(conditions)


def _parse_tests(field: str, tests: dict[str, Any], report: Report, path: Path_) -> Iterator[WhenClause]:
    for test, wanted in tests.items():
        if test == "regex":
            if problem := regex_problem(wanted):
                report((*path, test), f"bad regex: {problem}", "patterns are RE2's: no look-around, no back-references")
            else:
                yield Regex(field, wanted)
        elif test == "contains":
            yield Contains(field, _texts(wanted, report, (*path, test)))
        else:
            report((*path, test), f"`{test}` is no test of a field", did_you_mean(test, TESTS))


def _texts(value: Any, report: Report, path: Path_) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or any(item is None or isinstance(item, dict | list) for item in values):
        report(path, "this should be a text, a number or a list of them", "")
    return tuple(map(_text, values))


def _text(value: Any) -> str:
    """A value as it is compared: a number as it is written."""
    return str(value).lower() if isinstance(value, bool) else str(getattr(value, "written", value))
