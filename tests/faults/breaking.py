"""How each kind of fault is brought about, and taken back.

In comes a Fault of the schedule; it is there on return of `break_`, has lasted as long as it should, and is over again,
save for armed points that were not reached yet. Out goes whether it came to pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pika
from mail_server import CUT, HANG, MailServer
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker
from rabbitmq_node import RabbitNode

from faults.disks import Disk
from faults.processes import Process
from faults.proxy import Fault as LinkFault
from faults.proxy import Link
from faults.schedule import RELOAD, Fault
from logrouter.broker.contract import EXCHANGE

_POLL = 0.05

_POINT_SECONDS = 4.0
"""For a process to start and come by its point; it stays armed beyond that."""

_QUEUE = "logrouter.main"

_UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


@dataclass
class Breaking:
    """All that can be broken. positions: the shipper's own.   write_rules: names the archive that `web` goes to."""

    processes: Mapping[str, Process]
    links: Mapping[str, Link]
    disks: Mapping[str, Disk]
    mail: MailServer
    node: RabbitNode | None
    positions: Path
    write_rules: Callable[[str], None]
    _moved: str = "archive"
    _older: bytes = b""

    @property
    def shipper(self) -> Process:
        """The process that follows the logs."""
        return self.processes.get("ship") or self.processes["up"]

    async def break_(self, fault: Fault) -> bool:
        """Bring it about, wait, take it back; whether it could be brought about."""
        ways: dict[str, Callable[[Fault], Awaitable[bool]]] = {
            "kill": self._kill,
            "point": self._die_at_point,
            "error": self._fail_at_point,
            "checkpoint": self._go_back,
            "pause": self._pause,
            "link": self._break_link,
            "full": self._fill,
            "limit": self._limit,
            "mail": self._trouble_mail,
            "rules": self._change_rules,
            "broker": self._kill_broker,
            "broker pause": self._pause_broker,
            "alarm": self._alarm_broker,
            "unbind": self._unbind,
            "delete": self._delete_queue,
            "purge": self._purge,
            "policy": self._cut_queue,
            "restore": self._set_back,
        }
        return await ways[fault.kind](fault)

    async def mend(self) -> None:
        """Nothing is to happen any more: whoever is still armed begins a new life."""
        for process in self.processes.values():
            if process.is_armed:
                await process.kill()

    async def _kill(self, fault: Fault) -> bool:
        await self.processes[fault.target].kill()
        return True

    async def _die_at_point(self, fault: Fault) -> bool:
        process = self.processes[fault.target]
        deaths = process.exits[-signal.SIGKILL]
        await process.kill(fault.detail)
        for _ in range(int(_POINT_SECONDS / _POLL)):
            if process.exits[-signal.SIGKILL] > deaths:
                return True
            await asyncio.sleep(_POLL)
        return False

    async def _fail_at_point(self, fault: Fault) -> bool:
        process = self.processes[fault.target]
        before = process.fired().total()
        await process.kill(fault.detail)
        await asyncio.sleep(fault.seconds)
        await process.kill()
        return process.fired().total() > before

    async def _go_back(self, fault: Fault) -> bool:
        """Start the shipper from the positions that it had before, if they know all files that it knows now."""
        process = self.processes[fault.target]
        for _ in range(10):
            older = self._read_positions()
            await asyncio.sleep(0.6)
            process.send(signal.SIGSTOP)
            now = self._read_positions()
            if older and older != now and _sources(older) == _sources(now):
                process.send(signal.SIGKILL)
                self.positions.write_bytes(older)
                await process.kill()
                return True
            process.send(signal.SIGCONT)
        return False

    async def _set_back(self, fault: Fault) -> bool:
        """Start the shipper on the whole of its state as it was a while ago: a snapshot of its machine."""
        process, directory = self.processes[fault.target], self.positions.parent
        snapshot = {path: path.read_bytes() for path in directory.glob("*.json")}
        if self.positions not in snapshot:
            return False
        await asyncio.sleep(fault.seconds)
        process.send(signal.SIGSTOP)
        for path, content in snapshot.items():
            path.write_bytes(content)
        await process.kill()
        return True

    def _read_positions(self) -> bytes:
        return self.positions.read_bytes() if self.positions.exists() else b""

    async def _pause(self, fault: Fault) -> bool:
        process = self.processes[fault.target]
        process.send(signal.SIGSTOP)
        await asyncio.sleep(fault.seconds)
        process.send(signal.SIGCONT)
        return True

    async def _break_link(self, fault: Fault) -> bool:
        link = self.links[fault.target]
        link.suffer(LinkFault(fault.detail))
        await asyncio.sleep(fault.seconds)
        link.mend()
        return True

    async def _fill(self, fault: Fault) -> bool:
        disk = self.disks[fault.target]
        if not await asyncio.to_thread(disk.fill):
            return False
        await asyncio.sleep(fault.seconds)
        await asyncio.to_thread(disk.empty)
        return True

    async def _limit(self, fault: Fault) -> bool:
        """No file may grow beyond so many bytes."""
        process = self.processes[fault.target]
        limit = int(fault.detail)
        pid = process.pid
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            await asyncio.sleep(fault.seconds)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, _UNLIMITED)
        return True

    async def _trouble_mail(self, fault: Fault) -> bool:
        verb, _, answer = fault.detail.partition(" ")
        known = {"hang": HANG, "cut": CUT}
        self.mail.answers[verb].extend([known.get(answer, answer)] * 1000)
        await asyncio.sleep(fault.seconds)
        self.mail.answers[verb].clear()
        return True

    async def _change_rules(self, fault: Fault) -> bool:
        self._moved = "second" if self._moved == "archive" else "archive"
        self.write_rules(self._moved)
        if fault.detail == RELOAD:
            await self.processes[fault.target].hang_up()
        else:
            await self.processes[fault.target].kill()
        return True

    async def _kill_broker(self, fault: Fault) -> bool:
        node = self._node
        await asyncio.to_thread(node.kill)
        await asyncio.to_thread(node.start)
        return True

    async def _pause_broker(self, fault: Fault) -> bool:
        self._node.pause()
        await asyncio.sleep(fault.seconds)
        self._node.resume()
        return True

    async def _alarm_broker(self, fault: Fault) -> bool:
        """Its memory runs short, as it thinks: it blocks whoever publishes."""
        control = self._node.control
        await asyncio.to_thread(control, "set_vm_memory_high_watermark", "0.00001")
        await asyncio.sleep(fault.seconds + 1)
        await asyncio.to_thread(control, "set_vm_memory_high_watermark", "absolute", "1GB")
        return True

    async def _unbind(self, fault: Fault) -> bool:
        return await asyncio.to_thread(self._administer, lambda channel: channel.queue_unbind(_QUEUE, EXCHANGE, "#"))

    async def _delete_queue(self, fault: Fault) -> bool:
        return await asyncio.to_thread(self._administer, lambda channel: channel.queue_delete(_QUEUE))

    async def _purge(self, fault: Fault) -> bool:
        """While the router takes nothing, so that there is something to be lost."""
        return await self._while_full(fault, lambda: self._administer(lambda channel: channel.queue_purge(_QUEUE)))

    async def _cut_queue(self, fault: Fault) -> bool:
        """A policy that leaves the queue its last message, for a moment."""

        def cut() -> bool:
            self._node.control("set_policy", "cut", f"^{_QUEUE}$", '{"max-length": 1}', "--apply-to", "queues")
            self._node.control("clear_policy", "cut")
            return True

        return await self._while_full(fault, cut)

    async def _while_full(self, fault: Fault, action: Callable[[], bool]) -> bool:
        """Stop the router for a while, and do this before it goes on."""
        process = self.processes[fault.target]
        process.send(signal.SIGSTOP)
        try:
            await asyncio.sleep(fault.seconds)
            return await asyncio.to_thread(action)
        finally:
            process.send(signal.SIGCONT)

    def _administer(self, action: Callable[[BlockingChannel], object]) -> bool:
        """Whether there was something to do that to."""
        try:
            with pika.BlockingConnection(pika.URLParameters(self._node.url)) as connection:
                action(connection.channel())
        except ChannelClosedByBroker:
            return False
        return True

    @property
    def _node(self) -> RabbitNode:
        assert self.node is not None  # by the schedule
        return self.node


def _sources(positions: bytes) -> set[str]:
    return {file["source"] for file in json.loads(positions)["files"]}
