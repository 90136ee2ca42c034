"""A shipper put together from options: its inputs and its agent; run to its end or drained."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path

import shippers
from logrouter.broker.contract import Broker
from logrouter.cli import options
from logrouter.config.shippers import load_inputs
from logrouter.errors import LogrouterError
from logrouter.observe import events
from shippers.agent import Agent
from shippers.settings import from_arguments, from_models, from_stdin
from shippers.windows import Input

_SERVICES = Path(shippers.__file__).with_name("20-services.yaml")
"""The map of programs that came with the program."""


def chosen_inputs(
    config: Path | None, files: Sequence[tuple[str, str]], stdin: tuple[str, str] | None = None
) -> list[Input]:
    """`--file` and `--stdin` alone, or with `--config` all; without any what the host is configured to follow.

    stdin: the service and default severity of standard input, if that is to be read.
    """
    is_configured = config or not (files or stdin)
    configured = from_models(load_inputs([options.inputs_path(config)], _SERVICES)) if is_configured else []
    return configured + from_arguments(files) + ([from_stdin(*stdin)] if stdin else [])


async def ship(agent: Agent, stop: asyncio.Event, drain: float | None) -> None:
    """Run an agent until `stop` is set; with `drain`, until all is confirmed or so many seconds are over (inf: never).

    Raises LogrouterError naming what remains when the seconds are over.
    """
    running = asyncio.create_task(agent.run(stop))
    if drain is None:
        await running
        return
    draining = asyncio.create_task(agent.drain())
    try:
        timeout = None if math.isinf(drain) else drain
        await asyncio.wait({running, draining}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        drained = draining.done()
        behind = sum(progress.bytes_behind for progress in agent.progress())
    finally:
        stop.set()
        await running
    left = await draining
    for remainder in left:
        events.DRAIN_LEFT.happened(what=remainder)
    if not drained and not math.isinf(drain):
        raise LogrouterError(f"not drained after {drain:g} s: {behind} bytes are not confirmed")


def state_of_shipper(state: Path) -> Path:
    """The shipper's own directory below the state directory."""
    return state / "shipper"


def build_agent(
    broker: Broker, inputs: Sequence[Input], state: Path, *, host: str, instance: str, excluded: Sequence[Path] = ()
) -> Agent:
    """An agent that never follows what we write ourselves."""
    return Agent(broker, inputs, state_of_shipper(state), host=host, instances=(instance,), excluded=(state, *excluded))
