"""The output of a running `up`: a banner, a panel or log lines, and messages on what is followed."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from logrouter.app.all_in_one import Plan
from logrouter.cli.output import print_lines
from logrouter.cli.tui import banner, log_lines
from logrouter.cli.tui.figures import Figures, places
from logrouter.config.rules import RuleConfig
from logrouter.observability import events
from logrouter.support.aio import wait
from shippers.agent import Agent

_LOOK_SECONDS = 0.1
_FIRST_LOOK_SECONDS = 2.0
"""Time for the first files to be found; after that it logs what is followed."""

_QUIET_SECONDS = 10.0
"""If no line arrives within this time, it logs what it looked for."""


class Screen:
    """The output of `up`. handler: for log lines; None for plain standard error."""

    def __init__(self, plan: Plan, rules: RuleConfig, demo_logs: Path | None) -> None:
        self._plan = plan
        self._rules = len(rules.rules)
        self._demo_logs = demo_logs
        self._where = places(rules, plan.state, plan.archives, f"{banner.invocation('tail', plan.state)} '#'")
        self._show, self.handler = _show_and_handler(plan)

    def begin(self) -> None:
        """Print the banner, unless `up` drains."""
        if self._plan.drain is None:
            print_lines(*banner.lines(self._plan.rules, self._rules, self._where), err=True)
            if self._demo_logs is not None:
                print_lines(*banner.demo_lines(self._plan.state, self._demo_logs, self._plan.rules), err=True)

    async def run(self, agent: Agent, stop: asyncio.Event, over: asyncio.Event) -> None:
        """Show the panel or log lines until `over` is set."""
        figures = Figures(agent)
        await asyncio.gather(self._show(figures.take, self._where, over), self._report_files(figures, over))

    async def _report_files(self, figures: Figures, over: asyncio.Event) -> None:
        """Log what is followed, and a warning if nothing arrives."""
        if self._plan.drain is not None:
            return
        looks = 0.0
        while not figures.files() and looks < _FIRST_LOOK_SECONDS and not over.is_set():
            await wait(over, _LOOK_SECONDS)
            looks += _LOOK_SECONDS
        if not over.is_set() and any(each.globs for each in self._plan.inputs):
            events.FOLLOWING.happened(what=banner.following(figures.files()))
        await wait(over, _QUIET_SECONDS - looks)
        if not (over.is_set() or any(figures.take().work)):
            remedy = "`make demo`, or `logrouter up --demo`"
            events.QUIET.happened(seconds=_QUIET_SECONDS, what=banner.looked_for(self._plan.inputs), remedy=remedy)


def _show_and_handler(plan: Plan) -> tuple[log_lines.Show, logging.Handler | None]:
    """Return the way to show the state of `up`, and the handler that log lines need beside it."""
    if plan.drain is not None:
        return log_lines.close_only, None
    if sys.stderr is not None and sys.stderr.isatty():
        from logrouter.cli.tui import panel  # here because it is slow to import, and most processes have no terminal

        if console := panel.drawable():
            return panel.drawer(console), panel.ConsoleHandler(console)
    return log_lines.log, None
