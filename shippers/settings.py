"""What a host's configuration and command line come to: the inputs of its agent."""

from __future__ import annotations

import os
from collections.abc import Sequence

from logrouter.config.shippers import FilesModel, Shippers, SyslogModel
from shippers.services import Services
from shippers.windows import COMPRESSED, Input, Stdin, Syslog


def from_models(models: Shippers) -> list[Input]:
    """The inputs of shippers/*.yaml."""
    services = Services(models.services)
    return [
        _files(model, services) if isinstance(model, FilesModel) else _syslog(model, services)
        for model in models.inputs
    ]


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
        tls=tuple(at.tls),
        certificate=at.certificate,
        key=at.key,
        client_ca=at.client_ca,
        max_clients=model.max_clients,
        idle_timeout=model.idle_timeout,
    )
    return Input(service=model.service, severity=model.severity, feed=feed, services=services)
