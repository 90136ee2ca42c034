"""What a person sees of a running `up`: a banner, how it is doing, and what is followed."""

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
"""For the first files to be found: then it says what is followed."""

_QUIET_SECONDS = 10.0
"""After so long without a line it says what it looked for."""


class Screen:
    """handler: where log lines go, None for standard error as it is."""

    def __init__(self, plan: Plan, rules: RuleConfig, demo_logs: Path | None) -> None:
        self._plan = plan
        self._rules = len(rules.rules)
        self._demo_logs = demo_logs
        self._where = places(rules, plan.state, plan.archives, f"{banner.invocation('tail', plan.state)} '#'")
        self._show, self.handler = _shown(plan)

    def begin(self) -> None:
        """Print the banner."""
        if self._plan.drain is None:
            print_lines(*banner.lines(self._plan.rules, self._rules, self._where), err=True)
            if self._demo_logs is not None:
                print_lines(*banner.demo_lines(self._plan.state, self._demo_logs, self._plan.rules), err=True)

    async def run(self, agent: Agent, stop: asyncio.Event, over: asyncio.Event) -> None:
        """Show how it is doing until `over` is set."""
        figures = Figures(agent)
        await asyncio.gather(self._show(figures.take, self._where, over), self._tell(figures, over))

    async def _tell(self, figures: Figures, over: asyncio.Event) -> None:
        """Say what is followed, and when nothing at all arrives."""
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


def _shown(plan: Plan) -> tuple[log_lines.Show, logging.Handler | None]:
    """How it is shown how things are, and what log lines go to beside that."""
    if plan.drain is not None:
        return log_lines.close_only, None
    if sys.stderr is not None and sys.stderr.isatty():
        from logrouter.cli.tui import panel  # most run where nobody looks on

        if console := panel.drawable():
            return panel.drawer(console), panel.ConsoleHandler(console)
    return log_lines.log, None
