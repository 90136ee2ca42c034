"""A record of Python's logging -> its message; the queue without a shipper; what the module needs."""

import asyncio
import json
import logging
import re
import socket
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import pytest

from logrouter import handler as module
from logrouter.handler import LogrouterHandler, conversation, message, socket_paths
from shippers.parse.framing import Frames
from shippers.parse.syslog import SyslogMessage, parse

FILE = Path(module.__file__)


def said(text: str = "x", **attributes: Any) -> SyslogMessage:
    """What is sent of a record, as its header states it; asserts that its length is right."""
    record = logging.makeLogRecord(
        {"created": 1_795_352_400.000001, "process": 7, "name": "n", "levelno": 20} | attributes
    )
    sent = message(record, text, "shop")
    (frame,) = Frames(10_000_000).feed(sent)
    found = parse(frame.content.decode())
    assert found.form == "rfc5424"
    return found


def fields_of(**extra: Any) -> dict[str, Any]:
    data = said(**extra).sd
    assert data is not None
    decoded: dict[str, Any] = json.loads(data[module.ELEMENT]["fields"])
    return decoded


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        *((10, "debug"), (20, "info"), (30, "warning"), (40, "error"), (50, "crit")),
        *((0, "debug"), (5, "debug"), (19, "debug"), (25, "info"), (39, "warning"), (49, "error"), (1000, "crit")),
    ],
)
def test_a_level_is_the_nearest_severity_below(level: int, severity: str) -> None:
    assert said(levelno=level).severity == severity


def test_the_header() -> None:
    found = said("text", name="shop.cart", levelno=20)
    assert (found.facility, found.time, found.host) == ("user", "2026-11-22T13:00:00.000001Z", None)
    assert (found.app, found.pid, found.msgid, found.sd, found.message) == ("shop", "7", "shop.cart", None, "text")


@pytest.mark.parametrize(
    ("name", "msgid"), [("a" * 40, "a" * 32), ("my app.é", "my_app._"), ("", None), ("\x00\x7f", "__")]
)
def test_a_loggers_name_is_made_to_fit(name: str, msgid: str | None) -> None:
    assert said(name=name).msgid == msgid


@pytest.mark.parametrize("text", ["", "two\nlines\n", '[not data] \\ "', "12 <14>1", "\0", "Zoë ✓", "\ufeffx"])
def test_a_text_stays_as_it_is(text: str) -> None:
    assert said(text).message == text


def test_a_text_that_is_no_unicode_can_still_be_read() -> None:
    assert said("\udcff").message == "\\udcff"
    assert fields_of(path="\udcff") == {"path": "\\udcff"}


def test_a_text_that_is_too_long_says_how_much_is_missing() -> None:
    found = said("é" + "x" * (9 << 20))
    assert len(found.message) < 9_000_000
    assert found.message.endswith(f"x... ({(1 << 20) + 2} bytes more)")


class Order:
    def __str__(self) -> str:
        return "order 17"


class Broken:
    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


def test_what_json_has_no_word_for_is_told_as_text() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    found = fields_of(order=Order(), inside=[Order()], nan=float("nan"), cycle=cycle, keys={(1, 2): 3}, broken=Broken())
    assert found == {
        "order": "order 17",
        "inside": ["order 17"],
        "nan": "nan",
        "cycle": "[[...]]",
        "keys": "{(1, 2): 3}",
        "broken": "<Broken>",
    }


def test_the_largest_fields_are_left_out_and_named() -> None:
    found = fields_of(small=1, large="x" * 50_000, larger="é" * 40_000, medium="m" * 10_000)
    assert found == {"small": 1, "large": "x" * 50_000, "medium": "m" * 10_000, "left_out": ["larger"]}
    many = {f"{'k' * 200}{number}": "v" * 1000 for number in range(1000)}
    assert len(json.dumps(fields_of(**many))) < 80_000


def test_a_conversation_is_that_of_the_context_or_of_the_call() -> None:
    assert said().sd is None
    token = conversation.set("c-1")
    try:
        assert said().sd == {module.ELEMENT: {"conversation": "c-1"}}
        assert said(conversation=17).sd == {module.ELEMENT: {"conversation": "17"}}
        assert said(conversation="c" * 5000).sd == {module.ELEMENT: {"conversation": "c" * 1024}}
    finally:
        conversation.reset(token)


