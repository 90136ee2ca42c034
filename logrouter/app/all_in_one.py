"""Runs shipper, broker and router in one process, until they are stopped or drained."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from logrouter.app.locations import archive_directory, socket_path
from logrouter.app.router import Router, RouterPlan
from logrouter.app.shipper import build_agent, ship
from logrouter.broker import connect
from logrouter.broker.socket.server import serve
from logrouter.errors import LogrouterError
from shippers.agent import Agent
from shippers.input import Input
from shippers.publisher import IN_FLIGHT

_AT_COMMIT = 32 << 20
"""Bytes in flight with the embedded broker, whose confirm means that the archive has them: two groups of the router,
one of which is being written."""

Companion = Callable[[Agent, asyncio.Event, asyncio.Event], Awaitable[None]]
"""Runs beside an agent until the second event is set. It may set the first one, which stops everything."""

_Route = Callable[[asyncio.Event, asyncio.Event], Coroutine[None, None, None]]
"""Routes until the first event is set or, once the second is set, until everything is routed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. state: its state directory.   drain: timeout in seconds, or None to run until stopped."""

    broker: str
    state: Path
    rules: Path
    instance: str
    inputs: Sequence[Input]
    host: str
    workers: int
    memory: int
    drain: float | None

    @property
    def archives(self) -> Path:
        """The directory of archives that name none."""
        return archive_directory(self.state)

    @property
    def place(self) -> RouterPlan:
        """The plan of the router."""
        return RouterPlan(self.rules, self.state, self.archives, self.instance, self.memory)


async def run(
    plan: Plan, router: Router, reload: asyncio.Event, stop: asyncio.Event, companions: Sequence[Companion] = ()
) -> None:
    """Ship and route until `stop` is set, or everything is drained. Set `reload` to reload the rules.

    Raises what the shipper, the router and the companions raise, and LogrouterError if draining takes too long.
    """
    broker, over = connect(plan.broker, plan.state), asyncio.Event()
    is_embedded = plan.broker == "embedded"
    agent = build_agent(
        broker,
        plan.inputs,
        plan.state,
        host=plan.host,
        instance=plan.instance,
        workers=plan.workers,
        excluded=(plan.archives,),
        in_flight=_AT_COMMIT if is_embedded else IN_FLIGHT,
    )
    beside = [asyncio.ensure_future(each(agent, stop, over)) for each in companions]
    try:
        async with serve(broker, socket_path(plan.state)) if is_embedded else nullcontext():
            await _ship_and_route(agent, partial(router.run, broker, reload=reload), plan.drain, stop)
    finally:
        stop.set()
        over.set()
        await asyncio.gather(*beside)


async def _ship_and_route(agent: Agent, route: _Route, drain: float | None, stop: asyncio.Event) -> None:
    routed, drained, drained_in_time = asyncio.Event(), asyncio.Event(), True
    routing = asyncio.create_task(route(routed, drained))
    shipping = asyncio.create_task(ship(agent, stop, drain))
    try:
        await asyncio.wait({routing, shipping}, return_when=asyncio.FIRST_COMPLETED)
        if shipping.done() and drain is not None:
            drained.set()
            await asyncio.wait({routing}, timeout=drain)
            drained_in_time = routing.done()
    finally:
        stop.set()
        await asyncio.wait({shipping})
        routed.set()
        await asyncio.wait({routing})
    for task in (routing, shipping):
        task.result()
    if not drained_in_time:
        raise LogrouterError(f"draining did not finish in {drain:g} s: the router has not settled everything")
