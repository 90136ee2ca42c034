"""What a host's configuration and command line come to: the inputs of its agent."""

from __future__ import annotations

import os
from collections.abc import Sequence

from logrouter.config.refining import RedactModel
from logrouter.config.shippers import FilesModel, InputModel, Shippers, SyslogModel
from shippers.parsing.conversation import Conversation
from shippers.redaction import Own, Redaction
from shippers.refining import Refining
from shippers.services import Services
from shippers.windows import COMPRESSED, Input, Stdin, Syslog


def from_models(models: Shippers) -> list[Input]:
    """The inputs of shippers/*.yaml."""
    services = Services(models.services)
    return [
        _files(model, services) if isinstance(model, FilesModel) else _syslog(model, services)
        for model in models.inputs
    ]


def argument_models(files: Sequence[tuple[str, str]], redact: Sequence[RedactModel] = ()) -> list[FilesModel]:
    """What `--file SERVICE=GLOB` stands for, read from its start; a relative pattern counts from here."""
    return [
        FilesModel(service=service, files=[os.path.abspath(pattern)], redact=list(redact))  # noqa: PTH100  # a pattern is no path
        for service, pattern in files
    ]


def from_stdin(service: str, severity: str, redact: Sequence[RedactModel] = ()) -> Input:
    """Standard input, of one service; severity: of lines that state none."""
    return Input(service=service, severity=severity, feed=Stdin(), refining=Refining(_redaction(redact)))


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
        refining=_refining(model),
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
    return Input(
        service=model.service, severity=model.severity, feed=feed, services=services, refining=_refining(model)
    )


def _refining(model: InputModel) -> Refining:
    said = model.conversation
    return Refining(
        redaction=_redaction(model.redact),
        fields=model.fields,
        conversation=Conversation(tuple(said)) if isinstance(said, list) else Conversation((), said),
    )


def _redaction(models: Sequence[RedactModel]) -> Redaction | None:
    return Redaction(tuple(each.preset or Own(each.pattern, each.with_) for each in models)) if models else None
