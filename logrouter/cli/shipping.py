"""A shipper put together from options: its inputs and its agent; run to its end or drained."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path

import shippers
from logrouter.broker.contract import Broker
from logrouter.cli import options
from logrouter.config.refining import RedactModel
from logrouter.config.shippers import Shippers, load_inputs
from logrouter.errors import LogrouterError
from logrouter.observe import events
from shippers.agent import Agent
from shippers.input import Input
from shippers.publisher import IN_FLIGHT
from shippers.settings import argument_models, from_models

_SERVICES, _PRESETS = (Path(shippers.__file__).with_name(name) for name in ("20-services.yaml", "presets.yaml"))
"""The map of programs and the presets that came with the program."""


def chosen(
    config: Path | None,
    files: Sequence[tuple[str, str]],
    redact: Sequence[RedactModel] = (),
    *,
    stdin: bool = False,
) -> Shippers:
    """What `--config` and `--file` name; without both, and without --stdin, what the host is configured to follow.

    redact: what is to be made unreadable in files named by `--file`.
    """
    is_configured = config or not (files or stdin)
    path = options.inputs_path(config) if is_configured else None
    configured = load_inputs([path], _SERVICES, _PRESETS) if path else Shippers()
    return Shippers([*configured.inputs, *argument_models(files, redact)], configured.services)


def chosen_inputs(config: Path | None, files: Sequence[tuple[str, str]]) -> list[Input]:
    """The same as inputs."""
    return from_models(chosen(config, files))


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
        state_of_shipper(state),
        host=host,
        instances=(instance,),
        excluded=(state, *excluded),
        workers=workers,
        in_flight=in_flight,
    )
