"""Collects the numbers of a running `up` from the counters of the process and the progress of its shipper."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from logrouter.app.locations import mail_directory
from logrouter.cli.tui.summary import Places, Rate, Snapshot
from logrouter.config.email import EmailModel, Security
from logrouter.config.rules import RuleConfig
from logrouter.observability import metrics
from shippers.agent import Agent

Clock = Callable[[], float]


class Figures:
    """Takes snapshots. Create it before anything is routed: uptime and rate count from then on."""

    def __init__(self, agent: Agent, clock: Clock = time.monotonic) -> None:
        self._agent = agent
        self._clock = clock
        self._begun = clock()
        self._rate = Rate()
        self._rate.at(self._begun, 0)

    def take(self) -> Snapshot:
        """Return the current numbers. The rate is a mean over the last few calls."""
        now = self._clock()
        progress = self._agent.progress()
        lines = metrics.by_label(metrics.ROUTED)
        return Snapshot(
            uptime=now - self._begun,
            lines=lines,
            destinations=metrics.by_label(metrics.DECIDED),
            repeated=sum(metrics.by_label(metrics.SUPPRESSED).values()),
            rate=self._rate.at(now, sum(lines.values())),
            behind=sum(each.bytes_behind for each in progress),
            in_hand=sum(each.lines_read - each.lines_confirmed for each in progress),
            mails=sum(metrics.by_label(metrics.MAILS).values()),
        )

    def files(self) -> Mapping[str, int]:
        """Return the number of followed files by service, without services that have none."""
        counts: dict[str, int] = {}
        for each in self._agent.progress():
            if each.files:
                name = each.service or "several services"
                counts[name] = counts.get(name, 0) + each.files
        return counts


def mail_place(config: RuleConfig, state: Path) -> str:
    """Return where mail goes: `in DIRECTORY` or `through SERVER`; '' if no destination is mail."""
    servers = [model.server for model in config.destinations.values() if isinstance(model, EmailModel)]
    if not servers:
        return ""
    first = servers[0]
    if first.security is Security.FILE:
        return f"in {first.directory or mail_directory(state)}"
    return f"through {first.host}"


def places(config: RuleConfig, state: Path, archives: Path, listen: str) -> Places:
    """Return the places that the panel shows. listen: the command to listen in with."""
    return Places(str(archives), listen, mail_place(config, state))
