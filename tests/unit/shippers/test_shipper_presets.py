"""`preset`, `redact`, `conversation` in shippers/*.yaml: what they come to, and every mistake with its place."""

from pathlib import Path

import pytest
import yaml

from logrouter.cli.print_config import as_yaml
from logrouter.config.mistakes import ConfigError
from logrouter.config.shippers import FilesModel, load_inputs
from logrouter.config.text_settings import PRESETS
from logrouter.wire.record import CONVERSATION
from shippers.encode.text import UNREDACTED, Refining
from shippers.input import Input
from shippers.parse.trace_id import Conversation
from shippers.redact import sensitive
from shippers.redact.redaction import Own, Redaction
from shippers.settings import from_models

SHIPPED = Path(__file__).parents[3] / "shippers"

KNOWN = "apache auth docker go haproxy java kubernetes mongodb mysql nginx node postfix postgresql python redis sshd"

BAD = """\
inputs:
  - {preset: ngnix}
  - {preset: python}
  - {preset: nginx, redact: emial}
  - files: [/x]
    redact: [card, {patern: x}, {pattern: '('}, {pattern: 'x*'}, 3, {}, {preset: ip, pattern: x}]
  - {files: [/x], conversation: abc}
  - {files: [/x], conversation: 3}
  - {files: [/x], conversation: '(('}
  - {files: [/x], first_read: some}
  - {preset: nginx, fils: [/x]}
  - {preset: [x]}
  - null
presets: {broken: 3, nested: {preset: nginx}}
"""

MISTAKES = (
    "2:14: there is no preset `ngnix`\n    did you mean `nginx`?",
    "3:14: preset `python` does not say where the files are\n    add `files`",
    "4:29: `emial` is not a kind of text to redact\n    did you mean `email`?",
    "6:21: `patern` is not a valid key here\n    did you mean `pattern`?",
    "6:43: the pattern is invalid",
    "6:59: the pattern 'x*' matches empty text",
    "6:66: this must be",
    "6:69: this must be either a name or a pattern",
    "6:73: this must be either a name or a pattern",
    "7:33: the pattern 'abc' has no group",
    "8:33: `conversation` must be field names",
    "9:33: the pattern is invalid",
    "10:31: 'some' is not a size",
    "11:21: `fils` is not a valid key here\n    did you mean `files`?",
    "12:14: there is no preset `['x']`\n    write one of `apache`",
    "13:5: this must be",
    "14:19: preset `broken` must be an input",
    "14:30: preset `nested` must be an input",
)


def load(path: Path, text: str) -> list[Input]:
    path.write_text(text)
    return from_models(load_inputs([path], SHIPPED / "20-services.yaml", SHIPPED / "presets.yaml"))


def test_every_mistake_has_its_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load(tmp_path / "bad.yaml", BAD)
    for mistake in MISTAKES:
        assert f"{tmp_path}/bad.yaml:{mistake}" in str(error.value)
    assert len(error.value.mistakes) == len(MISTAKES)


def test_every_shipped_preset_is_an_input_when_it_has_files() -> None:
    presets = yaml.safe_load((SHIPPED / "presets.yaml").read_text())["presets"]
    assert sorted(presets) == KNOWN.split()
    for preset in presets.values():
        model = FilesModel.model_validate({"files": ["/x"], **preset})
        assert model.service or model.format != "lines"  # a container has a name


def test_what_stands_beside_a_preset_overrides_it(tmp_path: Path) -> None:
    text = "inputs:\n  - preset: nginx\n  - {preset: nginx, service: shop, first_read: all, fields: true}\n"
    plain, own = load(tmp_path / "a.yaml", text)
    assert (plain.service, plain.globs, plain.read_from) == ("web", ("/var/log/nginx/*.log",), 1 << 20)
    assert (own.service, own.globs, own.read_from, own.refining.fields) == ("shop", plain.globs, "start", True)


def test_presets_of_ones_own_add_to_the_others_and_take_their_place(tmp_path: Path) -> None:
    text = "presets: {a: {files: [/a]}, nginx: {files: [/n]}}\ninputs: [{preset: a}, {preset: nginx}, {preset: redis}]"
    assert [each.globs[0] for each in load(tmp_path / "a.yaml", text)] == ["/a", "/n", "/var/log/redis/*.log"]


def test_the_shipped_directory_holds_presets_and_no_input_of_them() -> None:
    assert len(load_inputs([SHIPPED]).inputs) == len(load_inputs([SHIPPED / "10-system.yaml"]).inputs)


def test_what_is_said_of_texts(tmp_path: Path) -> None:
    text = """\
inputs:
  - {files: [/a]}
  - {files: [/a], redact: card, conversation: false}
  - {syslog: {udp: ":514"}, fields: true, redact: [ip, {pattern: a, with: ''}, {pattern: b}], conversation: [x]}
  - {files: [/a], conversation: 'job (\\d+)'}
"""
    assert [each.refining for each in load(tmp_path / "a.yaml", text)] == [
        UNREDACTED,
        Refining(Redaction(("card",)), conversation=Conversation(())),
        Refining(Redaction(("ip", Own("a", ""), Own("b"))), fields=True, conversation=Conversation(("x",))),
        Refining(conversation=Conversation((), r"job (\d+)")),
    ]


def test_names_are_the_same_on_both_sides() -> None:
    assert set(PRESETS) == set(sensitive.PRESETS)
    assert Conversation().names == CONVERSATION


def test_what_was_understood_can_be_read_back_in(tmp_path: Path) -> None:
    text = """\
services: {mail: [postfix]}
inputs:
  - {files: [/a, "/b/**/*.log"], max_line: 3 KiB, first_read: 1000001, exclude: ["*.x"], severity: notice}
  - {preset: nginx, redact: [card, {pattern: 'a"b: #', with: x}], host: "ö"}
  - {preset: postfix}
  - {files: [/c], conversation: false, max_line: 0}
  - {syslog: {udp: ":514", tcp: ["[::1]:514", "h:1"], unix: /s, unix_stream: [/t]}, max_spool: 2 GiB}
"""
    first = load(tmp_path / "a.yaml", text)
    shown = as_yaml(load_inputs([tmp_path / "a.yaml"], None, SHIPPED / "presets.yaml"), "h1")
    again = load(tmp_path / "b.yaml", shown)
    assert [(each.host or "h1") if each.globs else "" for each in first] == [each.host for each in again]
    for one, other in zip(first, again, strict=True):
        assert one.services.programs == other.services.programs
        for name in ("service", "globs", "severity", "read_from", "max_line", "exclude", "feed", "refining"):
            assert getattr(one, name) == getattr(other, name)
    assert as_yaml(load_inputs([tmp_path / "b.yaml"]), "h2") == shown
    assert "max_line: 3 KiB" in shown
    assert "first_read: all" in shown