@pytest.mark.parametrize(
    ("program", "name"),
    [
        *(("/srv/shop/manage.py", "manage"), ("/usr/bin/gunicorn", "gunicorn"), ("/x/shop/__main__.py", "shop")),
        *(("-c", "python"), ("", "python"), ("/x/my shop", "my_shop")),
    ],
)
def test_the_service_is_the_program_unless_it_is_given(
    monkeypatch: pytest.MonkeyPatch, program: str, name: str
) -> None:
    monkeypatch.setattr(sys, "argv", [program])
    assert LogrouterHandler().service == name
    assert LogrouterHandler("my shop").service == "my_shop"


def test_where_a_shipper_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGROUTER_SOCKET", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/u")
    host = "/run/logrouter/log.sock"
    assert socket_paths() == [host, "/run/user/1000/logrouter/log.sock", "/home/u/.local/state/logrouter/log.sock"]
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/r")
    monkeypatch.setenv("XDG_STATE_HOME", "/s")
    assert socket_paths() == [host, "/r/logrouter/log.sock", "/s/logrouter/log.sock"]
    monkeypatch.setenv("LOGROUTER_SOCKET", "/x.sock")
    assert socket_paths() == ["/x.sock"]


def test_without_a_shipper_it_keeps_so_many_and_counts_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = LogrouterHandler("shop", str(tmp_path / "none"), capacity=100)
    for number in range(250):
        handler.handle(logging.makeLogRecord({"levelno": 20, "msg": f"{number}"}))
    assert handler.dropped == 150
    handler.flush()
    assert handler.dropped == 150
    handler.close()
    assert handler.dropped == 250
    said = capsys.readouterr().err
    missing = f"{tmp_path}/none: No such file or directory"
    assert said == f"250 log records of shop were not sent because no shipper took them ({missing})\n"


def test_few_records_that_are_large_are_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_QUEUED", 100_000)
    monkeypatch.setattr(logging, "raiseExceptions", False)  # so that it closes without a word
    handler = LogrouterHandler("shop", str(tmp_path / "none"))
    for _ in range(50):
        handler.handle(logging.makeLogRecord({"levelno": 20, "msg": "x" * 10_000}))
    assert handler.dropped == 41
    handler.close()


