"""From the address in a configuration to a broker, and what of it people may see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from logrouter.broker import connect, redacted
from logrouter.errors import UserError


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("amqp://host", "amqp://host"),
        ("amqp://user:secret@host:5672/vhost", "amqp://user@host:5672/vhost"),
        ("amqps://user:secret@[::1]:5671/%2Fv?cafile=/x", "amqps://user@[::1]:5671/%2Fv"),
        ("amqp://u:secret@a:1/v?heartbeat=5,b:2, c", "amqp://u@a:1/v,amqp://u@b:2/v,amqp://u@c/v"),
        ("amqp://u:secret@a/v,amqps://w:secret@b/x", "amqp://u@a/v,amqps://w@b/x"),
        ("amqp://u:se%2Cret@a,b", "amqp://u@a,amqp://u@b"),
    ],
)
def test_addresses_of_rabbitmq(url: str, name: str, tmp_path: Path) -> None:
    assert connect(url, tmp_path).name == name


def test_embedded_is_kept_in_the_state_directory(tmp_path: Path) -> None:
    assert str(tmp_path) in connect("embedded", tmp_path).name
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "Embedded",
        "host:5672",
        "http://user:secret@host",
        "amqp://",
        "amqp://user:secret@",
        "amqp://user:secret@host:port/",
        "amqp://user:secret",
        "amqp://user:secret/with,commas@host",
        "amqp://user:sec/secret@host",
        "amqp://user:secret@host:0",
        "amqp://user:secret@[::1/",
        "amqp://user:secret@a,",
        "amqp://user:secret@a,http://user:secret@b",
        "embedded,amqp://user:secret@host",
    ],
)
def test_anything_else_is_a_mistake_with_a_remedy_and_without_the_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        connect(url, tmp_path)
    assert "amqp://user:password@host:5672/vhost" in caught.value.remedy
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "amqp://user:secret@host",
        "amqp://user:sec@ret@host",
        "amqp://user:sec/secret@host/v",
        "amqp://user:x,secret@host",
        "amqp://user:secret",
        "user:secret@host",
        "amqp://user:?secret@host?password=secret",
        "amqp://host?password=secret",
    ],
)
def test_no_part_of_a_password_is_shown_however_it_is_written(url: str) -> None:
    assert "secret" not in redacted(url)
    assert "ret" not in redacted(url)


@pytest.mark.parametrize(("url", "absent"), [("embedded", "aio_pika"), ("amqp://host", "sqlite3")])
def test_only_the_engine_asked_for_is_loaded(url: str, absent: str) -> None:
    program = (
        f"import sys, pathlib, logrouter.broker as b; b.connect({url!r}, pathlib.Path('x')); print(sorted(sys.modules))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, check=True, capture_output=True, text=True)
    assert f"'{absent}'" not in done.stdout
