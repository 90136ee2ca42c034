"""What a user gets wrong: status 2, what it is, where it is, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from acceptance.conftest import Command
from logrouter.ledger.ledger import Ledger

SIX = """\
destinations:
  archive: {type: archive, paht: x}
rules:
  - {name: a, match: "#.#.#", to: archive}
  - {name: a, severity: err, to: archvie}
  - {name: b, when: {message: {regex: "("}}, to: archive}
"""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ship", "--broker", "embedded"], "logrouter up"),
        (["run", "--broker", "embedded"], "logrouter up"),
        (["run", "--broker", "http://x"], "amqp://"),
        (["up", "--file", "nonsense"], "SERVICE=GLOB"),
        (["up", "--instance", "a b"], "queue names"),
        (["up", "--rules", "nowhere"], "nowhere"),
        (["check", "nowhere.yaml"], "nowhere.yaml"),
        (["nonsense"], "No such command"),
    ],
)
def test_usage(logrouter: Command, arguments: list[str], says: str) -> None:
    result = logrouter(*arguments)
    assert result.returncode == 2, result.stderr
    assert says in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "command", [["check", "bad.yaml"], ["up", "--rules", "bad.yaml"], ["run", "--rules", "bad.yaml"]]
)
def test_six_mistakes_in_one_file(logrouter: Command, tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "bad.yaml").write_text(SIX)
    result = logrouter(*command)
    assert result.returncode == 2
    for place in ("2:28", "4:22", "5:12", "5:25", "5:34", "6:39"):
        assert f"bad.yaml:{place}: " in result.stderr
    assert not (tmp_path / "state").exists()


def test_mistakes_in_shipper_files(logrouter: Command, tmp_path: Path) -> None:
    (tmp_path / "ship.yaml").write_text(
        "inputs:\n  - {service: a, fils: [x]}\n  - {service: b, files: [x], severity: warn}\n"
    )
    result = logrouter("up", "--config", "ship.yaml")
    assert result.returncode == 2
    assert "ship.yaml:2:18: `fils` is not a valid key here" in result.stderr
    assert "ship.yaml:3:25: 'x' is not an absolute path" in result.stderr
    assert "did you mean `warning`?" in result.stderr


def test_check_and_explain(logrouter: Command, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/a.yaml").write_text(
        "destinations: {archive: {type: archive}}\n"
        "rules:\n"
        "  - {name: noise, match: '*.*.debug', to: discard}\n"
        "  - {name: late, match: 'mail.*.err', to: archive}\n"
    )
    result = logrouter("check")
    assert result.returncode == 0
    assert "rules/a.yaml:4:5: rule `late`: `err` in mail.*.err is not a severity" in result.stdout
    assert "1 file: 2 rules" in result.stdout
    explained = logrouter("explain", "mail.mx1.debug", "--line", "x")
    assert "yes  noise  (rules/a.yaml:3:5): matches" in explained.stdout
    assert explained.stdout.endswith("mail.mx1.debug goes to discard\n")


def test_a_state_directory_in_use_names_its_holder(logrouter: Command, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "state")
    result = logrouter("run")
    ledger.close()
    assert result.returncode == 1
    assert "is held by process" in result.stderr
