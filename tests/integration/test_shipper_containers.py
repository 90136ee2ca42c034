"""Log files of container engines: what the program wrote, under the container's name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shipping import Reader, add, records

from logrouter.wire.record import Record, original
from shippers.encode.windows import parts
from shippers.input import Input
from shippers.parse.container_formats import CRI, DOCKER, unwrap
from shippers.parse.multiline import Joining
from shippers.sources.containers import container_of

ID = "3f4a" * 16
TRACE = ["Traceback (most recent call last):", '  File "a.py", line 1', "ValueError: no"]


def docker(text: str, *, stream: str = "stdout", second: int = 0, **more: object) -> bytes:
    entry = {"log": text, "stream": stream, "time": f"2026-11-22T13:00:{second:02}.123456789Z", **more}
    return json.dumps(entry).encode() + b"\n"


def cri(text: bytes, *, stream: str = "stdout", tag: str = "F") -> bytes:
    return f"2026-11-22T13:00:00.5+01:00 {stream} {tag} ".encode() + text + b"\n"


def reading(tmp_path: Path, pattern: str, wrapping: str, **settings: object) -> Reader:
    joining = Joining(wrapping=wrapping, **(settings or {"is_only_wrapped": True}))  # type: ignore[arg-type]
    return Reader(tmp_path, Input("", (f"{tmp_path}/{pattern}",), "h", joining=joining))


def shipped(reader: Reader) -> list[Record]:
    return records(part for window, settings in reader.windows for part in parts(window, settings, 1.8e9))


@pytest.fixture
def docker_log(tmp_path: Path) -> Path:
    directory = tmp_path / "containers" / ID
    directory.mkdir(parents=True)
    labels = {"com.docker.compose.service": "shop", "tier": "front"}
    config = {"Name": "/web-shop-1", "Config": {"Image": "shop:3", "Labels": labels}, "State": {"Pid": 7}}
    (directory / "config.v2.json").write_text(json.dumps(config))
    return directory / f"{ID}-json.log"


def test_docker(tmp_path: Path, docker_log: Path) -> None:
    reader = reading(tmp_path, "containers/*/*-json.log", DOCKER)
    add(docker_log, docker('{"level":"error","msg":"refused"}\n', stream="stderr", attrs={"tag": "x"}))
    add(docker_log, docker("a" * 16384) + docker("b" * 10 + "\n") + docker("INFO plain\r\n", second=7))
    reader.turn(0.1)
    first, long, last = shipped(reader)
    assert (first.service, first.severity, first.message) == ("shop", "error", '{"level":"error","msg":"refused"}')
    assert first.ts == "2026-11-22T13:00:00.123456789Z"
    assert first.fields == {
        "container": {
            "name": "web-shop-1", "id": ID[:12], "image": "shop:3",
            "labels": {"com.docker.compose.service": "shop", "tier": "front"},
        },
        "stream": "stderr", "attributes": {"tag": "x"},
    }  # fmt: skip
    assert long.message == "a" * 16384 + "b" * 10
    assert (long.lines or [])[0] == long.pos
    assert (last.severity, last.message, last.ts) == ("info", "INFO plain", "2026-11-22T13:00:07.123456789Z")
    assert [original(each) for each in (first, last)] == [b'{"level":"error","msg":"refused"}\n', b"INFO plain\r\n"]


def test_a_piece_waits_for_the_rest(tmp_path: Path, docker_log: Path) -> None:
    reader = reading(tmp_path, "containers/*/*-json.log", DOCKER)
    add(docker_log, docker("one\n") + docker("half"))
    reader.turn(0.1)
    assert [record.message for record in shipped(reader)] == ["one"]
    add(docker_log, docker(" whole\n"))
    reader.turn(0.1)
    assert [record.message for record in shipped(reader)] == ["one", "half whole"]


def test_a_trace_in_a_container_is_one_record(tmp_path: Path, docker_log: Path) -> None:
    reader = reading(tmp_path, "containers/*/*-json.log", DOCKER, traces=("python",))
    add(docker_log, b"".join(docker(f"{line}\n") for line in ["ERROR failed", *TRACE, "INFO go on"]))
    reader.turn(0.1)
    reader.turn(2.0)
    assert [record.message for record in shipped(reader)] == ["\n".join(["ERROR failed", *TRACE]), "INFO go on"]


def test_kubernetes_by_the_links_to_its_files(tmp_path: Path) -> None:
    pods = tmp_path / "pods" / "shop_web-7d9f_1234-5678" / "nginx"
    pods.mkdir(parents=True)
    (tmp_path / "containers").mkdir()
    link = tmp_path / "containers" / f"web-7d9f_shop_nginx-{ID}.log"
    link.symlink_to(pods / "0.log")
    reader = reading(tmp_path, "containers/*.log", CRI)
    add(pods / "0.log", cri(b"be", tag="P") + cri(b"gun") + cri(b"caf\xe9", stream="stderr") + b"odd line\n" + cri(b""))
    reader.turn(0.1)
    begun, odd_bytes, odd_line, empty = shipped(reader)
    assert (begun.service, begun.message, begun.ts) == ("nginx", "begun", "2026-11-22T12:00:00.5Z")
    container = {"name": "nginx", "pod": "web-7d9f", "namespace": "shop"}
    assert begun.fields == {"container": container, "stream": "stdout"}
    assert original(odd_bytes) == b"caf\xe9\n"
    assert (odd_line.message, odd_line.fields) == ("odd line", {"container": container})
    assert empty.message == ""


def test_a_link_alone_tells_the_names() -> None:
    path = f"/var/log/containers/web-7d9f_shop_nginx-{ID}.log"
    assert container_of(path, CRI) == {"name": "nginx", "pod": "web-7d9f", "namespace": "shop", "id": ID[:12]}
    assert container_of("/var/log/other.log", CRI) == {}


def test_docker_without_its_own_files_is_called_by_its_id() -> None:
    path = f"/var/lib/docker/containers/{ID}/{ID}-json.log.1"
    assert container_of(path, DOCKER) == {"name": ID[:12], "id": ID[:12]}


@given(st.binary().map(lambda line: line.replace(b"\n", b"")), st.sampled_from([DOCKER, CRI]))
def test_a_line_that_is_not_wrapped_is_kept(line: bytes, wrapping: str) -> None:
    assert unwrap(line, wrapping).content == line or unwrap(line, wrapping).stream or wrapping == DOCKER


@pytest.mark.parametrize("line", [b"", b"{}", b'{"log":5}', b'{"log":"a\\ud800"}', b"\xff", b"[" * 5000, b'{"log":"x'])
def test_what_is_no_entry_of_docker_is_its_own_content(line: bytes) -> None:
    assert unwrap(line, DOCKER) == (line, "", "", False, None)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n")))
def test_what_docker_wraps_is_had_back(text: str) -> None:
    assert unwrap(docker(text + "\n").removesuffix(b"\n"), DOCKER).content == text.encode()


def test_the_two_streams_of_a_program_are_kept_apart(tmp_path: Path) -> None:
    (tmp_path / "containers").mkdir()
    log = tmp_path / "containers" / f"web_shop_nginx-{ID}.log"
    reader = reading(tmp_path, "containers/*.log", CRI, traces=("python",))
    add(log, cri(b"aaaa-", tag="P") + cri(b"boom", stream="stderr") + cri(b"bbbb"))
    add(log, b"".join(cri(line.encode(), stream="stderr") for line in TRACE[:2]) + cri(b"GET /"))
    reader.turn(0.1)
    reader.turn(2.0)
    said = [(record.message, (record.fields or {})["stream"]) for record in shipped(reader)]
    assert said == [
        ("aaaa-", "stdout"), ("boom", "stderr"), ("bbbb", "stdout"),
        ("\n".join(TRACE[:2]), "stderr"), ("GET /", "stdout"),
    ]  # fmt: skip
