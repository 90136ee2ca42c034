"""Rules files: every mistake at once, each with its place and a remedy."""

import re
from pathlib import Path

import pytest

from logrouter.config.destinations import ArchiveModel
from logrouter.config.mistakes import ConfigError
from logrouter.config.rules import load_rules
from logrouter.config.units import parse_duration, parse_size
from logrouter.config.when import All, AnyOf, Contains, Equals, Not, Regex

GOOD = """\
destinations:
  archive: {type: archive, dir: /var/log/central, path: "{service}/{host}/{date}.jsonl.gz", keep: 90d, rotate: 64 MiB}
timezone: Europe/Berlin
rules:
  - {name: noise, match: "*.*.debug", to: discard}
  - name: mail-errors
    match: ["mail.#", "smtp.#"]
    severity: error
    when:
      message: {regex: "timed? ?out"}
      any: [{app: [postfix, dovecot]}, {not: {fields.user: root}}]
    to: [archive]
    continue: true
    examples: {match: ["mail.mx1.error timed out"], miss: ["web.w1.error timed out"]}
default: archive
"""


TWICE = "change or remove one of them; the first is at"
RE2 = "use the syntax of RE2, which has no look-around and no back-references"


def write(directory: Path, text: str, name: str = "rules.yaml") -> Path:
    path = directory / name
    path.write_text(text)
    return path


