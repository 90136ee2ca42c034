"""What cannot be read twice -> a spool -> a broker: safe before it is published, in order, and gone when confirmed."""

import asyncio
import errno
import os
import socket
import sys
from pathlib import Path

import pytest
from listening import listening, taken, udp
from shipping import FaultyBroker, contents, lines, records, shipping

from logrouter.errors import PublishRefused
from logrouter.observability.events import SPOOL_FAILING, SPOOL_RESUMED
from logrouter.support.backoff import Backoff
from logrouter.wire.record import Record, decode_lines, original
from shippers.files.discovery import Origin
from shippers.files.generation import Generation, Tally
from shippers.files.reader import Reader
from shippers.input import Input, Stdin
from shippers.sources import stdin as stdin_module
from shippers.spool import spool as spool_module
from shippers.spool.spool import Spool

FEED_FOREVER = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from shippers.agent import Agent
from shippers.input import Input, Stdin
from shipping import FaultyBroker

async def main(directory):
    def take(message):
        with (directory / "taken").open("ab") as taken:
            taken.write(f"{message.headers['x-logrouter-source']} {message.body.hex()}\\n".encode())
    inputs = [Input("app", feed=Stdin())]
    await Agent(FaultyBroker(take), inputs, directory / "state", host="h").run(asyncio.Event())

