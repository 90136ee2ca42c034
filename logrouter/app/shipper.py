"""Builds the inputs and the agent of a shipper from options, and runs it until it is stopped or drained."""

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
    """Return the path of the inputs: `config` or, without --file and --stdin, the default of this host, else None."""
    return inputs_path(config) if config or not (files or stdin) else None


def inputs_of(configured: Path | None, files: Files, redaction: Redaction | None = None) -> list[Input]:
    """Return the configured inputs and those of `--file`. redaction: applies to the files of `--file` only."""
    return [*(_configured(configured) if configured else ()), *from_files(files, redaction)]


def _configured(path: Path) -> list[Input]:
    from shippers.settings import from_models, load  # here because the import takes a third of the startup

    return from_models(load(path))


async def ship(agent: Agent, stop: asyncio.Event, drain: float | None) -> None:
    """Run an agent until `stop` is set or, with `drain`, until everything is confirmed.

    drain: timeout in seconds (inf for none), or None not to drain. If the timeout expires, raises LogrouterError with
    the number of bytes that are not confirmed.
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
        raise LogrouterError(f"draining did not finish in {drain:g} s: {behind} bytes are not confirmed")


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
    """Return an agent that does not follow files in `state` and `excluded`, because logrouter itself writes there."""
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
