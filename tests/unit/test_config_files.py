"""Whatever a configuration file holds, and whatever stands in its place: a clear mistake with a place, soon."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.app.rule_files import load_checked
from logrouter.config import nodes
from logrouter.config.mistakes import ConfigError
from logrouter.config.rules import load_rules
from logrouter.config.shippers import load_inputs
from logrouter.config.when import Equals

LEVELS = "\n".join(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 2000))


def said(load: Callable[[list[Path]], object], path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load([path])
    return str(caught.value).replace("\n    ", " | ")


@pytest.mark.parametrize("load", [load_rules, load_inputs])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: &a {b: *a}", "1:11: the alias `*a` refers to a value that contains it"),
        ("&a [x, [*a]]", "1:9: the alias `*a` refers to a value that contains it"),
        ("a: *b", "1:4: the alias `*b` has no anchor | define `&b` above it"),
        ("a: " + "[" * 5000 + "]" * 5000, " nest"),
        ("a: " + "[" * 500 + "]" * 500, "1:67: this is nested more than 64 levels deep"),
        ("{a: " * 5000 + "}" * 5000, "1:254: this is nested more than 64 levels deep"),
        ("a:\n" + "".join(f"{' ' * n}a:\n" for n in range(1, 900)), "64:64: this is nested more than 64 levels deep"),
        (f"a0: &a0 [x]\n{LEVELS}", "63:12: this is nested more than 64 levels deep"),
        ("[" * 1_000_000, " nest"),
        (f"[{'a,' * 200_000}]", "1:2000: the file has more than 1000 values"),
        ("\n".join(f"k{n}: 1" for n in range(60_000)), "500:7: the file has more than 1000 values"),
        ("a: [\x01]", r"1:5: YAML does not allow the character '\x01'"),
        ("- x\n- \0", r"2:3: YAML does not allow the character '\x00'"),
        ("--- a\n--- b\n", "2:1: a second YAML document begins here | remove the `---`, or write two files"),
        ("%YAML 3.0\n---\na: b\n", "1:1: this is not valid YAML: "),
        ("a: '\\0'\nb: \"\\0\"", "2:4: this text contains a NUL or half of a surrogate pair"),
        ('"a\\0": 1', "1:1: this text contains a NUL or half of a surrogate pair"),
        ('a: "\\ud800"', "1:7: this is not valid YAML: "),
        ("a: !!binary aGk=", "1:4: `!!binary aGk=` is not a plain value | remove the tag, or quote the text"),
        ("a: !!set {x}", "1:4: `!!set` is not a plain value"),
        ("a: !!python/object/apply:os.system [x]", "1:4: `!!python/object/apply:os.system` is not a plain value"),
        ("a: !!int ''", "1:4: `!!int` is not a plain value"),
        ("a: !!bool x", "1:4: `!!bool x` is not a plain value"),
        ("a: " + "9" * 5000, f"1:4: the number `{'9' * 40}...` is out of range | quote it if it is text"),
        ("a: 0x" + "f" * 100_000, "1:4: the number `0xffff"),
        ("a: " + "1:1" * 100_000, "1:1: `a` is not a valid key here"),
        ("a: -.inf", "1:4: the number `-.inf` is out of range"),
        ("a: .NaN", "1:4: the number `.NaN` is out of range"),
        ("a: 1.0e+400", "1:4: the number `1.0e+400` is out of range"),
        ("<<: {a: 1}", "1:1: the merge key `<<` is not supported | write out the keys that it merges"),
        ("? [a]\n: b", "1:3: a key must be plain text, not a list or a mapping"),
        ("a: 1\na: 2", "2:1: the key `a` appears twice | remove one of them; the first is at "),
        ("a: 1\n\tb: 2", "indent with spaces"),
        ("\n".join(f"k{n}: 1" for n in range(2000)), " more mistakes from here on"),
    ],
)
def test_a_text_is_a_mistake_with_a_place(
    tmp_path: Path, load: Callable[[list[Path]], object], text: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "more than 1000 values" in says:
        monkeypatch.setattr(nodes, "MAX_VALUES", 1000)  # to come to 100,000 takes a second
    path = tmp_path / "x.yaml"
    path.write_bytes(text.encode())
    assert says in said(load, path)


@pytest.mark.parametrize("load", [load_rules, load_inputs])
def test_what_is_no_file_is_said_to_be_none(tmp_path: Path, load: Callable[[list[Path]], object]) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").symlink_to("/dev/zero")
    (tmp_path / "c.yaml").mkdir()
    (tmp_path / "d.yaml").symlink_to("d.yaml")
    (tmp_path / "e.yaml").write_bytes(b"# and so on\n" * 500_000)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "f.yaml"))
    lines = said(load, tmp_path).splitlines()[1:]
    assert [line.removeprefix(f"{tmp_path}/") for line in lines] == [
        "a.yaml: cannot read the file: it is a pipe, not a file",
        "b.yaml: cannot read the file: it is a device, not a file",
        "c.yaml: cannot read the file: it is a directory",
        "d.yaml: cannot read the file: Too many levels of symbolic links",
        "e.yaml: cannot read the file: it is larger than 4 MiB",
        "f.yaml: cannot read the file: it is a socket, not a file",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("destinations: {a: {type: archive, keep: 10000y}}", "1:41: 10000y is too long | write at most 100y"),
        (f"destinations: {{a: {{type: archive, keep: '{'9' * 5000}d'}}}}", "1:41: 9999"),
        ("destinations: {a: {type: archive, keep: 1e400}}", "1:41: '1e400' is not a duration"),
        ("destinations: {a: {type: archive, rotate: 9999999 TiB}}", "is too large | write at most 1024 TiB"),
        ('destinations: {a: {type: archive, dir: "/x\\0"}}', "1:40: this text contains a NUL"),
        (f"destinations: {{a: {{type: archive, dir: /{'x' * 256}}}}}", "1:40: a name in this path is longer than 255"),
        ("destinations: {m: {type: email, to: a@b.c, server: 'file:', max_per_hour: 1:1:1:1:1:1:1:1:1:1:1:1:1}}",
         "is out of range"),
        (f"timezone: {'x' * 5000}", "is not a time zone"),
        ("rules: [{name: 5, to: discard}]", "1:16: this must be text | quote it"),
    ],
)  # fmt: skip
def test_a_value_is_out_of_reach(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    message = said(load_rules, path)
    assert says in message
    assert len(message) < 2000


@pytest.mark.parametrize("address", ["a..b:514", f"{'x' * 64}:514"])
def test_an_address_that_cannot_be_asked_for(tmp_path: Path, address: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f'syslog: {{udp: "{address}"}}')
    assert f"1:15: '{address}' is not an address" in said(load_inputs, path)


def test_a_certificate_that_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "key.pem")
    path = tmp_path / "x.yaml"
    path.write_text(f'syslog: {{tls: "127.0.0.1:6514", certificate: {tmp_path}/key.pem}}')
    assert "key.pem: it is a pipe, not a file" in said(load_inputs, path)


def test_a_text_that_looks_like_something_else_is_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(
        "rules: [{name: 2026-11-22, to: discard, when: {pid: [007, 1.10, 1_0, 12:30, 5, 0.5, 2026-1-1, =]}}]"
    )
    (rule,) = load_rules([path]).rules
    assert rule.name == "2026-11-22"
    assert rule.condition == Equals("pid", ("007", "1.10", "1_0", "12:30", "5", "0.5", "2026-1-1", "="))


_WORDS = st.sampled_from(
    [
        *("rules", "destinations", "default", "timezone", "name", "match", "severity", "when", "to", "continue"),
        *("examples", "miss", "type", "archive", "discard", "email", "dir", "path", "keep", "rotate", "format", "text"),
        *("{service}/{date}", "any", "all", "not", "regex", "contains", "message", "fields.a", "inputs", "files"),
        *("service", "syslog", "udp", "tcp", "unix", "journal", "units", "first_read", "redact", "pattern", "with"),
        *("multiline", "begins", "flush", "services", "presets", "preset", "nginx", "max_line", "exclude", "[z-a]"),
        *("a.*.error", "#.#.#", "/x/*.log", "127.0.0.1:5", "1h", "1 MiB", "true", "~", "-1", "1e400", "(", "", "\\"),
    ]
)
_SCALARS = _WORDS | st.text(max_size=8) | st.integers() | st.floats() | st.booleans() | st.none()
_DATA = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS, inner, max_size=5), max_leaves=30
)


def _written(data: object) -> str:
    """As YAML in one line; whatever is no JSON is left as Python writes it."""
    match data:
        case dict():
            return f"{{{', '.join(f'{_written(key)}: {_written(value)}' for key, value in data.items())}}}"
        case list():
            return f"[{', '.join(map(_written, data))}]"
        case str():
            return '"' + data.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case _:
            return str(data)


@given(_DATA.map(_written) | st.text(alphabet="abr:-[]{}&*!#|>'\"%@`,?<= \n\t0.\0\ud7ff", max_size=60))
def test_no_configuration_ends_in_anything_but_mistakes(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    for load in (load_checked, load_inputs):
        with contextlib.suppress(ConfigError):
            load([path])