asyncio.run(main(Path(sys.argv[1])))
"""


async def test_what_is_put_together_is_synced_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs: list[int] = []
    monkeypatch.setattr(os, "fdatasync", syncs.append)
    spool = Spool(tmp_path / "spool")
    await asyncio.gather(*(spool.put(b"%d\n" % number) for number in range(100)))
    assert len(syncs) == 1
    (segment,) = spool.segments
    assert segment.path.read_bytes() == b"".join(b"%d\n" % number for number in range(100))
    assert segment.synced == segment.path.stat().st_size
    await spool.close()


async def test_nothing_is_read_before_it_is_safe(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    await spool.put(b"safe\n")
    (segment,) = spool.segments
    with segment.path.open("ab") as file:
        file.write(b"not yet\n")
    fd = os.open(segment.path, os.O_RDONLY)
    reader = Reader(fd, str(segment.path), Input("app"), lambda: segment.synced, is_ours=True)
    generation = Generation(reader, str(segment.path), Origin(Input("app"), "spool", segment), 0.0, Tally())
    generation.source, generation.saved = segment.source, True
    window = generation.read(0.0)
    assert window is not None
    assert window.data == b"safe\n"
    assert generation.read(1.0) is None
    assert generation.checkpoint.prefix.length == 5
    segment.synced += 8
    window = generation.read(2.0)
    assert window is not None
    assert window.data == b"not yet\n"
    reader.close()
    await spool.close()


async def test_a_segment_that_is_large_enough_ends_with_a_line(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", size=101)
    await spool.put(lines(0, 8) + b"half")
    await spool.put(b" a line\nand half")
    await spool.close()
    kept = [segment.path.read_bytes() for segment in Spool(tmp_path / "spool").segments]
    assert kept == [lines(0, 8) + b"half a line\n", b"and half"]


async def test_each_start_begins_a_segment_and_names_are_never_used_again(tmp_path: Path) -> None:
    for number in range(3):
        spool = Spool(tmp_path / "spool")
        await spool.put(b"%d\n" % number)
        await spool.close()
    spool = Spool(tmp_path / "spool")
    assert [segment.path.read_bytes() for segment in spool.segments] == [b"0\n", b"1\n", b"2\n"]
    assert len({segment.source for segment in spool.segments}) == 3
    assert all(segment.closed for segment in spool.segments)


@pytest.mark.parametrize("failing", ["write", "fdatasync"])
async def test_a_disk_that_refuses_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    said = SPOOL_FAILING.count(), SPOOL_RESUMED.count()
    spool = Spool(tmp_path / "spool")
    await spool.put(b"one\n")

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, refuse)
        patch.setattr(spool_module, "_BACKOFF", Backoff(0.01, 0.01))
        promise = spool.put(b"two\n")
        while SPOOL_FAILING.count() == said[0]:
            await asyncio.sleep(0.01)
        assert not promise.done()
        patch.undo()
        await promise
    assert (SPOOL_FAILING.count(), SPOOL_RESUMED.count()) == (said[0] + 1, said[1] + 1)
    assert b"".join(segment.path.read_bytes() for segment in spool.segments) == b"one\ntwo\n"
    assert [segment.synced for segment in spool.segments if segment.synced] == [4, 4]
    await spool.close()


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> int:
    """A pipe in place of standard input; the end to write to."""
    reader, writer = os.pipe()
    copy = stdin_module.copy
    monkeypatch.setattr(stdin_module, "copy", lambda _, spool: copy(reader, spool))
    return writer


def segments(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "state" / "spool").glob("*/*.spool"))


async def test_many_segments_are_sent_in_order_and_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stdin: int
) -> None:
    monkeypatch.setattr(Spool.__init__, "__defaults__", (100_000,))
    broker = FaultyBroker()
    async with shipping(broker, [Input("app", feed=Stdin())], tmp_path / "state") as agent:
        draining = asyncio.create_task(agent.drain())
        for number in range(0, 50_000, 1000):
            await asyncio.to_thread(os.write, stdin, lines(number, number + 1000))
        while sum(part.count for part in broker.parts) < 50_000:
            await asyncio.sleep(0.01)
        await asyncio.wait({draining}, timeout=2)  # time enough to end all the same
        assert not draining.done()
        os.write(stdin, b"no newline")
        os.close(stdin)
        assert await draining == []
        (progress,) = agent.progress()
        assert (progress.service, progress.lines_confirmed, progress.bytes_behind) == ("app", 50_001, 0)
        while segments(tmp_path):
            await asyncio.sleep(0.01)
    sent = [record for part in broker.parts for record in records([part])]
    assert b"".join(original(record) for record in sent) == lines(0, 50_000) + b"no newline"
    assert len({part.source for part in broker.parts}) > 1


async def test_a_later_start_sends_what_an_earlier_one_left(tmp_path: Path, stdin: int) -> None:
    refusing = FaultyBroker(lambda _: PublishRefused("full"))
    os.write(stdin, b"ERROR one\ntwo")
    os.close(stdin)
    settings = Input("app", host="pinned", severity="debug", feed=Stdin())
    async with shipping(refusing, [settings], tmp_path / "state"):
        while len(refusing.parts) < 2:
            await asyncio.sleep(0.01)
    broker = FaultyBroker()
    async with shipping(broker, [], tmp_path / "state") as agent:
        assert await agent.drain() == []
    assert contents(broker.parts) == [b"ERROR one\ntwo"]
    assert {(part.service, part.host, part.severity) for part in broker.parts} == {
        ("app", "pinned", "error"),
        ("app", "pinned", "debug"),
    }
    assert {part.source for part in broker.parts} == {part.source for part in refusing.parts}
    async with shipping(broker, [], tmp_path / "state") as agent:
        assert await agent.drain() == []
        assert agent.progress() == []
    assert list((tmp_path / "state" / "spool").iterdir()) == []
    assert sum(part.count for part in broker.parts) == 2


async def test_a_segment_names_the_one_before_it_that_an_earlier_process_deleted(tmp_path: Path) -> None:
    broker, address = FaultyBroker(), udp()
    for life in range(2):
        async with listening(tmp_path, broker, udp=(address,)):
            with socket.socket(type=socket.SOCK_DGRAM) as client:
                client.sendto(b"<13>life %d" % life, address)
            await taken(broker, life + 1)
        assert segments(tmp_path) == []
    first, second = broker.parts
    assert (first.after, second.after) == (None, (first.source, first.to))


async def test_a_segment_that_comes_back_is_known_and_goes_again(tmp_path: Path, stdin: int) -> None:
    os.write(stdin, lines(0, 10))
    broker = FaultyBroker()
    async with shipping(broker, [Input("app", feed=Stdin())], tmp_path / "state"):
        while not broker.published:
            await asyncio.sleep(0.01)
        (segment,) = segments(tmp_path)
        held = segment.read_bytes()
    assert segments(tmp_path) == []
    segment.write_bytes(held)  # as after a power cut that undoes its deletion
    async with shipping(broker, [], tmp_path / "state") as agent:
        assert await agent.drain() == []
    assert segments(tmp_path) == []
    assert sum(part.count for part in broker.parts) == 10
    os.close(stdin)


async def test_after_kill_9_all_that_was_safe_comes_under_the_same_source(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.touch()
    here = Path(__file__).parents[1]
    command = (sys.executable, "-c", FEED_FOREVER, str(tmp_path), str(here.parent), str(here))
    sent = [lines(number * 1000, number * 1000 + 1000) for number in range(3)]
    for content in sent:
        earlier = set(segments(tmp_path))
        shipper = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)
        assert shipper.stdin is not None
        shipper.stdin.write(content)
        try:
            while sum(path.stat().st_size for path in set(segments(tmp_path)) - earlier) < len(content):
                assert shipper.returncode is None
                await asyncio.sleep(0.001)
        finally:
            shipper.kill()
            await shipper.wait()
            shipper.stdin.close()
    broker = FaultyBroker()
    async with shipping(broker, [], tmp_path / "state") as agent:
        assert await agent.drain() == []
    bodies = [line.split() for line in taken.read_text().splitlines()]
    bodies += [[part.source, part.body.hex()] for part in broker.parts]
    sources: dict[str, dict[int, Record]] = {}
    for source, body in bodies:
        sources.setdefault(source, {}).update({record.pos: record for record in decode_lines(bytes.fromhex(body))})
    found = [b"".join(original(once[pos]) for pos in sorted(once)) for once in sources.values()]
    assert sorted(found) == sent
