"""shippers/*.yaml -> the inputs of a host: all files in the order of their names, every mistake at once.

In come paths, out goes what the files say as frozen data; or ConfigError. A file is one input (`files` or `syslog`), or
a list of them under `inputs`; with or without inputs it may say which programs belong to which `services`, and what
`presets` there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from logrouter.config.document import Document, Path_, read_document, yaml_files
from logrouter.config.mistakes import ConfigError, Mistake, Place
from logrouter.config.presets import UNKNOWN, Presets, expanded, presets_in
from logrouter.config.refining import RefinedModel
from logrouter.config.severities import severity_problem
from logrouter.config.units import Size, parse_size
from logrouter.config.validation import Strict, validate

Address = tuple[str, int]
"""Host and port."""

_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^:\[\]\s/]*)):(\d{1,5})")


def _checked_severity(severity: str) -> str:
    if problem := severity_problem(severity):
        raise ValueError("\n".join(problem))
    return severity


def _addresses(given: Any) -> list[Address]:
    """One address or several. Raises ValueError with a remedy behind a newline."""
    return [_address(each) for each in (given if isinstance(given, list) else [given])]


def _address(text: Any) -> Address:
    found = _ADDRESS.fullmatch(text) if isinstance(text, str) else None
    if found is None or not 0 < int(found[3]) < 65_536:
        raise ValueError(f"{text!r} is no address\nwrite host:port, such as 127.0.0.1:5514, or [::1]:5514")
    return found[1] or found[2], int(found[3])


def _paths(given: Any) -> list[str]:
    paths = given if isinstance(given, list) else [given]
    for path in paths:
        if not isinstance(path, str) or not path.startswith("/"):
            raise ValueError(f"{path!r} is not an absolute path\nbegin it with /, such as /run/logrouter.sock")
    return paths


def parse_first_read(given: Any) -> int | None:
    """Bytes, or None for `all`. Raises ValueError as `parse_size` does."""
    return None if given is None or given == "all" else parse_size(given)


class FilesModel(RefinedModel):
    """Files to follow: `{service: mail, files: [/var/log/mail.log]}`."""

    service: str = ""
    files: list[str]
    exclude: list[str] | None = None
    host: str = ""
    severity: str = "info"
    first_read: Annotated[int | None, BeforeValidator(parse_first_read)] = None
    max_line: Size = 1 << 20

    _severity = field_validator("severity")(_checked_severity)

    @field_validator("files")
    @classmethod
    def _absolute(cls, files: list[str]) -> list[str]:
        if not files:
            raise ValueError("`files` is empty\nname at least one file or pattern")
        for pattern in files:
            if not pattern.startswith("/"):
                raise ValueError(f"{pattern!r} is not an absolute path\nbegin it with /, such as /var/log/app/*.log")
        return files


class ListenModel(Strict):
    """Where syslog is listened for: one place or a list of each kind."""

    udp: Annotated[list[Address], BeforeValidator(_addresses)] = Field(default=[])
    tcp: Annotated[list[Address], BeforeValidator(_addresses)] = Field(default=[])
    unix: Annotated[list[str], BeforeValidator(_paths)] = Field(default=[])
    unix_stream: Annotated[list[str], BeforeValidator(_paths)] = Field(default=[])

    @model_validator(mode="after")
    def _somewhere(self) -> ListenModel:
        if not (self.udp or self.tcp or self.unix or self.unix_stream):
            raise ValueError("`syslog` names no address\nwrite udp, tcp, unix or unix_stream")
        return self


class SyslogModel(RefinedModel):
    """A syslog server: `{syslog: {udp: "127.0.0.1:5514"}}`."""

    syslog: ListenModel
    service: str = ""
    host: str = ""
    severity: str = "notice"
    max_line: Size = 1 << 20
    max_spool: Size = 1 << 30

    _severity = field_validator("severity")(_checked_severity)


class ListModel(Strict):
    """A file of several inputs; each is validated by itself."""

    inputs: list[Any]


class ServicesModel(Strict):
    """Programs by the service that they belong to."""

    services: dict[str, list[str]]


InputModel = FilesModel | SyslogModel


@dataclass(frozen=True, slots=True)
class Shippers:
    """What the files say. services: of each program the service."""

    inputs: list[InputModel] = field(default_factory=list)
    services: dict[str, str] = field(default_factory=dict)


def load_inputs(
    paths: Sequence[Path], default_services: Path | None = None, default_presets: Path | None = None
) -> Shippers:
    """The inputs in these files and directories, in order. Raises ConfigError with every mistake in them.

    default_services: a file of services, read where these have none.   default_presets: a file of presets, to which
    theirs are added.
    """
    files = list(yaml_files(paths))
    documents = [read_document(path) for path in files]
    shipped = [read_document(default_presets)] if default_presets is not None else []
    presets = presets_in([*shipped, *documents])
    inputs = [model for document in documents for model in _inputs(document, presets)]
    if default_services is not None and not any(_has_services(document) for document in documents):
        documents.append(read_document(default_services))
    services = _services(documents)
    mistakes = [mistake for document in [*shipped, *documents] for mistake in document.mistakes]
    if not files:
        mistakes.append(Mistake(Place(", ".join(map(str, paths))), "no inputs here", "expected *.yaml files"))
    if mistakes:
        raise ConfigError(mistakes)
    return Shippers(inputs, services)


def _has_services(document: Document) -> bool:
    return isinstance(document.data, dict) and "services" in document.data


def _inputs(document: Document, presets: Presets) -> list[InputModel]:
    data = document.data
    if isinstance(data, dict):
        data = {key: value for key, value in data.items() if key not in ("services", "presets")} or None
    if data is None:
        return []
    entries: list[tuple[Path_, Any]] = [((), data)]
    if isinstance(data, dict) and "inputs" in data:
        whole = validate(document, ListModel, data)
        entries = [(("inputs", index), entry) for index, entry in enumerate(whole.inputs)] if whole else []
    known = [(at, expanded(document, entry, at, presets)) for at, entry in entries]
    found = (_input(document, entry, at) for at, entry in known if entry is not UNKNOWN)
    return [model for model in found if model is not None]


def _input(document: Document, entry: Any, at: Path_) -> InputModel | None:
    if not isinstance(entry, dict) or "syslog" not in entry:
        return validate(document, FilesModel, entry, at)
    if "files" in entry:
        remedy = "make two inputs of them, in a list under `inputs`"
        document.mistakes.append(Mistake(document.key_place((*at, "files")), "both `files` and `syslog`", remedy))
        return None
    return validate(document, SyslogModel, entry, at)


def _services(documents: Iterable[Document]) -> dict[str, str]:
    """The service of each program, of all files together."""
    services: dict[str, str] = {}
    places: dict[str, Place] = {}
    for document in documents:
        if not _has_services(document):
            continue
        model = validate(document, ServicesModel, {"services": document.data["services"]})
        for service, programs in model.services.items() if model else ():
            for index, program in enumerate(programs):
                place = document.place(("services", service, index))
                if program in places:
                    problem = f"program `{program}` is here twice"
                    document.mistakes.append(Mistake(place, problem, f"the first is at {places[program]}"))
                else:
                    services[program], places[program] = service, place
    return services