def mistakes(*paths: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_rules(paths)
    return [re.sub(r"^\S*/", "", str(mistake)).replace("\n    ", " | ") for mistake in caught.value.mistakes]


def test_a_good_file(tmp_path: Path) -> None:
    config = load_rules([write(tmp_path, GOOD)])
    archive = config.destinations["archive"]
    assert isinstance(archive, ArchiveModel)
    assert (archive.keep, archive.rotate) == (90 * 86400, 64 << 20)
    assert str(config.timezone) == "Europe/Berlin"
    noise, errors = config.rules
    assert (noise.to, noise.continues, noise.condition) == (("discard",), False, None)
    assert errors.patterns == ("mail.#", "smtp.#")
    assert (errors.severity, errors.continues) == ("error", True)
    assert errors.condition == All(
        (
            Regex("message", "timed? ?out"),
            AnyOf((Equals("app", ("postfix", "dovecot")), Not(Equals("fields.user", ("root",))))),
        )
    )
    assert config.default == ("archive",)


def test_all_mistakes_of_a_file_at_once(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """\
destinations:
  archive: {type: archive, paht: y}
  archive: {type: archive}
  oncall: {type: arhive}
rules:
  - {name: a, match: "#.#.#", to: discrad}
  - name: a
    match: "mail.#"
    severity: err
    when: {mesage: x, message: {regex: "(?=a)", contians: b}}
    to: [archive]
  - {name: 5, to: archive}
default: archvie
""",
    )
    assert mistakes(path) == [
        "rules.yaml:2:28: `paht` is not a valid key here | did you mean `path`?",
        "rules.yaml:3:3: the key `archive` appears twice | remove one of them; the first is at " + f"{path}:2:3",
        "rules.yaml:4:18: `arhive` is not a type of destination | did you mean `archive`?",
        "rules.yaml:6:22: the pattern has more than 2 `#` | use fewer: the broker takes seconds to match it",
        "rules.yaml:6:35: there is no destination `discrad` | did you mean `discard`?",
        "rules.yaml:7:11: rule `a` is defined twice | " + f"{TWICE} {path}:6:12",
        "rules.yaml:9:15: `err` is not a severity | did you mean `error`?",
        "rules.yaml:10:20: `mesage` is not a field of a record | did you mean `message`?",
        "rules.yaml:10:40: the pattern is invalid: invalid perl operator: (?= | " + RE2,
        "rules.yaml:10:59: `contians` is not a test of a field | did you mean `contains`?",
        "rules.yaml:12:12: this must be text | quote it",
        "rules.yaml:13:10: there is no destination `archvie` | did you mean `archive`?",
    ]


def test_names_are_unique_across_files(tmp_path: Path) -> None:
    first = write(tmp_path, GOOD, "10.yaml")
    write(tmp_path, "destinations: {archive: {type: discard}}\nrules: [{name: noise, to: discard}]", "20.yaml")
    assert mistakes(tmp_path) == [
        f"20.yaml:1:16: destination `archive` is defined twice | {TWICE} {first}:2:3",
        f"20.yaml:2:16: rule `noise` is defined twice | {TWICE} {first}:5:12",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rules: [", "2:1: this is not valid YAML"),
        ("a: b: c", "1:5: this is not valid YAML"),
        ("\ttabs: 1", "not valid YAML"),
        ("rules: {}", "1:8: this must be a list"),
        ("- x", "1:1: this must be a mapping of keys to values"),
        ("colour: red", "1:1: `colour` is not a valid key here | write one of `default`"),
        ("rules: [{to: discard}]", "1:9: `name` is missing"),
        ("rules: [{name: a, to: discard, when: 5}]", "1:38: this must be a mapping of keys to values"),
        ("rules: [{name: a, to: []}]", "1:23: the list names no destination"),
        ("rules: [{name: a, match: mail*, to: discard}]", "1:26: `mail*` mixes a wildcard with text"),
        ("destinations: {a: {type: archive, keep: 5 fortnights}}", "is not a duration | write a number and s, m"),
        ("destinations: {a: {type: archive, keep: 5s}}", "`keep` is less than one day"),
        ("destinations: {a: {type: archive, path: '../{host}'}}", "1:41: the path must be relative"),
        ("destinations: {a: {type: archive, path: '{colour}'}}", "1:41: {colour} is not a placeholder"),
        ("destinations: {a: {dir: x}}", "1:19: the destination has no `type`"),
        ("timezone: Mars", "1:11: `Mars` is not a time zone"),
        ("rules: [{name: a, to: discard, when: {any: x}}]", "1:44: `any` must be a list"),
        ("timezone: !!python/name:os.system x", "1:11: `!!python/name:os.system x` is not a plain value"),
        ("rules: [{name: a, to: discard, severity: !!binary x}]", "1:42: "),
        ("rules: [{<<: {name: a}}]", "1:10: the merge key `<<` is not supported"),
    ],
)
def test_one_mistake(tmp_path: Path, text: str, says: str) -> None:
    assert any(says in mistake for mistake in mistakes(write(tmp_path, text)))


def test_files_that_are_not_text_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert mistakes(tmp_path / "binary.yaml") == [
        "binary.yaml: the file is not UTF-8: byte 0 is invalid | save it as UTF-8"
    ]
    assert mistakes(tmp_path / "absent.yaml") == ["absent.yaml: cannot read the file: No such file or directory"]
    (tmp_path / "empty").mkdir()
    assert "there are no rules here" in mistakes(tmp_path / "empty")[0]


def test_a_deep_alias_bomb_is_no_danger(tmp_path: Path) -> None:
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))
    assert any("more than 100000 values" in found for found in mistakes(write(tmp_path, f"a0: &a0 [x]\n{levels}")))


@pytest.mark.parametrize(
    ("text", "expected"), [("512", 512), (64, 64), ("64 KiB", 65536), ("1.5k", 1536), ("1GB", 10**9), ("1MiB", 1 << 20)]
)
def test_sizes(text: object, expected: int) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("10s", 10.0), ("500ms", 0.5), ("5 m", 300.0), ("90d", 7776000.0), ("2 W", 1209600.0)]
)
def test_durations(text: object, expected: float) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "-1", "1 elephant", "1e3", True, None, "10", [1]])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


def test_contains_takes_several(tmp_path: Path) -> None:
    rule = "rules: [{name: a, to: discard, when: {message: {contains: [x, y]}}}]"
    assert load_rules([write(tmp_path, rule)]).rules[0].condition == Contains("message", ("x", "y"))
