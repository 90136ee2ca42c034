"""A shipper put together from options: its inputs and its agent; run to its end or drained."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from logrouter.broker.contract import Broker
from logrouter.cli import options
from logrouter.config.shippers import load_inputs
from logrouter.errors import LogrouterError
from logrouter.observe import events
from shippers.agent import Agent
from shippers.settings import from_arguments, from_models
from shippers.windows import Input


def chosen_inputs(config: Path | None, files: Sequence[tuple[str, str]]) -> list[Input]:
    """`--file` alone, or with `--config` both; without either what the host is configured to follow."""
    configured = from_models(load_inputs([options.inputs_path(config)])) if config or not files else []
    return configured + from_arguments(files)


async def ship(agent: Agent, stop: asyncio.Event, drain: float | None) -> None:
    """Run an agent until `stop` is set; with `drain`, until all is confirmed or so many seconds are over.

    Raises LogrouterError naming what remains when the seconds are over.
    """
    running = asyncio.create_task(agent.run(stop))
    if drain is None:
        await running
        return
    draining = asyncio.create_task(agent.drain())
    try:
        await asyncio.wait({running, draining}, timeout=drain, return_when=asyncio.FIRST_COMPLETED)
        drained = draining.done()
        behind = sum(progress.bytes_behind for progress in agent.progress())
    finally:
        stop.set()
        await running
    left = await draining
    for remainder in left:
        events.DRAIN_LEFT.happened(what=remainder)
    if not drained:
        raise LogrouterError(f"not drained after {drain:g} s: {behind} bytes are not confirmed")


def state_of_shipper(state: Path) -> Path:
    """The shipper's own directory below the state directory."""
    return state / "shipper"


def build_agent(
    broker: Broker, inputs: Sequence[Input], state: Path, *, host: str, instance: str, excluded: Sequence[Path] = ()
) -> Agent:
    """An agent that never follows what we write ourselves."""
    return Agent(broker, inputs, state_of_shipper(state), host=host, instances=(instance,), excluded=(state, *excluded))
