"""Makes the inputs of an agent from the configuration of its host."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from logrouter.config.multiline import INDENTED
from logrouter.config.shippers import (
    DEFAULT_SOCKET,
    FilesModel,
    InputModel,
    JournalModel,
    Shippers,
    SyslogModel,
    load_inputs,
)
from logrouter.config.text_settings import RedactModel
from logrouter.handler import socket_paths
from shippers.encode.text import Refining
from shippers.input import Input, Journal, Syslog, compressed_except
from shippers.parse.multiline import Joining
from shippers.parse.trace_id import Conversation
from shippers.redact.redaction import Own, Redaction
from shippers.services import Services
from shippers.sources.journal import is_enabled

_SERVICES, _PRESETS = (Path(__file__).with_name(name) for name in ("20-services.yaml", "presets.yaml"))
"""The map of programs and the presets that logrouter brings along."""


def load(path: Path | None) -> Shippers:
    """Load a file or directory, with the services and presets that logrouter brings along. None loads nothing."""
    return load_inputs([path], _SERVICES, _PRESETS) if path else Shippers()


def from_models(models: Shippers) -> list[Input]:
    """Return the inputs of shippers/*.yaml, without journals whose `unless` names a file that this machine has."""
    services = Services(models.services)
    inputs = []
    for model in models.inputs:
        if isinstance(model, FilesModel):
            inputs.append(_files(model, services))
        elif isinstance(model, SyslogModel):
            inputs.append(_syslog(model, services))
        elif is_enabled(model.journal.unless):
            inputs.append(_journal(model, services))
    return inputs


def models_from_arguments(files: Sequence[tuple[str, str]], redact: Sequence[RedactModel] = ()) -> list[FilesModel]:
    """Return the configuration that `--file SERVICE=GLOB` stands for. `arguments.from_files` makes the inputs."""
    return [
        FilesModel(service=service, files=[os.path.abspath(pattern)], redact=list(redact))  # noqa: PTH100  # no path
        for service, pattern in files
    ]


def _files(model: FilesModel, services: Services) -> Input:
    return Input(
        service=model.service,
        globs=tuple(model.files),
        host=model.host,
        severity=model.severity,
        read_from="start" if model.first_read is None else model.first_read,
        olddir=model.olddir,
        max_line=model.max_line,
        exclude=compressed_except(model.files) if model.exclude is None else tuple(model.exclude),
        services=services,
        joining=_joining(model),
        refining=_refining(model),
    )


def _joining(model: FilesModel) -> Joining | None:
    wrapping, multiline = "" if model.format == "lines" else model.format, model.multiline
    if multiline is None:
        return Joining(wrapping=wrapping, is_only_wrapped=True) if wrapping else None
    traces = tuple(name for name in multiline.traces if name != INDENTED)
    return Joining(traces, multiline.begins, multiline.continues, multiline.flush, wrapping)


def _syslog(model: SyslogModel, services: Services) -> Input:
    addresses = model.syslog
    feed = Syslog(
        udp=tuple(addresses.udp),
        tcp=tuple(addresses.tcp),
        unix=tuple(map(_socket_path, addresses.unix)),
        unix_stream=tuple(map(_socket_path, addresses.unix_stream)),
        host=model.host,
        max_line=model.max_line,
        max_spool=model.max_spool,
        tls=tuple(addresses.tls),
        certificate=addresses.certificate,
        key=addresses.key,
        client_ca=addresses.client_ca,
        max_clients=model.max_clients,
        idle_timeout=model.idle_timeout,
    )
    return _spooled(model, feed, services)


def _journal(model: JournalModel, services: Services) -> Input:
    journal = model.journal
    feed = Journal(
        units=tuple(journal.units),
        directory=journal.directory,
        first_read=journal.first_read,
        host=model.host,
        max_line=model.max_line,
        max_spool=model.max_spool,
    )
    return _spooled(model, feed, services)


def _spooled(model: SyslogModel | JournalModel, feed: Syslog | Journal, services: Services) -> Input:
    """Return an input that fills a spool."""
    return Input(
        service=model.service, severity=model.severity, feed=feed, services=services, refining=_refining(model)
    )


def _socket_path(path: str) -> str:
    """Resolve `default` to the first path that `logrouter.handler` tries and that this user may create."""
    if path != DEFAULT_SOCKET:
        return path
    paths = socket_paths()
    return next(filter(_can_be_created, paths), paths[0])


def _can_be_created(path: str) -> bool:
    existing = next(parent for parent in Path(path).absolute().parents if os.access(parent, os.F_OK))
    return os.access(existing, os.W_OK | os.X_OK)


def _refining(model: InputModel) -> Refining:
    setting = model.conversation
    return Refining(
        redaction=redaction(model.redact),
        fields=model.fields,
        conversation=Conversation(tuple(setting)) if isinstance(setting, list) else Conversation((), setting),
    )


def redaction(models: Sequence[RedactModel]) -> Redaction | None:
    """Return the redaction that the models describe; None if there are none."""
    return Redaction(tuple(each.preset or Own(each.pattern, each.with_) for each in models)) if models else None
