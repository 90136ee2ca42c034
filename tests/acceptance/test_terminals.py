"""Whatever a log, a name, a key, a path or a header says does nothing to a terminal, and begins no line of its own."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import unicodedata
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from acceptance.conftest import Command
from acceptance.terminal import Open, Terminal
from logrouter.broker import connect
from logrouter.broker.contract import EXCHANGE
from logrouter.support.terminal import printable
from logrouter.wire.batch import Part, to_message
from logrouter.wire.message import Message
from logrouter.wire.record import Record, encode_lines

HIDDEN = {
    character
    for character in map(chr, range(1, 0x110000))
    if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") and character not in "\t\n\r"
} | set("\u034f\u115f\u3164\uffa0\ufe00\U000e0100")
FAKE = "\n15:00:00 ERROR   fake\r"
EVIL = "".join(sorted(HIDDEN - {chr(code) for code in range(0x13430, 0xE0080)})) + "\x1b]0;own\x07\x1b[2J\x9b31m"
NAME = "\x01\x1b]0;x\x07\x7f\x9b2J\u2028\u202e\u200b\ufeff\U000e0041"
"""Of a file, a service or a host: the length of these is bounded."""

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def assert_harmless(shown: Terminal, *texts: str, drawn: bool = False) -> None:
    """It has shown these texts, and nothing else than text. drawn: but for what draws the summary of `up`."""
    seen = shown.seen if drawn else COLOUR.sub("", shown.raw)
    for text in texts:
        assert text in seen.replace("\r\n", "\n") or text in seen.replace("\r\n", "")
    assert not {letter for letter in seen.replace("\r", "") if letter in HIDDEN}
    assert "\x1b[2J" not in shown.raw
    assert not re.search(r"^15:00:00 ERROR   fake", seen, re.MULTILINE)


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    """A file: it and its path are as bad as can be."""
    directory = tmp_path / f"logs{FAKE}{NAME}"
    directory.mkdir()
    path = directory / f"a{FAKE}{NAME}.log"
    path.write_text(f"ERROR {EVIL}\tx\r\n  at {EVIL}\n", newline="")
    return path


FOLLOWED = ("--file", f"web{FAKE}{NAME}=*/a*.log", "--host", f"h{FAKE}{NAME}")


def test_what_archives_hold_and_an_audit_finds(terminal: Open, logrouter: Command, evil: Path, tmp_path: Path) -> None:
    result = logrouter("up", "--drain", *FOLLOWED)
    assert result.returncode == 0, result.stderr
    assert f"({printable(f'web{FAKE}{NAME}')} 2)" in result.stderr
    content = evil.read_bytes().decode()
    cat = terminal("cat")
    assert cat.end() == 0
    assert_harmless(cat, f"ERROR {printable(EVIL)}\tx\n  at {printable(EVIL)}\n")
    raw = terminal("cat", "--raw")
    assert raw.end() == 0
    assert raw.raw == content.replace("\n", "\r\n"), "each newline as a terminal has it"
    objects = terminal("cat", "--json")
    assert objects.end() == 0
    assert_harmless(objects)
    first = json.loads(objects.raw.splitlines()[0])
    assert (first["message"], first["host"]) == (f"ERROR {EVIL}\tx", f"h{FAKE}{NAME}")
    assert logrouter("cat").stdout == content.replace("\r", ""), "byte for byte where no terminal is"

    with closing(sqlite3.connect(tmp_path / "state/main.ledger")) as ledger, ledger:
        ledger.execute("UPDATE ranges SET stop = 10")
        ledger.execute("UPDATE notes SET note = 'none'")
    audit = terminal("audit")
    assert audit.end() == 1
    assert_harmless(audit, f"({printable(str(evil))}): ", "cannot read what destination mail gathered")
    objects = terminal("audit", "--json")
    assert objects.end() == 1
    assert_harmless(objects)
    assert json.loads(objects.raw)["sources"][0]["path"] == str(evil)


@pytest.mark.usefixtures("evil")
def test_what_would_be_shipped(terminal: Open) -> None:
    shown = terminal("ship", "--dry-run", *FOLLOWED)
    assert shown.end() == 0
    assert_harmless(shown, f".error\tERROR {printable(EVIL)}\tx\n")
    objects = terminal("ship", "--dry-run", "--json", *FOLLOWED)
    assert objects.end() == 0
    assert_harmless(objects)
    assert json.loads(objects.raw.splitlines()[0])["message"] == f"ERROR {EVIL}\tx"
    config = terminal("ship", "--print-config", *FOLLOWED)
    assert config.end() == 0
    assert_harmless(config)
    assert yaml.safe_load(config.raw)["inputs"][0]["service"] == f"web{FAKE}{NAME}"


def test_what_a_user_gets_wrong(terminal: Open, tmp_path: Path) -> None:
    evil, said = NAME + FAKE, printable(NAME + FAKE)
    name = f'"{said}"'  # as YAML has it
    (tmp_path / f"{FAKE}{NAME}.yaml").write_text(f"rules: [{{name: {name}, match: {name}, to: {name}}}]")
    first, second = (f'{{name: "{each}{said}", match: {name}, to: discard}}' for each in "ab")
    (tmp_path / "good.yaml").write_text(f"rules: [{first}, {second}]")
    tried = (
        (2, ("check", f"{FAKE}{NAME}.yaml"), f"there is no destination `{said}`"),
        (2, ("check", evil), printable(NAME)),
        (2, ("up", "--rules", evil), f"{said} does not exist"),
        (0, ("check", "good.yaml"), "warning: good.yaml:1:"),
        (0, ("explain", evil, "--line", evil), f"{said} goes to "),
        (0, ("explain", f"x.{evil}", "--rules", "good.yaml"), f"no   a{said}  ("),
        (2, (evil,), "No such command"),
        (2, (f"--{evil}",), printable(NAME)),
        (2, ("tail", "--severity", evil), "Invalid value"),
        (2, ("up", "--config", evil), printable(NAME)),
        (2, ("run", "--broker", evil), ""),
    )
    for shown, (status, _, says) in [(terminal(*each[1], columns=1000), each) for each in tried]:
        assert shown.end() == status, shown.raw
        assert_harmless(shown, says)
        assert "Traceback" not in shown.raw


def test_a_running_up(terminal: Open, evil: Path, tmp_path: Path) -> None:
    path = evil.rename(evil.with_name("a\udcff" + evil.name))
    up = terminal("up", *FOLLOWED, "--state", tmp_path / f"s{NAME}", columns=1000)
    up.wait_for(re.escape(f"from      {printable(f'web{FAKE}{NAME}')} 2"))
    path.write_text("INFO two\n")
    up.wait_for("file.rewritten: " + re.escape(printable(str(path))))
    assert up.interrupt() == 0
    assert_harmless(up, printable(f"s{NAME}"), drawn=True)


def test_what_is_listened_to(terminal: Open, tmp_path: Path) -> None:
    """Of ours and of others: keys, headers, properties and bodies."""
    path = tmp_path / "logs/a.log"
    path.parent.mkdir()
    path.touch()
    up = terminal("up", *FOLLOWED)
    up.wait_for("input.following")
    tails = [terminal("tail", columns=9000), terminal("tail", "--json", columns=9000)]
    for tail in tails:
        tail.wait_for("listening for #")

    record = Record(EVIL, f"s{NAME}", f"h{NAME}", EVIL, EVIL, "forged", 0, 1, app=EVIL, fields={EVIL: EVIL})
    forged = Part(
        "forged", 0, 0, 1, 0, ("s.h.error",), f"s{NAME}", f"h{NAME}", "error", 1, 0, 0, encode_lines([record])
    )  # fmt: skip

    async def publish() -> None:
        headers = {"x-logrouter-source": EVIL, f"x{EVIL}": EVIL}
        async with connect(f"unix:{tmp_path}/state/logrouter.sock", tmp_path / "state").session() as session:
            for key in (f"k{NAME}", f"k{FAKE}.h{NAME}.error"):
                await session.publish(EXCHANGE, Message(key, EVIL.encode(), headers=headers, app_id=EVIL))
            await session.publish(EXCHANGE, to_message(forged))
            broken = Message(f"b{NAME}", EVIL.encode(), type="logrouter.batch/1", content_type=EVIL, headers=headers)
            await session.publish(EXCHANGE, broken)

    path.write_text(f"ERROR {EVIL}\n")
    asyncio.run(publish())
    for tail in tails:
        tail.wait_for("tail.unreadable")
    ours, foreign = printable(f"web{FAKE}{NAME}@h{FAKE}{NAME}"), printable(f"k{NAME}@-")
    columns, objects = tails
    columns.wait_for(re.escape(ours))
    objects.wait_for('"service":"web')
    up.wait_for("message.dead")
    for each in (*tails, up):
        assert each.interrupt() == 0
    assert_harmless(columns, ours, foreign, printable(EVIL), printable(f"ERROR {EVIL}"), printable(f"s{NAME}@h{NAME}"))
    assert_harmless(objects)
    assert_harmless(up, drawn=True)
    records = [json.loads(line) for line in objects.raw.splitlines() if line.startswith("{")]
    assert {each["service"] for each in records} == {f"web{FAKE}{NAME}", f"k{NAME}", f"k{FAKE}", f"s{NAME}"}
    assert next(each["app"] for each in records if "app" in each) == EVIL
