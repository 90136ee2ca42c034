"""Rules decide each record once, in order, and say why; what is odd about them is found before a line has come."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logrouter.config.mistakes import Location
from logrouter.config.rules import RuleConfig, RuleEntry, load_rules
from logrouter.config.when import Contains
from logrouter.rules import checks
from logrouter.rules.checks import example_record
from logrouter.rules.patterns import FirstWords, covers, named_words
from logrouter.rules.ruleset import RuleSet
from logrouter.wire.batch import Part
from logrouter.wire.record import Record, encode_lines
from logrouter.wire.routing_key import matches
from logrouter.wire.slices import Slice, from_part

ARCHIVE = "destinations: {archive: {type: archive}, other: {type: archive, dir: /elsewhere}}\n"


def rule_set(directory: Path, rules: str, default: str = "default: archive") -> RuleSet:
    (directory / "rules.yaml").write_text(f"{ARCHIVE}rules:\n{rules}\n{default}\n")
    return RuleSet(load_rules([directory]))


def records(*messages: str, key: str = "mail.mx1.error", **fields: Any) -> Slice:
    service, host, severity = key.split(".")
    made = [
        Record(
            ts="2026-11-22T10:00:00Z",
            service=service,
            host=host,
            severity=severity,
            message=message,
            source="s",
            pos=n,
            end=n + 1,
            **fields,
        )
        for n, message in enumerate(messages)
    ]
    return from_part(
        Part(
            source="s",
            start=0,
            from_=0,
            to=len(made),
            part=0,
            keys=(key,),
            service=service,
            host=host,
            severity=severity,
            count=len(made),
            first=0,
            last=0,
            body=encode_lines(made),
        )
    )


def decided(rules: RuleSet, piece: Slice) -> dict[str, tuple[str, ...]]:
    return {
        record.message: tuple(target.destination for target in decision.targets)
        for decision in rules(piece)
        for record in decision.piece.records()
    }


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("", ("archive",)),
        ("  - {name: a, match: web.#, to: other}", ("archive",)),
        ("  - {name: a, match: mail.#, to: other}", ("other",)),
        ("  - {name: a, match: mail.#, to: other, continue: true}", ("other", "archive")),
        ("  - {name: a, to: [other, archive], continue: true}", ("other", "archive")),
        ("  - {name: a, to: discard}\n  - {name: b, to: other}", ("discard",)),
        ("  - {name: a, to: discard, continue: true}\n  - {name: b, to: other}", ("other",)),
        ("  - {name: a, severity: error, to: other}", ("other",)),
        ("  - {name: a, severity: crit, to: other}", ("archive",)),
        ("  - {name: a, match: [web.#, mail.*.error], to: other}", ("other",)),
        ("  - {name: a, when: {message: x}, to: other}", ("other",)),
        ("  - {name: a, when: {message: y}, to: other}", ("archive",)),
    ],
)
def test_where_one_record_goes(tmp_path: Path, rules: str, expected: tuple[str, ...]) -> None:
    assert decided(rule_set(tmp_path, rules), records("x")) == {"x": expected}


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ("{message: {regex: 'timed? ?out'}}", True),
        ("{message: {regex: '^timeout'}}", False),
        ("{message: {contains: [nothing, timed]}}", True),
        ("{message: {contains: timed, regex: never}}", False),
        ("{app: [exim, postfix]}", True),
        ("{pid: 12}", True),
        ("{facility: mail}", False),
        ("{facility: ''}", True),
        ("{fields.user.name: bob}", True),
        ("{fields.user.id: 7, fields.ok: true}", True),
        ("{fields.nothing.at.all: bob}", False),
        ("{sd.a@1.b: c}", True),
        ("{not: {app: postfix}}", False),
        ("{any: [{app: exim}, {pid: 12}]}", True),
        ("{all: [{app: postfix}, {pid: 13}]}", False),
    ],
)
def test_conditions(tmp_path: Path, when: str, holds: bool) -> None:
    rules = rule_set(tmp_path, f"  - {{name: a, when: {when}, to: other}}")
    piece = records(
        "connection timed out",
        app="postfix",
        pid="12",
        fields={"user": {"name": "bob", "id": 7}, "ok": True},
        sd={"a@1": {"b": "c"}},
    )
    assert decided(rules, piece) == {"connection timed out": ("other",) if holds else ("archive",)}


def test_a_slice_is_divided_only_where_a_rule_looks_inside(tmp_path: Path) -> None:
    rules = rule_set(tmp_path, "  - {name: a, match: mail.#, when: {message: {contains: b}}, to: other}")
    piece = records("a", "b", "ab", "c")
    assert decided(rules, piece) == {"a": ("archive",), "b": ("other",), "ab": ("other",), "c": ("archive",)}
    web = records("b", key="web.w1.error")
    (decision,) = rules(web)
    assert decision.piece is web


def test_a_pattern_takes_bounded_time_on_a_long_line(tmp_path: Path) -> None:
    rules = rule_set(tmp_path, "  - {name: a, when: {message: {regex: '(a+)+$'}}, to: other}")
    long = "a" * (1 << 20) + "b"
    assert decided(rules, records(long)) == {long: ("archive",)}


def test_explain_names_what_was_tried(tmp_path: Path) -> None:
    rules = rule_set(
        tmp_path,
        "  - {name: a, match: web.#, to: other}\n"
        "  - {name: b, severity: crit, to: other}\n"
        "  - {name: c, when: {app: x}, to: other}\n"
        "  - {name: d, to: other, continue: true}\n"
        "  - {name: e, to: other}\n"
        "  - {name: f, to: other}",
    )
    answers = [
        (verdict.rule.name, verdict.matched, verdict.reason)
        for verdict in rules.explain(*example_record("mail.mx1.error text"))
    ]
    assert answers == [
        ("a", False, "the key does not match web.#"),
        ("b", False, "error is milder than crit"),
        ("c", False, "`when` does not hold"),
        ("d", True, "matches and continues"),
        ("e", True, "matches"),
    ]


def problems(rules: RuleSet) -> list[str]:
    return [found.problem for found in checks.warnings(rules.config)]


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ("  - {name: a, to: archive}\n  - {name: b, match: mail.#, to: archive}", "`b` can never match"),
        ("  - {name: a, match: 'mail.*.*', to: archive}\n  - {name: b, match: mail.x.debug, to: archive}",
         "`b` can never match"),
        ("  - {name: a, match: '*.*.debug', severity: error, to: archive}", "`a` can never match"),
        ("  - {name: a, match: mail.#, to: nowhere}", "`a` takes go to no archive"),
        ("  - {name: a, match: 'mail.*.error', to: archive}", "but not the worse severities emerg, alert, crit"),
        ("  - {name: a, match: 'mail.*.err', to: archive}", "`err` in mail.*.err is not a severity"),
        ("  - {name: a, match: 'mail.*.ERROR', to: archive}", "`ERROR` in mail.*.ERROR is not a severity"),
        ("  - {name: a, match: mail.mx1.example.org.error, to: archive}", "keys of logrouter have three words"),
    ],
)  # fmt: skip
def test_warnings(tmp_path: Path, rules: str, says: str) -> None:
    if "nowhere" in rules:
        (tmp_path / "0.yaml").write_text("destinations: {nowhere: {type: discard}}")
    assert any(says in problem for problem in problems(rule_set(tmp_path, rules)))


@pytest.mark.parametrize(
    "rules",
    [
        "  - {name: a, match: '*.*.debug', to: discard}",
        "  - {name: a, match: 'mail.*.*', severity: error, to: [other]}\n  - {name: b, match: mail.#, to: other}",
        "  - {name: a, when: {app: x}, to: archive}\n  - {name: b, match: mail.#, to: archive}",
        "  - {name: a, continue: true, to: archive}\n  - {name: b, match: mail.#, to: archive}",
        "  - {name: a, match: [mail.*.error, mail.*.crit, mail.*.alert, mail.*.emerg], to: archive}",
    ],
)
def test_good_rules_are_not_warned_of(tmp_path: Path, rules: str) -> None:
    assert problems(rule_set(tmp_path, rules)) == []


def test_examples_are_run_in_the_whole_set(tmp_path: Path) -> None:
    rules = rule_set(
        tmp_path,
        "  - {name: a, match: '*.*.debug', to: archive}\n"
        "  - {name: b, match: mail.#, to: archive,"
        " examples: {match: [mail.h.error x, mail.h.debug x, web.h.info x], miss: [web.h.info x, mail.h.info x]}}",
    )
    found = [(mistake.problem, mistake.remedy) for mistake in checks.mistakes(rules)]
    assert [problem for problem, _ in found] == [
        "rule `b` does not take its `match` example 'mail.h.debug x'",
        "rule `b` does not take its `match` example 'web.h.info x'",
        "rule `b` takes its `miss` example 'mail.h.info x'",
    ]
    assert found[0][1].startswith("rule `a` (")
    assert found[1][1] == "the key does not match mail.#"


def test_two_archives_on_one_path_are_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("destinations: {a: {type: archive}, b: {type: archive}}")
    (mistake,) = checks.mistakes(RuleSet(load_rules([tmp_path])))
    assert "`a` and `b` can write the same path" in mistake.problem


words = st.sampled_from(["a", "b", "*", "#"])
patterns = st.lists(words, min_size=1, max_size=4).map(".".join)
keys = st.lists(st.sampled_from(["a", "b", "c"]), max_size=5).map(".".join)


@given(st.lists(patterns, min_size=1, max_size=3), patterns, st.lists(keys, min_size=20, max_size=20))
def test_covering_means_every_key(wide: list[str], narrow: str, tried: list[str]) -> None:
    if covers(wide, narrow):
        assert all(any(matches(pattern, key) for pattern in wide) for key in tried if matches(narrow, key))


@given(patterns, patterns)
@example("b.#", "#.b")
def test_what_is_not_covered_has_a_key_that_shows_it(wide: str, narrow: str) -> None:
    keys = (".".join(key) for size in range(7) for key in itertools.product("abc", repeat=size))
    shown = any(matches(narrow, key) and not matches(wide, key) for key in keys)
    assert covers([wide], narrow) is not shown


@given(st.lists(patterns | st.just(""), max_size=4), patterns | st.just(""))
def test_patterns_with_other_first_words_cover_nothing(wide: list[str], narrow: str) -> None:
    by_word: FirstWords[str] = FirstWords()
    for pattern in wide:
        by_word.add([pattern], pattern)
    assert covers(by_word.under("", *named_words(narrow)), narrow) is covers(wide, narrow)


entries = st.builds(
    RuleEntry,
    name=st.uuids().map(str),
    place=st.just(Location("r.yaml")),
    patterns=st.lists(patterns | st.just(""), min_size=1, max_size=2).map(tuple),
    severity=st.sampled_from([None, "error", "info"]),
    condition=st.sampled_from([None, None, Contains("message", ("x",))]),
    to=st.lists(st.sampled_from(["one", "two", "discard"]), min_size=1, max_size=2).map(tuple),
    continues=st.booleans(),
    matching=st.just(()),
    missing=st.just(()),
)


@given(st.lists(entries, max_size=6), st.lists(keys | st.just("*.b"), min_size=1), st.sampled_from(["x", "y"]))
def test_what_is_remembered_of_a_key_decides_as_asking_every_rule_does(
    made: list[RuleEntry], met: list[str], message: str
) -> None:
    rules = RuleSet(RuleConfig({}, tuple(made), ("default",), ZoneInfo("UTC")))
    for key in met * 2:
        piece = replace(records(message, key="a.b.error"), key=key)
        asked = rules.explain(key, piece.records()[0])
        assert list(rules.takers(key, piece.records()[0])) == [verdict.rule for verdict in asked if verdict.matched]
        named = [name for verdict in asked if verdict.matched for name in verdict.rule.to]
        is_final = any(verdict.matched and not verdict.rule.continues for verdict in asked)
        wanted = dict.fromkeys(named if is_final else [*named, "default"])
        kept = tuple(name for name in wanted if name != "discard") or ("discard",)
        assert decided(rules, piece) == {message: kept}


def test_the_shipped_rules_are_sound() -> None:
    shipped = RuleSet(load_rules([Path(__file__).parents[2] / "rules"]))
    assert checks.mistakes(shipped) == []
    assert checks.warnings(shipped.config) == []
