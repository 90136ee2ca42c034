"""Check rules before any record arrives. Pure.

Mistakes are failing examples and archives that share a path. Warnings are rules that probably do not do what was meant.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import combinations

from logrouter.config.destinations import ArchiveModel
from logrouter.config.mistakes import Mistake
from logrouter.config.rules import DISCARD, RuleConfig, RuleEntry
from logrouter.config.severities import SPELLINGS
from logrouter.config.templates import can_collide
from logrouter.rules.patterns import FirstWords, covers, named_words
from logrouter.rules.ruleset import RuleSet
from logrouter.wire.record import Record, rfc3339
from logrouter.wire.routing_key import RANK, SEVERITIES, read_key, split_words


def mistakes(rules: RuleSet) -> list[Mistake]:
    """Return the mistakes that keep a router from starting."""
    return [*_failing_examples(rules), *_shared_paths(rules.config)]


def warnings(config: RuleConfig) -> list[Mistake]:
    """Return what is probably not meant, each as a Mistake."""
    found: list[Mistake] = []
    before: FirstWords[RuleEntry] = FirstWords()
    for entry in config.rules:
        found += _misspelt(entry)
        found += _dotted(entry)
        found += _worse_left_out(entry)
        found += _unarchived(config, entry)
        found += _unreachable(entry, before)
        before.add(entry.patterns, entry)
    return found


def example_record(text: str) -> tuple[str, Record]:
    """Return the key and the record of an example, `KEY TEXT`."""
    key, _, message = text.partition(" ")
    parts = read_key(key)
    record = Record(
        ts=rfc3339(time.time()), service=parts.service, host=parts.host, severity=parts.severity or "info",
        message=message, source="example", pos=0, end=len(message.encode()) + 1,
    )  # fmt: skip
    return key, record


def _failing_examples(rules: RuleSet) -> Iterator[Mistake]:
    for entry in rules.config.rules:
        for text, wanted in [*((text, True) for text in entry.matching), *((text, False) for text in entry.missing)]:
            example = example_record(text)
            if any(taker is entry for taker in rules.takers(*example)) == wanted:
                continue
            if not wanted:
                problem = f"rule `{entry.name}` takes its `miss` example {text!r}"
                yield Mistake(entry.place, problem, "narrow the rule, or remove the example")
                continue
            verdicts = rules.explain(*example)
            last = verdicts[-1]
            own = next((verdict.reason for verdict in verdicts if verdict.rule is entry), None)
            reason = own if own is not None else f"rule `{last.rule.name}` ({last.rule.place}) takes it first"
            yield Mistake(entry.place, f"rule `{entry.name}` does not take its `match` example {text!r}", reason)


def _shared_paths(config: RuleConfig) -> Iterator[Mistake]:
    archives = [(name, model) for name, model in config.destinations.items() if isinstance(model, ArchiveModel)]
    for (first, one), (name, other) in combinations(archives, 2):
        if one.dir == other.dir and can_collide(one.path, other.path):
            problem = f"destinations `{first}` and `{name}` can write the same path {other.path}"
            yield Mistake(config.places[name], problem, "give each a `dir` or `path` of its own")


def _misspelt(entry: RuleEntry) -> Iterator[Mistake]:
    for pattern in entry.patterns:
        last = (split_words(pattern) or [""])[-1]
        meant = SPELLINGS.get(last.lower()) or (last.lower() if last.lower() in RANK else None)
        if meant and last != meant:
            problem = f"rule `{entry.name}`: `{last}` in {pattern} is not a severity"
            yield Mistake(entry.place, problem, f"did you mean `{meant}`?")


def _dotted(entry: RuleEntry) -> Iterator[Mistake]:
    for pattern in entry.patterns:
        words = split_words(pattern)
        if len(words) > 3 and "#" not in words:
            host = "_".join(words[1:-1])
            problem = f"rule `{entry.name}`: keys of logrouter have three words, but {pattern} has {len(words)}"
            remedy = f"dots in a host name become `_`: did you mean {words[0]}.{host}.{words[-1]}?"
            yield Mistake(entry.place, problem, remedy)


def _worse_left_out(entry: RuleEntry) -> Iterator[Mistake]:
    if entry.severity is not None or set(entry.to) == {DISCARD}:
        return
    named = {words[-1] for pattern in entry.patterns if (words := split_words(pattern))} & set(RANK)
    if not named:
        return
    mildest = max(named, key=RANK.__getitem__)
    left = [severity for severity in SEVERITIES[: RANK[mildest]] if severity not in named]
    if left:
        problem = f"rule `{entry.name}` takes {mildest}, but not the worse severities {', '.join(left)}"
        yield Mistake(entry.place, problem, f"end the pattern in `*` and write `severity: {mildest}`")


def _unarchived(config: RuleConfig, entry: RuleEntry) -> Iterator[Mistake]:
    archives = [name for name, model in config.destinations.items() if isinstance(model, ArchiveModel)]
    if archives and not entry.continues and DISCARD not in entry.to and not set(archives) & set(entry.to):
        problem = f"records that rule `{entry.name}` takes go to no archive"
        yield Mistake(entry.place, problem, f"add `{archives[0]}` to its `to`, or write `continue: true`")


def _unreachable(entry: RuleEntry, before: FirstWords[RuleEntry]) -> Iterator[Mistake]:
    words = set().union(*map(named_words, entry.patterns))
    final = [
        other
        for other in before.under("", *words)
        if other.condition is None and not other.continues and _as_mild(other.severity, entry.severity)
    ]
    for pattern in entry.patterns:
        if not covers([wide for other in final for wide in other.patterns], pattern):
            break
    else:
        takers = ", ".join(f"`{other.name}` ({other.place})" for other in final if _meets(other, entry))
        yield Mistake(
            entry.place, f"rule `{entry.name}` can never match", f"earlier rules take all its records: {takers}"
        )
        return
    if entry.severity is not None and all(_too_mild(pattern, entry.severity) for pattern in entry.patterns):
        problem = f"rule `{entry.name}` can never match: its patterns name severities milder than {entry.severity}"
        yield Mistake(entry.place, problem, "end the pattern in `*`")


def _as_mild(wide: str | None, narrow: str | None) -> bool:
    """Report whether the severity limit `wide` takes all that `narrow` takes. None is no limit."""
    return wide is None or (narrow is not None and RANK[narrow] <= RANK[wide])


def _meets(other: RuleEntry, entry: RuleEntry) -> bool:
    """Report whether a pattern of one rule covers a pattern of the other."""
    return any(covers([wide], narrow) or covers([narrow], wide) for wide in other.patterns for narrow in entry.patterns)


def _too_mild(pattern: str, limit: str) -> bool:
    last = (split_words(pattern) or [""])[-1]
    return last in RANK and RANK[last] > RANK[limit]