def test_an_odd_record_does_not_reach_the_application(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = LogrouterHandler("shop", str(tmp_path / "none"))
    handler.handle(logging.makeLogRecord({"levelno": 20, "msg": "%d", "args": ("text",)}))
    handler.handle(logging.makeLogRecord({"levelno": 20, "created": float("nan")}))
    assert capsys.readouterr().err.count("--- Logging error ---") == 2
    handler.close()


async def test_a_loop_goes_on_while_nobody_reads(tmp_path: Path) -> None:
    """The socket is there and full: a send would block."""
    path = str(tmp_path / "s")
    connected = asyncio.Event()
    release = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # takes nothing until it is released
        await release.wait()
        reader._transport.resume_reading()  # type: ignore[attr-defined]
        taken.append(await reader.read())
        writer.close()

    taken: list[bytes] = []
    server = await asyncio.start_unix_server(serve, path)
    handler = LogrouterHandler("shop", path, capacity=1000)
    handler.handle(logging.makeLogRecord({"levelno": 20, "msg": "first"}))
    await connected.wait()
    count = 1
    while not handler.dropped:
        handler.handle(logging.makeLogRecord({"levelno": 20, "msg": f"{count} {'x' * 1000}"}))
        count += 1
    dropped = handler.dropped
    release.set()
    await asyncio.to_thread(handler.flush)
    await asyncio.to_thread(handler.close)
    while not taken:
        await asyncio.sleep(0.01)
    server.close()
    *texts, note = [parse(frame.content.decode()) for frame in Frames(10_000_000).feed(taken[0])]
    assert [text.message.split()[0] for text in texts] == ["first", *map(str, range(1, count - dropped))]
    assert note.message == f"{dropped} records were dropped because no shipper was there to take them"
    assert (note.severity, note.app) == ("warning", "shop")


def listener(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    opened = socket.socket(socket.AF_UNIX)
    opened.bind(str(path))
    opened.listen()
    return opened


def received(client: socket.socket, count: int) -> list[str]:
    """The next so many messages of a connection, which is left open."""
    frames, found = Frames(10_000_000), list[str]()
    while len(found) < count:
        found += [parse(frame.content.decode()).message for frame in frames.feed(client.recv(4096))]
    return found


def test_what_a_shipper_left_unread_is_sent_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "s"
    handler = LogrouterHandler("shop", str(path))
    with listener(path) as first:
        handler.handle(logging.makeLogRecord({"levelno": 20, "msg": "one"}))
        with first.accept()[0] as client:
            assert received(client, 1) == ["one"]
            while handler._sender._unread:
                time.sleep(0.01)
            for text in ("two", "three"):
                handler.handle(logging.makeLogRecord({"levelno": 20, "msg": text}))
                handler.flush()
    with listener(path) as second:
        handler.handle(logging.makeLogRecord({"levelno": 20, "msg": "four"}))
        with second.accept()[0] as client:
            assert received(client, 3) == ["two", "three", "four"]
            handler.close()
            assert client.recv(1) == b""


def test_what_a_shipper_has_read_is_not_sent_again(tmp_path: Path) -> None:
    path = tmp_path / "s"
    handler = LogrouterHandler("shop", str(path))
    with listener(path) as first:
        handler.handle(logging.makeLogRecord({"levelno": 20, "msg": "one"}))
        with first.accept()[0] as client:
            assert received(client, 1) == ["one"]
    with listener(path) as second:
        handler.handle(logging.makeLogRecord({"levelno": 20, "msg": "two"}))
        with second.accept()[0] as client:
            assert received(client, 1) == ["two"]
            handler.close()
            assert client.recv(1) == b""


def test_a_shipper_that_does_not_read_delays_the_end_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s"
    handler = LogrouterHandler("shop", str(path), flush_timeout=0.2)
    with listener(path):
        for _ in range(1000):
            handler.handle(logging.makeLogRecord({"levelno": 20, "msg": "x" * 1000}))
        handler.flush()
        handler.flush_timeout = 3600.0  # nor does closing wait again
        logging.shutdown([weakref.ref(handler)])
    assert re.fullmatch(
        r"\d+ log records of shop were not sent .* \(the shipper did not read them in time\)\n", capsys.readouterr().err
    )
    assert 0 < handler.dropped <= 1000


def test_a_closed_handler_connects_again(tmp_path: Path) -> None:
    path = tmp_path / "s"
    handler = LogrouterHandler("shop", str(path))
    with listener(path) as opened:
        for text in ("one", "two"):
            handler.handle(logging.makeLogRecord({"levelno": 20, "msg": text}))
            handler.close()
            with opened.accept()[0] as client:
                assert received(client, 1) == [text]


def test_without_a_thread_flush_sends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr("threading.Thread.start", refuse)
    path = tmp_path / "s"
    handler = LogrouterHandler("shop", str(path), flush_timeout=0.2)
    with listener(path) as opened:
        handler.handle(logging.makeLogRecord({"levelno": 20, "msg": "one"}))
        handler.close()
        with opened.accept()[0] as client:
            assert received(client, 1) == ["one"]
            assert client.recv(1) == b""
        for _ in range(1000):
            handler.handle(logging.makeLogRecord({"levelno": 20, "msg": "x" * 1000}))
        handler.close()  # nobody reads
    path.unlink()
    handler.handle(logging.makeLogRecord({"levelno": 20, "msg": "two"}))
    handler.flush_timeout = 3600.0
    handler.close()  # nobody listens
    unread, absent = capsys.readouterr().err.splitlines()
    assert unread.endswith("no shipper took them (the shipper did not read them in time)")
    assert (
        absent
        == f"1 log records of shop were not sent because no shipper took them ({path}: No such file or directory)"
    )


def test_the_standard_library_is_enough() -> None:
    """The file by itself, with neither site-packages nor the package around it."""
    code = f"""
import importlib.util, sys
before = set(sys.modules)
spec = importlib.util.spec_from_file_location("copied", {str(FILE)!r})
module = sys.modules["copied"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
loaded = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(*sorted(loaded - set(sys.stdlib_module_names)))
"""
    command = [sys.executable, "-S", "-I", "-c", code]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "copied\n"


def test_importing_it_from_the_package_loads_nothing_else_of_it() -> None:
    code = "import sys, logrouter.handler; print(*sorted(name for name in sys.modules if name.startswith('logrouter')))"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True, cwd=FILE.parents[1]).stdout
    assert loaded == "logrouter logrouter.handler\n"
