"""`logrouter up`: shipper, broker and router in one process, for one machine without a server."""

from __future__ import annotations

from pathlib import Path

import click

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
@click.option("--demo", is_flag=True, help="Write lively logs of a few made-up services, and follow these alone.")
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
    r"""Follow this machine's logs, route and archive them, all in one process; no server needed.

    SIGHUP makes it read the rules again; those with a mistake are refused. Inputs are read when it starts.

    \b
    logrouter up --file web='/var/log/nginx/*.log'
    logrouter up --demo
    """
    from logrouter.cli import shipping, together
    from logrouter.cli.demo.writer import demo_inputs

    directory, demo_logs = options.state_directory(state), None
    if demo:  # none of it goes to a broker or an archive that is in earnest, whatever the environment says
        options.refuse_given(context, "--demo", "broker", "config", "files")
        directory, demo_logs = directory / "demo", directory / "demo-logs"
        broker, inputs, chosen = "embedded", demo_inputs(demo_logs), rules or options.shipped_rules()
    else:
        inputs, chosen = shipping.inputs_of(shipping.configuration(config, files), files), options.rules_path(rules)
    drained = drain_timeout if drain else None
    together.run(together.Plan(broker, directory, chosen, instance, inputs, host, workers, memory, drained, demo_logs))
