"""A host's configuration -> the inputs of its agent."""

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
from shippers.sources.journal import is_wanted

_SERVICES, _PRESETS = (Path(__file__).with_name(name) for name in ("20-services.yaml", "presets.yaml"))
"""The map of programs and the presets that came with the program."""


def load(path: Path | None) -> Shippers:
    """What a file or directory says, or nothing; with the services and presets that came with the program."""
    return load_inputs([path], _SERVICES, _PRESETS) if path else Shippers()


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


def argument_models(files: Sequence[tuple[str, str]], redact: Sequence[RedactModel] = ()) -> list[FilesModel]:
    """What a configuration would say in place of `--file SERVICE=GLOB`; `arguments.from_files` makes inputs of them."""
    return [
        FilesModel(service=service, files=[os.path.abspath(pattern)], redact=list(redact))  # noqa: PTH100  # a pattern is no path
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
    at = model.syslog
    feed = Syslog(
        udp=tuple(at.udp),
        tcp=tuple(at.tcp),
        unix=tuple(map(_socket_path, at.unix)),
        unix_stream=tuple(map(_socket_path, at.unix_stream)),
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
    return _fed(model, feed, services)


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
    return _fed(model, feed, services)


def _fed(model: SyslogModel | JournalModel, feed: Syslog | Journal, services: Services) -> Input:
    """An input that comes by way of a spool."""
    return Input(
        service=model.service, severity=model.severity, feed=feed, services=services, refining=_refining(model)
    )


def _socket_path(path: str) -> str:
    """Of the places where `logrouter.handler` looks the first that this user may listen at."""
    if path != DEFAULT_SOCKET:
        return path
    paths = socket_paths()
    return next(filter(_may_be_made, paths), paths[0])


def _may_be_made(path: str) -> bool:
    there = next(parent for parent in Path(path).absolute().parents if os.access(parent, os.F_OK))
    return os.access(there, os.W_OK | os.X_OK)


def _refining(model: InputModel) -> Refining:
    said = model.conversation
    return Refining(
        redaction=redaction(model.redact),
        fields=model.fields,
        conversation=Conversation(tuple(said)) if isinstance(said, list) else Conversation((), said),
    )


def redaction(models: Sequence[RedactModel]) -> Redaction | None:
    """What is to be redacted; None for nothing."""
    return Redaction(tuple(each.preset or Own(each.pattern, each.with_) for each in models)) if models else None
