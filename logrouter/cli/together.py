"""Shipper, broker and router put together in one process, with what is seen of them; run to their end or drained."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from random import Random

from logrouter.broker import connect
from logrouter.broker.contract import Broker
from logrouter.broker.socket.server import serve
from logrouter.cli import banner, live, options, running, shipping
from logrouter.cli.configured import rule_set
from logrouter.cli.demo.writer import Writer
from logrouter.cli.figures import Figures, places
from logrouter.cli.finding import socket_path
from logrouter.cli.printing import print_lines
from logrouter.cli.routing import Place, Router
from logrouter.cli.summary import Places
from logrouter.errors import LogrouterError
from logrouter.observe import events
from logrouter.waiting import wait
from shippers.agent import Agent
from shippers.input import Input
from shippers.publisher import IN_FLIGHT

_PAST_TICKS = 300
"""What a drained demo has: a minute."""

_LOOK_SECONDS = 0.1
_FIRST_LOOK_SECONDS = 2.0
"""For the first files to be found: then it is said what is followed."""

_QUIET_SECONDS = 10.0
"""After so long without a line it is said what was looked for."""

_AT_COMMIT = 32 << 20
"""Bytes in flight where a confirm means that the archive has them: two groups of the router, one being written."""

Route = Callable[[Broker, asyncio.Event, asyncio.Event], Awaitable[None]]
"""Routes until the first event is set, or all is routed once the second is."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to run. state: its own directory.

    drain: seconds, None to run for ever.
    demo_logs: where the demo writes its logs, None for no demo.
    """

    broker: str
    state: Path
    rules: Path
    instance: str
    inputs: Sequence[Input]
    host: str
    workers: int
    memory: int
    drain: float | None
    demo_logs: Path | None

    @property
    def archives(self) -> Path:
        """Where archives go that name no directory of their own."""
        return options.archive_directory(self.state)


def run(plan: Plan) -> None:
    """Run until a signal, or drained. Raises what its parts raise."""
    rules = rule_set(plan.rules)
    reload = asyncio.Event()
    with closing(Router(Place(plan.rules, plan.state, plan.archives, plan.instance, plan.memory), rules)) as router:
        where = places(rules.config, plan.state, plan.archives, f"{banner.invocation('tail', plan.state)} '#'")
        show, handler = _shown(plan)
        if plan.drain is None:
            print_lines(*_banner(plan, len(rules.config.rules), where), err=True)

        def route(broker: Broker, stop: asyncio.Event, drain: asyncio.Event) -> Awaitable[None]:
            return router.run(broker, stop, drain, reload)

        def hung_up() -> None:
            reload.set()
            events.INPUTS_KEPT.happened()

        running.run(lambda stop: _serve(plan, route, show, where, stop), handler, hung_up)


def _shown(plan: Plan) -> tuple[live.Show, logging.Handler | None]:
    """How it is shown how things are, and what log lines go to beside that."""
    if plan.drain is not None:
        return live.close_only, None
    if sys.stderr is not None and sys.stderr.isatty():
        from logrouter.cli import drawing  # most run where nobody looks on

        if console := drawing.drawable():
            return drawing.drawer(console), drawing.ConsoleHandler(console)
    return live.log, None


def _banner(plan: Plan, rules: int, where: Places) -> list[str]:
    demo = banner.demo_lines(plan.state, plan.demo_logs, plan.rules) if plan.demo_logs is not None else []
    return banner.lines(plan.rules, rules, where) + demo


async def _serve(plan: Plan, route: Route, show: live.Show, where: Places, stop: asyncio.Event) -> None:
    reached = connect(plan.broker, plan.state)
    agent = shipping.build_agent(
        reached,
        plan.inputs,
        plan.state,
        host=plan.host,
        instance=plan.instance,
        workers=plan.workers,
        excluded=(plan.archives,),
        in_flight=_AT_COMMIT if plan.broker == "embedded" else IN_FLIGHT,
    )
    figures, over = Figures(agent), asyncio.Event()
    beside = [asyncio.create_task(show(figures.take, where, over)), asyncio.create_task(_tell(plan, figures, over))]
    if plan.demo_logs is not None:  # begun before the shipper, which then finds the files at once
        beside.append(asyncio.create_task(_write_demo(plan.demo_logs, stop, past=plan.drain is not None)))
    try:
        async with serve(reached, socket_path(plan.state)) if plan.broker == "embedded" else nullcontext():
            await _follow_and_route(reached, agent, route, plan.drain, stop)
    finally:
        stop.set()
        over.set()
        await asyncio.gather(*beside)


async def _write_demo(logs: Path, stop: asyncio.Event, *, past: bool) -> None:
    """Write the demo's logs: of the past minute, or from now on."""
    try:
        writer = Writer(logs, Random())  # noqa: S311  # made-up logs
        if past:
            writer.write_past(_PAST_TICKS)
        else:
            await writer.run(stop)
    except OSError as error:
        stop.set()
        raise LogrouterError(f"the demo cannot write its logs under {logs}: {error.strerror}") from error


async def _follow_and_route(
    reached: Broker, agent: Agent, route: Route, drain: float | None, stop: asyncio.Event
) -> None:
    routed, drained, drained_in_time = asyncio.Event(), asyncio.Event(), True
    router = asyncio.ensure_future(route(reached, routed, drained))
    shipper = asyncio.create_task(shipping.ship(agent, stop, drain))
    try:
        await asyncio.wait({router, shipper}, return_when=asyncio.FIRST_COMPLETED)
        if shipper.done() and drain is not None:
            drained.set()
            await asyncio.wait({router}, timeout=drain)
            drained_in_time = router.done()
    finally:
        stop.set()
        await asyncio.wait({shipper})
        routed.set()
        await asyncio.wait({router})
    for task in (router, shipper):
        task.result()
    if not drained_in_time:
        raise LogrouterError(f"not drained after {drain:g} s: the router has not settled everything")


async def _tell(plan: Plan, figures: Figures, over: asyncio.Event) -> None:
    """Say what is followed, and when nothing at all arrives."""
    if plan.drain is not None:
        return
    looks = 0.0
    while not figures.files() and looks < _FIRST_LOOK_SECONDS and not over.is_set():
        await wait(over, _LOOK_SECONDS)
        looks += _LOOK_SECONDS
    if not over.is_set() and any(each.globs for each in plan.inputs):
        events.FOLLOWING.happened(what=banner.following(figures.files()))
    await wait(over, _QUIET_SECONDS - looks)
    if not (over.is_set() or any(figures.take().work)):
        remedy = "`make demo`, or `logrouter up --demo`"
        events.QUIET.happened(seconds=_QUIET_SECONDS, what=banner.looked_for(plan.inputs), remedy=remedy)
