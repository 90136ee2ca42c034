"""A shipper put together from options: its inputs and its agent; run to its end or drained."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path

from logrouter.app.locations import inputs_path, shipper_state
from logrouter.broker.contract import Broker
from logrouter.errors import LogrouterError
from logrouter.observability import events
from shippers.agent import Agent
from shippers.arguments import Files, from_files
from shippers.input import Input
from shippers.publisher import IN_FLIGHT
from shippers.redact.redaction import Redaction


def configuration(config: Path | None, files: Files, *, stdin: bool = False) -> Path | None:
    """Where inputs are configured: what the option names; without --file and --stdin what the host has."""
    return inputs_path(config) if config or not (files or stdin) else None


def inputs_of(configured: Path | None, files: Files, redaction: Redaction | None = None) -> list[Input]:
    """What a configuration says, and what `--file` names. redaction: of the latter."""
    return [*(_configured(configured) if configured else ()), *from_files(files, redaction)]


def _configured(path: Path) -> list[Input]:
    from shippers.settings import from_models, load  # a third of a start, on hosts that have a configuration

    return from_models(load(path))


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


def build_agent(
    broker: Broker,
    inputs: Sequence[Input],
    state: Path,
    *,
    host: str,
    instance: str,
    workers: int,
    excluded: Sequence[Path] = (),
    in_flight: int = IN_FLIGHT,
) -> Agent:
    """An agent that never follows what we write ourselves."""
    return Agent(
        broker,
        inputs,
        shipper_state(state),
        host=host,
        instances=(instance,),
        excluded=(state, *excluded),
        workers=workers,
        in_flight=in_flight,
    )
