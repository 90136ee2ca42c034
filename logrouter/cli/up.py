"""`logrouter up`: runs shipper, broker and router in one process, for one machine without a server."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import click

from logrouter.app import locations
from logrouter.cli import options


@click.command()
@options.broker("embedded")
@options.rules
@options.state
@options.instance
@options.inputs
@options.workers
@options.memory
@options.drain
@click.option("--demo", is_flag=True, help="Write sample logs of a few made-up services, and follow only these.")
@click.pass_context
def command(
    context: click.Context,
    *,
    broker: str,
    rules: Path | None,
    state: Path | None,
    instance: str,
    config: Path | None,
    files: list[tuple[str, str]],
    host: str,
    workers: int,
    memory: int,
    drain: bool,
    drain_timeout: float,
    demo: bool,
) -> None:
    r"""Follow, route and archive this machine's logs in one process, without a server.

    SIGHUP reloads the rules; if they contain a mistake, the current ones stay in use. Inputs are read once at startup.

    \b
    logrouter up --file web='/var/log/nginx/*.log'
    logrouter up --demo
    """
    from logrouter.app import all_in_one, runtime, shipper
    from logrouter.app.router import Router
    from logrouter.app.rule_files import rule_set
    from logrouter.cli.demo.writer import demo_inputs, write_demo
    from logrouter.cli.tui.screen import Screen
    from logrouter.observability.events import RELOAD_IGNORED

    directory, demo_logs = locations.state_directory(state), None
    if demo:  # whatever the environment says, because sample logs must not reach a real broker or archive
        options.refuse_given(context, "--demo", "broker", "config", "files")
        directory, demo_logs = directory / "demo", directory / "demo-logs"
        broker, inputs, chosen = "embedded", demo_inputs(demo_logs), rules or locations.shipped_rules()
    else:
        configured = shipper.configuration(config, files)
        inputs, chosen = shipper.inputs_of(configured, files), locations.rules_path(rules)
    drained = drain_timeout if drain else None
    plan = all_in_one.Plan(broker, directory, chosen, instance, inputs, host, workers, memory, drained)
    loaded, reload = rule_set(plan.rules), asyncio.Event()

    def on_hangup() -> None:
        reload.set()
        RELOAD_IGNORED.happened()

    with closing(Router(plan.place, loaded)) as router:
        screen = Screen(plan, loaded.config, demo_logs)
        screen.begin()
        demos = [write_demo(demo_logs, past=drain)] if demo_logs is not None else []
        companions = [screen.run, *demos]
        runtime.run(lambda stop: all_in_one.run(plan, router, reload, stop, companions), screen.handler, on_hangup)
