"""Applications that log by `logrouter.handler` into `logrouter up`: what the archive has, and what is counted."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from corpus import read_archive

from acceptance.conftest import PROGRAM
from logrouter.wire.record import Record

Run = Callable[..., subprocess.Popen[str]]

SETUP = """\
import logging, sys
from logrouter.handler import LogrouterHandler, conversation, flush_all
handler = LogrouterHandler("shop", capacity=2000)
logging.basicConfig(level=logging.DEBUG, handlers=[handler])
log = logging.getLogger("shop.cart")
"""

DOCUMENTED = re.findall(
    r"```python\n(.*?)```", (Path(__file__).parents[2] / "docs/inputs.md").read_text(encoding="utf-8"), re.DOTALL
)
"""The setups of docs/inputs.md: three lines, dictConfig, structlog, conversation."""


@pytest.fixture
def surroundings(tmp_path: Path, environment: dict[str, str]) -> dict[str, str]:
    """The environment of applications and shipper: both find one socket by it."""
    (tmp_path / "in.yaml").write_text("syslog: {unix_stream: default}")
    (tmp_path / "rules.yaml").write_text("destinations: {archive: {type: archive}}\ndefault: archive\n")
    return environment | {
        "LOGROUTER_SOCKET": str(tmp_path / "run/log.sock"),
        "PYTHONWARNINGS": "error::ResourceWarning",
    }


@pytest.fixture
def application(tmp_path: Path, surroundings: dict[str, str]) -> Iterator[Run]:
    """Start a program written here; it is ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def run(code: str) -> subprocess.Popen[str]:
        path = tmp_path / f"application{len(started)}.py"
        path.write_text(code)
        process = subprocess.Popen(
            [sys.executable, str(path)],
            cwd=tmp_path,
            env=surroundings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def up(tmp_path: Path, surroundings: dict[str, str]) -> Callable[[], contextlib.AbstractContextManager[None]]:
    """`logrouter up`, once it listens; stopped behind."""

    @contextlib.contextmanager
    def run() -> Iterator[None]:
        command = [str(PROGRAM), "up", "--config", "in.yaml", "--rules", "rules.yaml", "--host", "w1"]
        with (tmp_path / "up.log").open("ab") as said:
            process = subprocess.Popen(command, cwd=tmp_path, env=surroundings, stderr=said)
        try:
            while "listening on" not in (tmp_path / "up.log").read_text():
                assert process.poll() is None, (tmp_path / "up.log").read_text()
                time.sleep(0.01)
            yield
        finally:
            process.terminate()
            process.wait(20)

    return run


Up = Callable[[], contextlib.AbstractContextManager[None]]


def archived(tmp_path: Path, count: int) -> list[Record]:
    """The records of the archive, once there are so many."""
    while len(found := read_archive(tmp_path / "state/archive")) < count:
        time.sleep(0.05)
    assert len(found) == count, [record.message for record in found]
    return found


def ended(process: subprocess.Popen[str]) -> str:
    """What a program said on stdout, once it has ended well without a word on stderr."""
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    return out


def test_all_of_a_record_arrives(tmp_path: Path, up: Up, application: Run) -> None:
    code = """
log.debug("plain %d", 1)
log.info("Zoë ✓\\nsecond line", extra={"order": 17, "tags": ["a", {"b": None}], "who": 'Zoë "]\\\\'})
conversation.set("c-17")
log.warning("in a conversation")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("it failed", extra={"conversation": "c-18", "path": __import__("pathlib").Path("/x")})
log.critical("last")
"""
    with up():
        process = application(SETUP + code)
        ended(process)
        found = {record.severity: record for record in archived(tmp_path, 5)}
    for record in found.values():
        assert (record.service, record.host, record.app, record.msgid) == ("shop", "w1", "shop", "shop.cart")
        assert (record.pid, record.sd, record.severity_from) == (str(process.pid), None, "stated")
    plain, info, warning, error, crit = (found[name] for name in ("debug", "info", "warning", "error", "crit"))
    assert (plain.message, plain.fields, plain.conversation) == ("plain 1", None, None)
    assert info.message == "Zoë ✓\nsecond line"
    assert info.fields == {"order": 17, "tags": ["a", {"b": None}], "who": 'Zoë "]\\'}
    assert (warning.conversation, warning.fields) == ("c-17", None)
    assert (error.conversation, error.fields) == ("c-18", {"path": "/x"})
    assert error.message.startswith("it failed\nTraceback (most recent call last):\n")
    assert error.message.endswith("ZeroDivisionError: division by zero")
    assert crit.conversation == "c-17"


def test_while_no_shipper_is_there_it_keeps_what_fits_and_counts_the_rest(
    tmp_path: Path, up: Up, application: Run
) -> None:
    code = """
for number in range(5000):
    log.info("%d", number)
print(handler.dropped, flush=True)
sys.stdin.readline()
log.info("after")
"""
    process = application(SETUP + code)
    assert process.stdout is not None
    assert process.stdout.readline() == "3000\n"
    with up():
        archived(tmp_path, 2001)
        process.stdin.write("\n")  # type: ignore[union-attr]  # it is a pipe
        ended(process)
        found = sorted(archived(tmp_path, 2002), key=lambda record: record.pos)
    *kept, note, after = found
    assert [record.message for record in kept] == [str(number) for number in range(2000)]
    assert (note.message, note.severity) == (
        "3000 records were dropped because no shipper was there to take them",
        "warning",
    )
    assert after.message == "after"


def test_a_program_that_ends_hands_over_all(tmp_path: Path, up: Up, application: Run) -> None:
    with up():
        ended(application(SETUP + "for number in range(1000):\n    log.info('%d', number)\n"))
        found = sorted(archived(tmp_path, 1000), key=lambda record: record.pos)
    assert [record.message for record in found] == [str(number) for number in range(1000)]


def test_a_program_that_ends_without_a_shipper_says_what_it_leaves(application: Run) -> None:
    _, err = application(SETUP + "log.info('one'); log.info('two')").communicate(timeout=60)
    assert re.fullmatch(
        r"2 log records of shop were not sent because no shipper took them \(\S+/run/log.sock: .*\)\n", err
    )


def test_processes_forked_off_have_connections_of_their_own(tmp_path: Path, up: Up, application: Run) -> None:
    code = """
import multiprocessing, os, threading

def work(name):
    for number in range(500):
        log.info("%s %d", name, number)

if __name__ == "__main__":
    log.info("before")
    noise = threading.Thread(target=work, args=("thread",))
    noise.start()
    child = os.fork()
    if child == 0:
        work("child")
        flush_all()
        os._exit(0)
    process = multiprocessing.get_context("fork").Process(target=work, args=("process",))
    process.start()
    work("parent")
    process.join()
    os.waitpid(child, 0)
    noise.join()
    print(os.getpid(), child, process.pid)
"""
    with up():
        parent, child, process = ended(application(SETUP + code)).split()
        found = sorted(archived(tmp_path, 2001), key=lambda record: record.pos)
    for name, pid in (("thread", parent), ("parent", parent), ("child", child), ("process", process)):
        of_one = [record for record in found if record.message.startswith(name)]
        assert [record.message for record in of_one] == [f"{name} {number}" for number in range(500)]
        assert {record.pid for record in of_one} == {pid}


def test_a_shipper_that_comes_again_is_found_again(tmp_path: Path, up: Up, application: Run) -> None:
    code = """
for line in sys.stdin:
    log.info(line.strip())
    print("logged", flush=True)
"""
    process = application(SETUP + code)
    assert process.stdin is not None
    assert process.stdout is not None
    for number in range(3):
        process.stdin.write(f"away {number}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "logged\n"
        (tmp_path / "up.log").write_text("")
        with up():
            process.stdin.write(f"there {number}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "logged\n"
            archived(tmp_path, 2 * number + 2)
    ended(process)


def test_the_setups_of_the_documentation(tmp_path: Path, up: Up, application: Run) -> None:
    three_lines, dict_config, structlog, told = DOCUMENTED
    assert len([line for line in three_lines.splitlines() if line]) == 3
    log = "logging.getLogger('a.b').info('%s', 'hello', extra={'order': 17})\n"
    bound = """
structlog.contextvars.bind_contextvars(conversation="c-17")
log = structlog.get_logger("a.b").bind(order=17)
log.info("%s", "hello")
log.debug("below")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("hello")
"""
    with up():
        ended(application(three_lines + told + log))
        ended(
            application(f"import logging, logging.config\n{dict_config}{told}logging.config.dictConfig(LOGGING)\n{log}")
        )
        ended(application(three_lines + structlog + bound))
        found = archived(tmp_path, 4)
    assert [record.message.splitlines()[0] for record in found] == ["hello"] * 4
    told_of = {(record.service, record.msgid, record.conversation, json.dumps(record.fields)) for record in found}
    assert told_of == {("shop", "a.b", "c-17", '{"order": 17}')}
    (failed,) = [record for record in found if record.severity == "error"]
    assert failed.message.endswith("ZeroDivisionError: division by zero")
