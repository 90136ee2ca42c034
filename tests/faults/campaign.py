"""The campaign: real processes write, ship and route while faults come as scheduled; then all is compared.

In comes a Plan, out goes a Report. Whatever was broken is put right at the end of the schedule; then there is a bounded
wait until everything written has arrived, one fresh line is written to each log, and the decompressed archives are held
against the journals of the writers.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mail_server import Received

from faults import writers
from faults.breaking import Breaking
from faults.connections import not_received, placed
from faults.oracle import judge, lines_of
from faults.processes import PROGRAM
from faults.report import Audit, Fired, Report
from faults.schedule import LOSING, Fault, make_schedule
from faults.surroundings import CUT, PROMISED, WIRE, Plan, surroundings
from faults.watching import Ledger, read_archive, size_below

_SETTLED = 5.0
"""Seconds without a line archived, after which no more is under way."""

_PUT_OFF = 75.0
"""Seconds for which a mail may wait to be tried again, and a few to deliver it."""

_GROUP = re.compile(r"^ERROR  (\w+)@h1  (\d+) records?$", re.MULTILINE)


async def run(plan: Plan) -> Report:
    """Run it. Raises OSError, RuntimeError when it cannot be set up."""
    async with surroundings(plan) as (breaking, logs):
        return await Campaign(plan, breaking, logs).run()


class Campaign:
    """One run, set up."""

    def __init__(self, plan: Plan, breaking: Breaking, logs: Sequence[writers.Log]) -> None:
        self._plan = plan
        self._breaking = breaking
        self._logs = logs
        self._ledger = Ledger(plan.directory / "state" / "main.ledger")
        self._spool = 0
        self._fired: list[Fired] = []

    async def run(self) -> Report:
        """The whole of it."""
        processes = list(self._breaking.processes.values())
        for process in processes:
            process.start()
        await self._breaking.shipper.until_said("input.empty")  # a log that was rotated before is none of its own
        writing = [await _start(log) for log in self._logs]
        beside = [asyncio.create_task(self._ledger.watch()), asyncio.create_task(self._sample())]
        try:
            await self._break_as_scheduled()
            await self._breaking.mend()
            await asyncio.gather(*(_tell(each, "stop") for each in writing))
            arrived = await self._arrived(self._plan.quiet)
            if self._plan.mode == LOSING:  # what comes twice after a set-back counts as arrived, and hides what lacks
                await self._ledger.until(lambda: False, self._plan.quiet)
            await self._ledger.until(lambda: False, _SETTLED)
            sent, received = await asyncio.to_thread(self._kept, WIRE), self._ledger.archived(WIRE)
            await asyncio.gather(*(_tell(each, "fresh") for each in writing))
            quiet = self._plan.quiet if arrived else 10.0
            arrived = await self._arrived(quiet) and arrived
            received += await asyncio.to_thread(self._kept, WIRE) - sent
            arrived = await self._ledger.until(lambda: self._ledger.archived(WIRE) >= received, quiet) and arrived
            await self._ledger.until(lambda: False, _SETTLED)  # what is too much may come late as well
            await self._mailed()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            for each in writing:
                if each.stdin is not None:
                    each.stdin.close()
                await each.wait()
            for process in processes:
                await process.stop()
        audit = await asyncio.to_thread(self._audit)
        report = await asyncio.to_thread(self._judge, arrived, audit)
        if not report.is_good:
            await asyncio.to_thread(self._keep)
        return report

    async def _break_as_scheduled(self) -> None:
        """Each fault in a task of its own: they overlap, save those on one target."""
        plan = self._plan
        begin = time.monotonic()
        busy: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

        async def break_it(fault: Fault) -> None:
            async with busy[fault.target]:
                if time.monotonic() > begin + plan.seconds:
                    return  # it waited for another one too long
                began = time.time()
                fired = await self._breaking.break_(fault)
                self._fired.append(Fired(fault, began, time.time(), fired))

        under_way = []
        for fault in make_schedule(plan.seed, plan.seconds, plan.mode, is_long=plan.is_long):
            await asyncio.sleep(max(0.0, begin + fault.at - time.monotonic()))
            under_way.append(asyncio.create_task(break_it(fault)))
        await asyncio.sleep(max(0.0, begin + plan.seconds - time.monotonic()))
        await asyncio.gather(*under_way)

    async def _mailed(self) -> None:
        """Wait for mail that a fault has put off: it is tried again after a minute."""
        deadline = time.monotonic() + _PUT_OFF
        while ".retry." in (await asyncio.to_thread(self._audit)).words and time.monotonic() < deadline:
            await asyncio.sleep(2.0)

    async def _sample(self) -> None:
        while True:
            for process in self._breaking.processes.values():
                process.sample()
            self._spool = max(self._spool, size_below(self._plan.directory / "state" / "shipper" / "spool"))
            await asyncio.sleep(0.2)

    def _journals(self) -> dict[str, bytes]:
        directory = self._plan.directory / "journal"
        return {path.name: path.read_bytes() for path in directory.iterdir() if path.suffix != ".times"}

    async def _arrived(self, quiet: float) -> bool:
        """Wait until so many lines have arrived as were written; to be called only while nobody writes."""
        kept = await asyncio.to_thread(self._kept, *PROMISED)
        return await self._ledger.until(lambda: self._ledger.archived(*PROMISED) >= kept, quiet)

    def _kept(self, *services: str) -> int:
        """Lines of services that the rules archive."""
        return sum(
            writers.is_kept(line)
            for name, content in self._journals().items()
            if name.startswith(services)
            for _, line in lines_of(content)
        )

    def _audit(self) -> Audit:
        directory = self._plan.directory
        options: list[str | Path] = ["--state", directory / "state", "--rules", directory / "rules"]
        if self._breaking.node is not None:
            options += ["--broker", self._breaking.node.url]
        audit = subprocess.run([PROGRAM, "audit", *options], capture_output=True, text=True, check=False)
        return Audit(audit.returncode, audit.stdout + audit.stderr)

    def _keep(self) -> None:
        """Copy what is on disks of this campaign, which go with it: for whoever wants to know what went wrong."""
        for name in ("archive", "state"):
            shutil.copytree(self._plan.directory / name, self._plan.directory / f"{name}.kept")

    def _judge(self, arrived: bool, audit: Audit) -> Report:
        journals = self._journals()
        for number, mail in enumerate(self._breaking.mail.mails):
            (self._plan.directory / f"{number:05}.eml").write_bytes(mail.content)
        directory = self._plan.directory / "archive"
        archives = [placed(read_archive(directory / name), journals, WIRE) for name in ("first", "second")]
        verdict = judge(journals, archives, writers.is_kept, self._ledger.late())
        swallowed = {place for place in verdict.lost if place.name.startswith(CUT)}
        unsent = set(not_received(verdict.lost, journals, writers.is_kept, WIRE))
        verdict = replace(verdict, lost=[place for place in verdict.lost if place not in swallowed | unsent])
        report = Report(
            mode=self._plan.mode,
            seed=self._plan.seed,
            seconds=self._plan.seconds,
            lines=sum(content.count(b"\n") for content in journals.values()),
            verdict=verdict,
            arrived=arrived,
            swallowed=len(swallowed),
            unsent=len(unsent),
            connections=sum(name.startswith(WIRE) for name in journals),
            errors=sum(_is_told(each.line) for archive in archives for each in archive),
            repeated=self._ledger.repeated(),
            fired=self._fired,
            steps=self._ledger.steps,
            processes=list(self._breaking.processes.values()),
            spool=self._spool,
            told=_told(self._breaking.mail.mails),
            audit=audit,
            times=_times(self._plan.directory / "journal"),
        )
        return report.without_set_back()


def _is_told(line: bytes) -> bool:
    return writers.is_error(line) and not line.startswith(CUT.encode())


def _told(mails: Sequence[Received]) -> list[int]:
    """How many records each mail tells of; one that came twice counts once.

    Not of CUT: what was handed off to be mailed and not archived yet is gone if the log is truncated before it is read
    again.
    """
    texts = {mail.message["Message-ID"]: mail.text for mail in mails}
    return [sum(int(count) for name, count in _GROUP.findall(text) if name != CUT) for text in texts.values()]


def _times(journal: Path) -> dict[str, list[tuple[int, float]]]:
    """Up to which offset each incarnation was written at which time."""
    times: dict[str, list[tuple[int, float]]] = {}
    for path in journal.glob("*.times"):
        rows = (line.split() for line in path.read_text().splitlines())
        times[path.name.removesuffix(".times")] = [(int(offset), float(seconds)) for offset, seconds in rows]
    return times


async def _start(log: writers.Log) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*writers.command(log), stdin=pipe, stdout=pipe)


async def _tell(writer: asyncio.subprocess.Process, command: str) -> None:
    """Give a writer a command and wait until it has been carried out."""
    assert writer.stdin is not None  # by `_start`
    assert writer.stdout is not None
    writer.stdin.write(f"{command}\n".encode())
    await writer.stdin.drain()
    await writer.stdout.readline()
