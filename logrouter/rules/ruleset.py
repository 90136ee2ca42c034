"""Apply rules: decide where each record goes, and explain why. Pure: no I/O, no event loop.

The first rule that matches decides. A rule with `continue` adds its destinations and leaves the decision to the rules
after it, and finally to the default. A decision that depends only on the key is cached by key. A slice is decoded only
if a rule has to examine its records.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from logrouter.config.rules import DISCARD, RuleConfig, RuleEntry
from logrouter.rules.decision import Decision, Target
from logrouter.rules.patterns import FirstWords, first_word
from logrouter.rules.predicates import Predicate, predicate
from logrouter.wire.record import Record
from logrouter.wire.routing_key import RANK, matcher
from logrouter.wire.slices import Slice

DEFAULT = "default"
"""Replaces the name of a rule if no rule decides."""

_KEYS = 65_536
"""Keys whose decisions are cached."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A compiled rule.

    holds: its condition; None if it has none.   matches: its patterns, any of which may match a key.
    """

    entry: RuleEntry
    holds: Predicate | None
    matches: tuple[Callable[[str], bool], ...]

    def takes_key(self, key: str, severity: str) -> bool:
        """Report whether the rule takes this key and severity; its condition may still exclude a record."""
        wanted = self.entry.severity
        if wanted is not None and RANK.get(severity, len(RANK)) > RANK[wanted]:
            return False
        return any(matches(key) for matches in self.matches)


class _Reach(NamedTuple):
    """The decision as far as it follows from a key alone.

    rules: those that can take its records.   targets: where all its records go; None if that depends on the record.
    """

    rules: tuple[Rule, ...]
    targets: tuple[Target, ...] | None


class Verdict(NamedTuple):
    """One rule's decision about one record, for people to read."""

    rule: RuleEntry
    matched: bool
    reason: str


class RuleSet:
    """All rules of an instance. It implements `Decide`."""

    def __init__(self, config: RuleConfig) -> None:
        self.config = config
        self._rules = tuple(
            Rule(
                entry,
                None if entry.condition is None else predicate(entry.condition),
                tuple(map(matcher, entry.patterns)),
            )
            for entry in config.rules
        )
        self._by_word: FirstWords[Rule] = FirstWords()
        for rule in self._rules:
            self._by_word.add(rule.entry.patterns, rule)
        self._by_key: OrderedDict[tuple[str, str], _Reach] = OrderedDict()

    def __call__(self, piece: Slice) -> list[Decision]:
        """Return the decisions for all records of `piece`. Within a decision, records keep their order."""
        rules, targets = self._in_reach(piece.key, piece.severity)
        if targets is not None:
            return [Decision(piece, targets)]
        chosen = [self._choose(rules, record) for record in piece.records()]
        kept = ((piece.select([other == targets for other in chosen]), targets) for targets in dict.fromkeys(chosen))
        return [Decision(part, targets) for part, targets in kept if part is not None]

    def _in_reach(self, key: str, severity: str) -> _Reach:
        """Return the rules that can take a record with this key, up to the first that takes all and is final."""
        found = self._by_key.get((key, severity))
        if found is None:
            rules = tuple(
                _until_final(rule for rule in self._by_word.under(first_word(key)) if rule.takes_key(key, severity))
            )
            depends = any(rule.holds is not None for rule in rules)
            found = _Reach(rules, None if depends else self._targets(rule.entry for rule in rules))
            self._by_key[key, severity] = found
            if len(self._by_key) > _KEYS:
                self._by_key.popitem(last=False)
        return found

    def _choose(self, rules: Sequence[Rule], record: Record) -> tuple[Target, ...]:
        matching = (rule.entry for rule in rules if rule.holds is None or rule.holds(record))
        return self._targets(matching)

    def _targets(self, matching: Iterator[RuleEntry]) -> tuple[Target, ...]:
        """Return where these rules send a record. Each destination appears once, with the first rule that names it."""
        rules: dict[str, str] = {}
        for entry in matching:
            for name in entry.to:
                rules.setdefault(name, entry.name)
            if not entry.continues:
                break
        else:
            for name in self.config.default:
                rules.setdefault(name, DEFAULT)
        kept = tuple(Target(name, rule) for name, rule in rules.items() if name != DISCARD)
        return kept or (Target(DISCARD, rules[DISCARD]),)

    def explain(self, key: str, record: Record) -> list[Verdict]:
        """Return the verdict of each rule in order, up to the first that matches and is final."""
        verdicts = []
        for rule in self._rules:
            verdicts.append(_verdict(rule, key, record))
            if verdicts[-1].matched and not rule.entry.continues:
                break
        return verdicts

    def takers(self, key: str, record: Record) -> Iterator[RuleEntry]:
        """Yield the rules that take a record: those whose verdict in `explain` is a match."""
        for rule in self._in_reach(key, record.severity).rules:
            if rule.holds is None or rule.holds(record):
                yield rule.entry
                if not rule.entry.continues:
                    return

    def destinations(self, key: str, record: Record) -> tuple[str, ...]:
        """Return the names of the destinations of one record."""
        rules, _ = self._in_reach(key, record.severity)
        return tuple(target.destination for target in self._choose(rules, record))


def _until_final(rules: Iterator[Rule]) -> Iterator[Rule]:
    for rule in rules:
        yield rule
        if rule.holds is None and not rule.entry.continues:
            return


def _verdict(rule: Rule, key: str, record: Record) -> Verdict:
    entry = rule.entry
    if not any(matcher(pattern)(key) for pattern in entry.patterns):
        return Verdict(entry, False, f"the key does not match {' or '.join(entry.patterns)}")
    if not rule.takes_key(key, record.severity):
        return Verdict(entry, False, f"{record.severity} is milder than {entry.severity}")
    if rule.holds is not None and not rule.holds(record):
        return Verdict(entry, False, "`when` does not hold")
    return Verdict(entry, True, "matches" + (" and continues" if entry.continues else ""))
