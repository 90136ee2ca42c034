"""Syslog by TLS from real clients: every message once, and whoever does not do their part holds nobody up."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from listening import connect, listening, taken, tcp
from mail_server import make_certificate
from shipping import FaultyBroker

from logrouter.observability.events import TLS_FAILED, TLS_READ, TLS_UNREAD
from logrouter.wire.record import original
from shippers.input import Address
from shippers.sources.syslog import connections as connections_module


def paths(directory: Path) -> dict[str, Any]:
    """A certificate and its key."""
    directory.mkdir(exist_ok=True)
    make_certificate(directory)
    return {"certificate": f"{directory}/certificate.pem", "key": f"{directory}/key.pem"}


def trusting(certificate: str | Path, own: dict[str, Any] | None = None) -> ssl.SSLContext:
    """A client's context."""
    context = ssl.create_default_context(cafile=certificate)
    if own:
        context.load_cert_chain(own["certificate"], own["key"])
    return context


async def client(address: Address, context: ssl.SSLContext) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection(*address, ssl=context, server_hostname="localhost")
    return writer


async def end(*writers: asyncio.StreamWriter) -> None:
    for writer in writers:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_both_framings_by_tls(tmp_path: Path, version: ssl.TLSVersion) -> None:
    """Case 28: as RFC 5425 has it, and with newlines."""
    files, broker, address = paths(tmp_path), FaultyBroker(), tcp()
    context = trusting(files["certificate"])
    context.minimum_version = context.maximum_version = version
    large = b"<14>" + b"y" * 200_000
    async with listening(tmp_path, broker, tls=(address,), **files):
        writer = await client(address, context)
        writer.write(b"12 <13>one\ntwo!<14>three\n%d %slast" % (len(large), large))
        await end(writer)
        found = await taken(broker, 4)
    assert [original(record) for record in found] == [b"<13>one\ntwo!\n", b"<14>three\n", large + b"\n", b"last\n"]


async def test_older_versions_are_refused(tmp_path: Path) -> None:
    files, broker, address = paths(tmp_path), FaultyBroker(), tcp()
    context = trusting(files["certificate"])
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    async with listening(tmp_path, broker, tls=(address,), **files):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await client(address, context)


async def test_clients_must_show_what_the_ca_has_signed(tmp_path: Path) -> None:
    server, known, stranger = (paths(tmp_path / name) for name in ("server", "known", "stranger"))
    broker, address, failed = FaultyBroker(), tcp(), TLS_FAILED.count()
    async with listening(tmp_path, broker, tls=(address,), **server, client_ca=known["certificate"]):
        for own in (None, stranger):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await _forge(address, trusting(server["certificate"], own))
        writer = await client(address, trusting(server["certificate"], known))
        writer.write(b"<13>known\n")
        assert [record.message for record in await taken(broker, 1)] == ["known"]
        await end(writer)
    assert TLS_FAILED.count() == failed + 1  # the second of a minute is only counted


async def _forge(address: Address, context: ssl.SSLContext) -> None:
    """By TLS 1.3 it is only with the first read that a client hears of being refused."""
    reader, writer = await asyncio.open_connection(*address, ssl=context, server_hostname="localhost")
    try:
        writer.write(b"<13>forged\n")
        if await reader.read() == b"":
            raise ConnectionResetError
    finally:
        writer.transport.abort()


async def test_who_never_ends_a_handshake_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "_HANDSHAKE_SECONDS", 0.5)
    files, broker, address = paths(tmp_path), FaultyBroker(), tcp()
    async with listening(tmp_path, broker, tls=(address,), **files):
        silent, plain = await connect(address), await connect(address)
        plain.sendall(b"<13>not by TLS\n")
        writer = await client(address, trusting(files["certificate"]))
        writer.write(b"<13>served\n")
        assert [record.message for record in await taken(broker, 1)] == ["served"]
        assert await asyncio.get_running_loop().sock_recv(silent, 1) == b""
        for each in (silent, plain):
            each.close()
        await end(writer)


async def test_a_renewed_certificate_is_used_and_a_broken_one_is_not(tmp_path: Path) -> None:
    files, renewed = paths(tmp_path / "old"), paths(tmp_path / "new")
    broker, address, unread, read = FaultyBroker(), tcp(), TLS_UNREAD.count(), TLS_READ.count()
    old = trusting(shutil.copy(files["certificate"], tmp_path / "first.pem"))
    async with listening(tmp_path, broker, tls=(address,), **files):
        shutil.copy(__file__, files["certificate"])
        await end(await client(address, old))
        assert (TLS_UNREAD.count(), TLS_READ.count()) == (unread + 1, read)
        for name, path in renewed.items():
            shutil.copy(path, files[name])
        await end(await client(address, trusting(renewed["certificate"])))
        with pytest.raises(ssl.SSLError):
            await client(address, old)
    assert (TLS_UNREAD.count(), TLS_READ.count()) == (unread + 1, read + 1)


async def test_an_idle_client_is_told_and_what_it_sends_meanwhile_is_kept(tmp_path: Path) -> None:
    files, broker, address = paths(tmp_path), FaultyBroker(), tcp()
    async with listening(tmp_path, broker, tls=(address,), **files, idle_timeout=0.3):
        loop = asyncio.get_running_loop()
        message = await loop.run_in_executor(None, _late, address, trusting(files["certificate"]))
        (record,) = await taken(broker, 1)
    assert original(record) == message


def _late(address: Address, context: ssl.SSLContext) -> bytes:
    """A client that writes once it has been told that it was idle."""
    message = b"<13>late\n"
    with socket.create_connection(address) as plain, context.wrap_socket(plain, server_hostname="localhost") as secured:
        assert secured.recv(1) == b""
        secured.sendall(message)
    return message


async def test_nothing_more_is_read_before_it_is_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read ahead of the spool is one read, TLS or not."""
    files, broker, address = paths(tmp_path), FaultyBroker(), tcp()
    safe = asyncio.Event()
    put = connections_module.ClientConnection.receive
    read = 0

    async def counted(self: Any) -> bytes:
        nonlocal read
        content = await put(self)
        read += len(content)
        return content

    async def held(*_: Any) -> None:
        await safe.wait()

    monkeypatch.setattr(connections_module.ClientConnection, "receive", counted)
    monkeypatch.setattr("shippers.spool.load_shedding.LoadShedding.room", held)
    async with listening(tmp_path, broker, tls=(address,), **files):
        writer = await client(address, trusting(files["certificate"]))
        writer.write(b"".join(b"<13>%06d%s\n" % (number, b"x" * 1000) for number in range(20_000)))
        while not broker.parts:
            await asyncio.sleep(0.01)
        assert 0 < read <= 2 * connections_module.READ
        safe.set()
        await writer.drain()
        await end(writer)
        assert len(await taken(broker, 20_000)) == 20_000
