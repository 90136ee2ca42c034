"""Syslog over real sockets -> a broker: every message once, however it comes, and what was dropped is counted."""

import asyncio
import errno
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from listening import connect, free, listening, taken, tcp, udp
from shipping import FaultyBroker, contents, records, routing, shipping

from logrouter.broker.embedded import EmbeddedBroker
from logrouter.observability.events import CLIENT_ENDED, CLIENTS_FULL, LISTEN_BEGUN, LISTEN_FAILED, SHED_OVER, SHEDDING
from logrouter.observability.metrics import CUT, KERNEL_DROPS, SHED
from logrouter.support.backoff import Backoff
from logrouter.wire.record import original
from shippers.input import Input, Syslog
from shippers.sources.syslog import listener as syslog_module
from shippers.sources.syslog import sockets as sockets_module
from shippers.sources.syslog import streams as streams_module

LAST = b"<22>Nov 22 13:00:00 mx postfix[1]: last\n"


async def test_a_datagram_is_a_message(tmp_path: Path) -> None:
    broker, address = FaultyBroker(), udp()
    async with listening(tmp_path, broker, udp=(address,)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"<22>Nov 22 13:00:00 mx1 postfix/smtpd[9]: two\nlines\xff", address)
            client.sendto(b"", address)
            client.sendto(b"plain", address)
        first, second = await taken(broker, 2)
    assert (first.host, first.app, first.severity, first.facility) == ("mx1", "postfix/smtpd", "info", "mail")
    assert original(first) == b"<22>Nov 22 13:00:00 mx1 postfix/smtpd[9]: two\nlines\xff\n"
    assert (second.host, second.message, second.severity) == ("web-1", "plain", "notice")


