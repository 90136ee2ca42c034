"""The rules at work: each record to its destinations, and why. Pure: no I/O, no event loop.

In come slices, out come decisions. The first rule that matches decides; one that says `continue` adds its destinations
and leaves the decision to those after it, in the end to the default. What a key alone decides is worked out once for
the key; only where a rule looks into the record is the slice decoded.
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
"""Stands for a rule's name where no rule decided."""

_KEYS = 65_536
"""Keys whose decision is remembered."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule ready to be asked. matches: its patterns, any of which may take a key."""

    entry: RuleEntry
    holds: Predicate | None
    matches: tuple[Callable[[str], bool], ...]

    def takes_key(self, key: str, severity: str) -> bool:
        """Whether key and severity are in reach of the rule."""
        wanted = self.entry.severity
        if wanted is not None and RANK.get(severity, len(RANK)) > RANK[wanted]:
            return False
        return any(matches(key) for matches in self.matches)


class _Reach(NamedTuple):
    """What a key alone tells: the rules that can take its records, and where all of them go, None if that depends."""

    rules: tuple[Rule, ...]
    targets: tuple[Target, ...] | None


class Verdict(NamedTuple):
    """One rule's answer for one record, for people to read."""

    rule: RuleEntry
    matched: bool
    reason: str


class RuleSet:
    """All rules of an instance, callable as the router's `Decide`."""

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
        """The decisions for all records of `piece`, in their order within each decision."""
        rules, targets = self._in_reach(piece.key, piece.severity)
        if targets is not None:
            return [Decision(piece, targets)]
        chosen = [self._choose(rules, record) for record in piece.records()]
        kept = ((piece.select([other == targets for other in chosen]), targets) for targets in dict.fromkeys(chosen))
        return [Decision(part, targets) for part, targets in kept if part is not None]

    def _in_reach(self, key: str, severity: str) -> _Reach:
        """The rules that can take a record under this key, up to the first that takes all of them and ends it."""
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
        """Where these rules send a record: to each destination once, by the first rule that names it."""
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
        """Each rule that is tried for a record, in order, with its answer; those after a final one are not tried."""
        verdicts = []
        for rule in self._rules:
            verdicts.append(_verdict(rule, key, record))
            if verdicts[-1].matched and not rule.entry.continues:
                break
        return verdicts

    def takers(self, key: str, record: Record) -> Iterator[RuleEntry]:
        """The rules that take a record: those with a verdict of `explain` that matched."""
        for rule in self._in_reach(key, record.severity).rules:
            if rule.holds is None or rule.holds(record):
                yield rule.entry
                if not rule.entry.continues:
                    return

    def destinations(self, key: str, record: Record) -> tuple[str, ...]:
        """Where one record goes."""
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
    return Verdict(entry, True, "matches" + (", and goes on" if entry.continues else ""))
