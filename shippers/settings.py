"""What a host's configuration and command line come to: the inputs of its agent."""

from __future__ import annotations

import os
from collections.abc import Sequence

from logrouter.config.shippers import FilesModel, JournalModel, Shippers, SyslogModel
from shippers.inputs.journal import is_wanted
from shippers.services import Services
from shippers.windows import COMPRESSED, Input, Journal, Stdin, Syslog


def from_models(models: Shippers) -> list[Input]:
    """The inputs of shippers/*.yaml, but for journals that stand in for files which this machine has."""
    services = Services(models.services)
    inputs = []
    for model in models.inputs:
        if isinstance(model, FilesModel):
            inputs.append(_files(model, services))
        elif isinstance(model, SyslogModel):
            inputs.append(_syslog(model, services))
        elif is_wanted(model.journal.unless):
            inputs.append(_journal(model, services))
    return inputs


def from_arguments(files: Sequence[tuple[str, str]]) -> list[Input]:
    """The inputs of `--file SERVICE=GLOB`, read from their start; a relative pattern counts from here."""
    return [Input(service=service, globs=(os.path.abspath(pattern),)) for service, pattern in files]  # noqa: PTH100  # a pattern is no path


def from_stdin(service: str, severity: str) -> Input:
    """Standard input, of one service; severity: of lines that state none."""
    return Input(service=service, severity=severity, feed=Stdin())


def _files(model: FilesModel, services: Services) -> Input:
    return Input(
        service=model.service,
        globs=tuple(model.files),
        host=model.host,
        severity=model.severity,
        read_from="start" if model.first_read is None else model.first_read,
        max_line=model.max_line,
        exclude=COMPRESSED if model.exclude is None else tuple(model.exclude),
        services=services,
    )


def _syslog(model: SyslogModel, services: Services) -> Input:
    at = model.syslog
    feed = Syslog(
        udp=tuple(at.udp),
        tcp=tuple(at.tcp),
        unix=tuple(at.unix),
        unix_stream=tuple(at.unix_stream),
        host=model.host,
        max_line=model.max_line,
        max_spool=model.max_spool,
    )
    return Input(service=model.service, severity=model.severity, feed=feed, services=services)


def _journal(model: JournalModel, services: Services) -> Input:
    what = model.journal
    feed = Journal(
        units=tuple(what.units),
        directory=what.directory,
        first_read=what.first_read,
        host=model.host,
        max_line=model.max_line,
        max_spool=model.max_spool,
    )
    return Input(service=model.service, severity=model.severity, feed=feed, services=services)