async def test_a_burst_of_datagrams_is_received_or_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 32: what was received and what the kernel dropped is what was sent."""
    monkeypatch.setattr(sockets_module, "_RECEIVE_BUFFER", 64 << 10)  # so that the kernel has to drop some
    monkeypatch.setattr(syslog_module, "_DROPS_EVERY", 0.05)
    broker, address = FaultyBroker(), udp()
    counter = KERNEL_DROPS.labels(f"udp 127.0.0.1:{address[1]}")
    async with listening(tmp_path, broker, udp=(address,)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            for number in range(10_000):
                client.sendto(b"<13>burst %d" % number, address)
                if number % 1000 == 0:
                    await asyncio.sleep(0)
        while sum(part.count for part in broker.parts) + counter._value.get() < 10_000:
            await asyncio.sleep(0.01)
    found = {record.message for record in records(broker.parts)}
    assert len(found) + counter._value.get() == 10_000
    assert counter._value.get() > 0


@pytest.mark.parametrize("size", [1, 2, 3, 5, 11, 1000])
async def test_frames_over_tcp_however_they_are_split(tmp_path: Path, size: int) -> None:
    """Case 27: counted octets in reads of any size, among lines."""
    broker, address = FaultyBroker(), tcp()
    stream = b"12 <13>one\ntwo!<14>three\n7 <15>7 xlast"
    async with listening(tmp_path, broker, tcp=(address,)):
        client = await connect(address)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(stream), size):
            await asyncio.get_running_loop().sock_sendall(client, stream[at : at + size])
        client.close()
        found = await taken(broker, 4)
    assert [original(record) for record in found] == [b"<13>one\ntwo!\n", b"<14>three\n", b"<15>7 x\n", b"last\n"]


async def test_ipv6(tmp_path: Path) -> None:
    broker = FaultyBroker()
    try:
        address = free(socket.SOCK_STREAM, "::1")
    except OSError:
        pytest.skip("no IPv6 here")
    async with listening(tmp_path, broker, tcp=(address,)):
        client = await connect(address)
        client.sendall(b"<13>six\n")
        (record,) = await taken(broker, 1)
        client.close()
    assert (record.message, record.host) == ("six", "web-1")


async def test_a_message_over_the_limit_is_cut_and_says_so(tmp_path: Path) -> None:
    """Case 29: also where a count is too large; each is counted, and what follows is whole."""
    broker, address, datagrams = FaultyBroker(), tcp(), udp()
    cut = CUT._value.get()
    async with listening(tmp_path, broker, count=2, tcp=(address,), udp=(datagrams,), max_line=100):
        client = await connect(address)
        client.sendall(b"<13>" + b"x" * 500 + b"\n<13>next\n400 <13>" + b"y" * 396 + b"<13>after\n")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.sendto(b"<13>" + b"\0" * 200, datagrams)
        found = await taken(broker, 5)
        client.close()
    assert CUT._value.get() == cut + 3
    lengths = {record.message[:1]: (record.fields or {}).get("cut", {}).get("length") for record in found}
    assert lengths == {"x": 504, "n": None, "y": 400, "a": None, "": 204}


async def test_nothing_more_is_read_from_a_stream_before_it_is_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, address = FaultyBroker(), tcp()
    full = True
    write = os.write

    def refuse(fd: int, content: bytes) -> int:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, content)

    monkeypatch.setattr("shippers.spool.spool.os.write", refuse)
    message = b"<13>" + b"x" * 995 + b"\n"
    async with listening(tmp_path, broker, tcp=(address,)):
        client = await connect(address)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)
        sending = asyncio.create_task(asyncio.get_running_loop().sock_sendall(client, message * 20_000))
        await asyncio.sleep(1)
        assert not sending.done()
        full = False
        await sending
        client.close()
        assert len(await taken(broker, 20_000)) == 20_000


@pytest.mark.parametrize("kind", ["unix", "unix_stream"])
async def test_unix_sockets_also_over_a_stale_file(tmp_path: Path, kind: str) -> None:
    """Case 30: both kinds, also where an earlier process left its file."""
    path = str(tmp_path / "log")
    socket_kind = socket.SOCK_DGRAM if kind == "unix" else socket.SOCK_STREAM
    stale = socket.socket(socket.AF_UNIX, socket_kind)
    stale.bind(path)
    stale.close()
    broker = FaultyBroker()
    places: dict[str, Any] = {kind: (path,)}
    async with listening(tmp_path, broker, **places):
        assert os.access(path, os.W_OK)
        with socket.socket(socket.AF_UNIX, socket_kind) as client:
            client.connect(path)
            client.sendall(b"<38>Nov 22 13:00:00 sshd[1]: by unix\0")
        (record,) = await taken(broker, 1)
    assert (record.message, record.app, record.host) == ("by unix", "sshd", "web-1")


async def test_the_directory_of_a_unix_socket_is_made_and_open_to_all(tmp_path: Path) -> None:
    path, broker = tmp_path / "run/logrouter/log.sock", FaultyBroker()
    earlier = os.umask(0o077)
    try:
        async with listening(tmp_path, broker, unix_stream=(str(path),)):
            assert path.parent.stat().st_mode & 0o777 == 0o755
            assert path.stat().st_mode & 0o777 == 0o666
    finally:
        os.umask(earlier)


@pytest.mark.parametrize("obstacle", ["port", "socket", "file"])
async def test_an_address_that_is_taken_is_said_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, obstacle: str
) -> None:
    monkeypatch.setattr(syslog_module, "_BACKOFF", Backoff(0.01, 0.01))
    said, broker, path = LISTEN_FAILED.count(), FaultyBroker(), tmp_path / "log"
    address = tcp()
    holder = socket.socket(socket.AF_INET if obstacle == "port" else socket.AF_UNIX)
    if obstacle == "file":
        path.write_text("not ours")
    else:
        holder.bind(address if obstacle == "port" else str(path))
        holder.listen()
    feed = Syslog(tcp=(address,)) if obstacle == "port" else Syslog(unix_stream=(str(path),))
    begun = LISTEN_BEGUN.count()
    async with shipping(broker, [Input("", feed=feed)], tmp_path / "state"):
        while LISTEN_FAILED.count() == said:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        assert (LISTEN_FAILED.count(), LISTEN_BEGUN.count()) == (said + 1, begun)
        holder.close()
        if obstacle == "file":
            assert path.read_text() == "not ours"
            path.unlink()
        while LISTEN_BEGUN.count() == begun:
            await asyncio.sleep(0.01)


async def test_where_no_more_connections_can_be_taken_those_that_are_there_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, address, said = FaultyBroker(), tcp(), LISTEN_FAILED.count()
    accept, is_full = streams_module.accept, asyncio.Event()

    def refuse(listener: socket.socket) -> tuple[socket.socket, object]:
        if is_full.is_set():
            raise OSError(errno.EMFILE, "Too many open files")
        connection = accept(listener)
        if LISTEN_FAILED.count() == said:
            is_full.set()
        return connection

    monkeypatch.setattr(streams_module, "accept", refuse)
    async with listening(tmp_path, broker, tcp=(address,)):
        first = await connect(address)
        second = await connect(address)
        while LISTEN_FAILED.count() == said:
            await asyncio.sleep(0.01)
        first.sendall(b"<13>first\n")
        second.sendall(b"<13>second\n")
        assert [record.message for record in await taken(broker, 1)] == ["first"]
        is_full.clear()
        assert [record.message for record in await taken(broker, 2)] == ["first", "second"]
        first.close()
        second.close()
    assert LISTEN_FAILED.count() == said + 1


def spooled(directory: Path) -> int:
    """Messages in the spools below a directory."""
    return sum(path.read_bytes().count(b"\n") for path in directory.rglob("*.spool"))


async def test_with_the_broker_down_the_spool_holds_it_and_then_it_is_exact(tmp_path: Path) -> None:
    """Case 33: then each message once."""
    broker, address = EmbeddedBroker(tmp_path / "broker"), tcp()
    sent = b"".join(b"<22>Nov 22 13:00:00 mx postfix[1]: message %d\n" % number for number in range(5000))
    async with listening(tmp_path, broker, tcp=(address,)):  # no router has been here: it holds
        client = await connect(address)
        await asyncio.get_running_loop().sock_sendall(client, sent)
        client.close()
        while spooled(tmp_path) < 5000:
            await asyncio.sleep(0.01)
    async with routing(broker) as parts, listening(tmp_path, broker, tcp=(address,)) as agent:
        client = await connect(address)
        await asyncio.get_running_loop().sock_sendall(client, LAST)
        client.close()
        while sum(part.count for part in parts) < 5001:
            await asyncio.sleep(0.01)
        assert await agent.drain() == []
    assert sum(part.count for part in parts) == 5001
    assert {(part.service, part.host, part.severity) for part in parts} == {("mail", "mx", "info")}
    assert b"".join(contents(parts)) in (sent + LAST, LAST + sent)


async def test_a_full_spool_sheds_datagrams_by_severity_and_makes_streams_wait(tmp_path: Path) -> None:
    """The broker takes nothing for a while: what came is kept up to the limit, and all of it arrives in the end."""
    answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    broker = FaultyBroker(lambda _: asyncio.shield(answered))
    datagrams, stream = udp(), tcp()
    before, begun, over = SHED.labels("debug")._value.get(), SHEDDING.count(), SHED_OVER.count()
    async with listening(tmp_path, broker, count=2, udp=(datagrams,), tcp=(stream,), max_spool=100_000):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            sent = 0
            while SHED.labels("debug")._value.get() < before + 10:
                client.sendto(b"<15>" + b"d" * 1000, datagrams)
                sent += 1
                await asyncio.sleep(0)
            for _ in range(3):
                client.sendto(b"<11>error", datagrams)
        writer = await connect(stream)
        lines_sent = b"".join(b"<14>%05d%s\n" % (number, b"s" * 1000) for number in range(2000))
        sending = asyncio.create_task(asyncio.get_running_loop().sock_sendall(writer, lines_sent))
        while not any(b"error" in path.read_bytes() for path in (tmp_path / "state").rglob("*.spool")):
            await asyncio.sleep(0.01)
        assert not sending.done() or sum(map(os.path.getsize, (tmp_path / "state").rglob("*.spool"))) < 1_000_000
        answered.set_result(None)
        await sending
        writer.close()
        while SHED_OVER.count() == over:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.sendto(b"<11>again", datagrams)
            await asyncio.sleep(0.02)
        shed = SHED.labels("debug")._value.get() - before
        found = await taken(broker, int(sent - shed) + 3 + 2000)
    assert SHEDDING.count() == begun + 1
    messages = [record.message for record in found]
    assert sum(message.startswith("d") for message in messages) == sent - shed
    assert messages.count("error") == 3
    assert len({message for message in messages if message.endswith("s" * 1000)}) == 2000


async def test_a_thousand_idle_clients_do_not_keep_others_out(tmp_path: Path) -> None:
    """Case 60: at the limit, who was quiet longest makes room, and what it had begun to say is kept."""
    broker, address, full = FaultyBroker(), tcp(), CLIENTS_FULL.count()
    async with listening(tmp_path, broker, tcp=(address,)):
        idle = [await connect(address)]
        idle[0].sendall(b"<13>half")
        idle += [await connect(address) for _ in range(999)]
        one, other = await connect(address), await connect(address)
        one.sendall(b"<13>one\n")
        other.sendall(b"<13>other\n")
        found = await taken(broker, 3)
        assert {record.message for record in found} == {"one", "other", "half"}
        assert CLIENTS_FULL.count() == full + 1
        idle[-1].sendall(b"<13>still here\n")
        await taken(broker, 4)
        for client in (*idle, one, other):
            client.close()


async def test_who_is_told_to_leave_is_still_listened_to(tmp_path: Path) -> None:
    """A device that writes just before it hears that it was idle for too long loses nothing."""
    broker, address, ended = FaultyBroker(), tcp(), CLIENT_ENDED.count()
    loop = asyncio.get_running_loop()
    async with listening(tmp_path, broker, tcp=(address,), idle_timeout=0.2):
        client = await connect(address)
        assert await loop.sock_recv(client, 10) == b""  # it was told
        client.sendall(b"<13>late\n<13>begun")
        assert [record.message for record in await taken(broker, 1)] == ["late"]
        client.close()
        assert [record.message for record in await taken(broker, 2)] == ["late", "begun"]
    assert CLIENT_ENDED.count() == ended + 1


async def test_what_clients_hold_of_messages_without_an_end_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 29: whoever holds more than a share is ended once all hold too much; what came is a record."""
    monkeypatch.setattr(streams_module, "MAX_INCOMPLETE", 200_000)
    broker, address = FaultyBroker(), tcp()
    loop = asyncio.get_running_loop()
    async with listening(tmp_path, broker, tcp=(address,), max_clients=4):
        small = await connect(address)
        small.sendall(b"<13>small")
        large = [await connect(address) for _ in range(3)]
        for client in large:
            await loop.sock_sendall(client, b"999999 <13>" + b"x" * 90_000)
        found = await taken(broker, 1)
        assert found[0].message.strip("x") == "999999 <13>"
        small.sendall(b" is whole\n")
        assert "small is whole" in {record.message for record in await taken(broker, 2)}
        for client in (small, *large):
            client.close()


async def test_without_a_host_both_families_are_listened_to(tmp_path: Path) -> None:
    try:
        free(socket.SOCK_STREAM, "::1")
    except OSError:
        pytest.skip("no IPv6 here")
    broker, (_, port) = FaultyBroker(), tcp()
    async with listening(tmp_path, broker, tcp=(("", port),)):
        for host in ("127.0.0.1", "::1"):
            client = await connect((host, port))
            client.sendall(host.encode() + b"\n")
            client.close()
        found = await taken(broker, 2)
    assert {(record.message, record.host) for record in found} == {("127.0.0.1", "web-1"), ("::1", "web-1")}
