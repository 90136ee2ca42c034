"""Load rules/*.yaml into one RuleConfig: frozen data, with the place of each rule and destination.

The files are read in the order of their names. ConfigError reports every mistake in all of them at once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field

from logrouter.config.destinations import MODELS, NOTHING, DestinationModel
from logrouter.config.document import Document, KeyPath, read_document, yaml_files
from logrouter.config.mistakes import ConfigError, Location, Mistake, did_you_mean
from logrouter.config.severities import severity_problem
from logrouter.config.validation import Strict, validate
from logrouter.config.when import WhenClause, parse_condition
from logrouter.wire.routing_key import split_words

DISCARD = "discard"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_TAKEN = {"dead", "lease", "ready", "reports", "retry"}
"""Words that have another meaning in the names of queues."""

MAX_HASHES = 2
"""`#` in one pattern: RabbitMQ 3.10 takes 2.3 s for a single match with eight."""


class ExamplesModel(Strict):
    """Lines of `KEY TEXT`. match: lines that the rule must take.   miss: lines that it must not take."""

    match: list[str] = Field(default_factory=list)
    miss: list[str] = Field(default_factory=list)


class RuleModel(Strict):
    """One rule as written in a file."""

    name: str
    match: str | list[str] = "#"
    severity: str | None = None
    when: dict[str, Any] | None = None
    to: str | list[str]
    continue_: bool = Field(default=False, alias="continue")
    examples: ExamplesModel = ExamplesModel()


class FileModel(Strict):
    """A rules file. The entries of `destinations` and `rules` are validated one by one."""

    destinations: dict[str, Any] | None = None
    rules: list[Any] | None = None
    default: str | list[str] | None = None
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class RuleEntry:
    """A valid rule.

    severity: the mildest that it takes; None for all.   matching, missing: its examples.
    """

    name: str
    place: Location
    patterns: tuple[str, ...]
    severity: str | None
    condition: WhenClause | None
    to: tuple[str, ...]
    continues: bool
    matching: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleConfig:
    """The content of all files together.

    destinations: always include `discard`.   places: the place of each destination that a file defines.
    """

    destinations: dict[str, DestinationModel]
    rules: tuple[RuleEntry, ...]
    default: tuple[str, ...]
    timezone: ZoneInfo
    places: dict[str, Location] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """A hash of everything but the places of destinations."""
        content = repr((self.destinations, self.rules, self.default, self.timezone))
        return hashlib.sha256(content.encode(errors="surrogatepass")).hexdigest()[:12]


def load_rules(paths: Sequence[Path]) -> RuleConfig:
    """Return the configuration in these files and directories. Raises ConfigError with every mistake in them."""
    loading = _Loading()
    files = list(yaml_files(paths))
    for path in files:
        loading.read(read_document(path))
    if not files:
        place = Location(", ".join(map(str, paths)))
        loading.mistakes.append(
            Mistake(place, "there are no rules here", "add a *.yaml file, or name another directory")
        )
    return loading.finish()


class _Loading:
    """The files that have been read so far."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []
        self._destinations: dict[str, DestinationModel] = {}
        self._places: dict[str, Location] = {}
        self._rules: list[RuleEntry] = []
        self._rule_places: dict[str, Location] = {}
        self._uses: list[tuple[str, Location]] = []
        self._default: tuple[tuple[str, ...], Location] | None = None
        self._timezone: tuple[ZoneInfo, Location] | None = None

    def read(self, document: Document) -> None:
        """Add one file."""
        model = validate(document, FileModel) if not document.mistakes or document.data is not None else None
        if model is not None:
            for name, data in (model.destinations or {}).items():
                self._add_destination(document, name, data)
            for index, data in enumerate(model.rules or ()):
                self._add_rule(document, ("rules", index), data)
            self._add_default(document, model)
            self._add_timezone(document, model)
        self.mistakes += document.mistakes

    def finish(self) -> RuleConfig:
        """Check what concerns all files together, and return the result. Raises ConfigError."""
        names = {*self._destinations, DISCARD}
        for name, place in self._uses:
            if name not in names:
                self.mistakes.append(Mistake(place, f"there is no destination `{name}`", did_you_mean(name, names)))
        if self.mistakes:
            raise ConfigError(self.mistakes)
        fallback = ("archive",) if "archive" in self._destinations else (DISCARD,)
        return RuleConfig(
            destinations={DISCARD: NOTHING, **self._destinations},
            rules=tuple(self._rules),
            default=self._default[0] if self._default else fallback,
            timezone=self._timezone[0] if self._timezone else ZoneInfo("UTC"),
            places=self._places,
        )

    def _add_destination(self, document: Document, name: str, data: Any) -> None:
        at: KeyPath = ("destinations", name)
        place = document.key_place(at)
        if name in self._places:
            self._twice(document, place, f"destination `{name}`", self._places[name])
            return
        self._places[name] = place
        if problem := name_problem(name):
            document.mistakes.append(Mistake(place, *problem))
        self._destinations[name] = NOTHING  # a substitute while the entry is wrong
        kind = data.get("type") if isinstance(data, dict) else None
        if not isinstance(kind, str):
            document.mistakes.append(
                Mistake(document.place(at), "the destination has no `type`", did_you_mean("", MODELS))
            )
        elif kind not in MODELS:
            unknown = f"`{kind}` is not a type of destination"
            document.mistakes.append(Mistake(document.place((*at, "type")), unknown, did_you_mean(kind, MODELS)))
        elif (model := validate(document, MODELS[kind], data, at)) is not None:
            self._destinations[name] = model

    def _add_rule(self, document: Document, at: KeyPath, data: Any) -> None:
        model = validate(document, RuleModel, data, at)
        name = data.get("name") if isinstance(data, dict) else None
        if isinstance(name, str):
            place = document.place((*at, "name"))
            if name in self._rule_places:
                self._twice(document, place, f"rule `{name}`", self._rule_places[name])
            self._rule_places.setdefault(name, place)
        if model is None:
            return

        def report(path: KeyPath, problem: str, remedy: str) -> None:
            document.mistakes.append(Mistake(document.place((*at, *path)), problem, remedy))

        self._rules.append(
            RuleEntry(
                name=model.name,
                place=document.place(at),
                patterns=_patterns(model.match, report),
                severity=_severity(model.severity, report),
                condition=None
                if model.when is None
                else parse_condition(model.when, lambda path, *message: report(("when", *path), *message)),
                to=self._targets(document, (*at, "to"), model.to),
                continues=model.continue_,
                matching=tuple(model.examples.match),
                missing=tuple(model.examples.miss),
            )
        )

    def _targets(self, document: Document, at: KeyPath, to: str | list[str]) -> tuple[str, ...]:
        names = (to,) if isinstance(to, str) else tuple(to)
        if not names:
            document.mistakes.append(
                Mistake(document.place(at), "the list names no destination", "write `discard` to keep nothing")
            )
        places = (document.place(at if isinstance(to, str) else (*at, index)) for index in range(len(names)))
        self._uses += zip(names, places, strict=True)
        return tuple(dict.fromkeys(names))

    def _add_default(self, document: Document, model: FileModel) -> None:
        if model.default is None:
            return
        place = document.place(("default",))
        if self._default:
            self._twice(document, place, "`default`", self._default[1])
        self._default = (self._targets(document, ("default",), model.default), place)

    def _add_timezone(self, document: Document, model: FileModel) -> None:
        if model.timezone is None:
            return
        place = document.place(("timezone",))
        if self._timezone:
            self._twice(document, place, "`timezone`", self._timezone[1])
        try:
            self._timezone = (ZoneInfo(model.timezone), place)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            problem = f"`{model.timezone}` is not a time zone"
            document.mistakes.append(Mistake(place, problem, "write a name such as UTC or Europe/Berlin"))

    def _twice(self, document: Document, place: Location, what: str, first: Location) -> None:
        problem = f"{what} is defined twice"
        document.mistakes.append(Mistake(place, problem, f"change or remove one of them; the first is at {first}"))


def _patterns(match: str | list[str], report: Any) -> tuple[str, ...]:
    patterns = (match,) if isinstance(match, str) else tuple(match)
    for index, pattern in enumerate(patterns):
        at: KeyPath = ("match",) if isinstance(match, str) else ("match", index)
        if problem := pattern_problem(pattern):
            report(at, *problem)
    return patterns


def name_problem(name: object) -> tuple[str, str] | None:
    """Return what is wrong with the name of a destination, and the remedy; None if it is valid.

    The name becomes a word in the names of queues.
    """
    if isinstance(name, str) and _NAME.fullmatch(name) and name not in _TAKEN:
        return None
    reserved = ", ".join(sorted(_TAKEN))
    remedy = f"use up to 64 letters, digits, - and _, beginning with a letter; {reserved} are reserved"
    return f"`{name}` cannot be the name of a destination", remedy


def pattern_problem(pattern: str) -> tuple[str, str] | None:
    """Return what is wrong with a topic pattern, and the remedy; None if it is valid."""
    words = split_words(pattern)
    if words.count("#") > MAX_HASHES:
        return f"the pattern has more than {MAX_HASHES} `#`", "use fewer: the broker takes seconds to match it"
    for word in words:
        if word not in ("*", "#") and ("*" in word or "#" in word):
            return (
                f"`{word}` mixes a wildcard with text",
                "write `*` for one whole word, or `#` for any number of words",
            )
    return None


def _severity(severity: str | None, report: Any) -> str | None:
    if severity is None:
        return None
    if problem := severity_problem(severity):
        report(("severity",), *problem)
        return None
    return severity
