"""Load shippers/*.yaml, the inputs of a host, as frozen data.

The files are read in the order of their names. ConfigError reports every mistake in all of them at once. A file is one
input (`files`, `syslog` or `journal`), or a list of them under `inputs`. It may also define which programs belong to
which `services`, and `presets`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from logrouter.config.certificates import server_context
from logrouter.config.document import Document, KeyPath, read_document, yaml_files
from logrouter.config.mistakes import ConfigError, Location, Mistake
from logrouter.config.multiline import Multiline
from logrouter.config.presets import UNKNOWN, Presets, expanded, presets_in
from logrouter.config.severities import severity_problem
from logrouter.config.text_settings import RefinedModel
from logrouter.config.units import Duration, Size, at_most, parse_size
from logrouter.config.validation import Strict, validate

Address = tuple[str, int]
"""Host and port."""

DEFAULT_SOCKET = "default"
"""In place of a path: the socket at which `logrouter.handler` looks for a shipper."""

_LONGEST_MESSAGE = 1 << 20
"""Bytes of a message of syslog or the journal. In the spool it may take six times as many, and a line there 8 MiB."""

_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^:\[\]\s/]*)):(\d{1,5})")


def _checked_severity(severity: str) -> str:
    if problem := severity_problem(severity):
        raise ValueError("\n".join(problem))
    return severity


def _addresses(given: Any) -> list[Address]:
    """Return one address or several as a list. Raises ValueError with a remedy after a newline."""
    return [_address(each) for each in (given if isinstance(given, list) else [given])]


def _address(text: Any) -> Address:
    found = _ADDRESS.fullmatch(text) if isinstance(text, str) else None
    if found is None or not 0 < int(found[3]) < 65_536 or not _is_host(found[1] or found[2]):
        raise ValueError(f"{text!r} is not an address\nwrite host:port, such as 127.0.0.1:5514, or [::1]:5514")
    return found[1] or found[2], int(found[3])


def _is_host(name: str) -> bool:
    """Report whether a name can be looked up."""
    try:
        name.encode("idna")
    except UnicodeError:
        return False
    return True


def _paths(given: Any) -> list[str]:
    paths = given if isinstance(given, list) else [given]
    for path in paths:
        if path != DEFAULT_SOCKET and (not isinstance(path, str) or not path.startswith("/")):
            remedy = f"start it with /, such as /run/logrouter.sock, or write `{DEFAULT_SOCKET}`"
            raise ValueError(f"{path!r} is not an absolute path\n{remedy}")
    return paths


def _directory(given: Any) -> Any:
    return _paths(given)[0] if isinstance(given, str) and given else given


def parse_first_read(given: Any) -> int | None:
    """Return bytes, or None for `all`. Raises ValueError like `parse_size`."""
    return None if given is None or given == "all" else parse_size(given)


class FilesModel(RefinedModel):
    """Files to follow: `{service: mail, files: [/var/log/mail.log]}`."""

    service: str = ""
    files: list[str]
    exclude: list[str] | None = None
    olddir: str = ""
    host: str = ""
    severity: str = "info"
    first_read: Annotated[int | None, BeforeValidator(parse_first_read)] = None
    max_line: Annotated[Size, at_most(8 << 20)] = 1 << 20
    multiline: Multiline | None = None
    format: Literal["lines", "docker", "cri"] = "lines"

    _severity = field_validator("severity")(_checked_severity)

    @field_validator("files")
    @classmethod
    def _absolute(cls, files: list[str]) -> list[str]:
        if not files:
            raise ValueError("`files` is empty\nname at least one file or pattern")
        for pattern in files:
            if not pattern.startswith("/"):
                raise ValueError(f"{pattern!r} is not an absolute path\nstart it with /, such as /var/log/app/*.log")
        return files


class ListenModel(Strict):
    """The addresses at which to listen for syslog, one or a list of each kind.

    certificate, key, client_ca: paths of PEM files for `tls`; without `key`, the certificate's file contains it.
    """

    udp: Annotated[list[Address], BeforeValidator(_addresses)] = Field(default=[])
    tcp: Annotated[list[Address], BeforeValidator(_addresses)] = Field(default=[])
    tls: Annotated[list[Address], BeforeValidator(_addresses)] = Field(default=[])
    unix: Annotated[list[str], BeforeValidator(_paths)] = Field(default=[])
    unix_stream: Annotated[list[str], BeforeValidator(_paths)] = Field(default=[])
    certificate: str = ""
    key: str = ""
    client_ca: str = ""

    @field_validator("certificate", "key", "client_ca")
    @classmethod
    def _absolute(cls, path: str) -> str:
        return str(_paths(path)[0]) if path else path

    @model_validator(mode="after")
    def _somewhere(self) -> ListenModel:
        if not (self.udp or self.tcp or self.tls or self.unix or self.unix_stream):
            raise ValueError("`syslog` has no address\nadd udp, tcp, tls, unix or unix_stream")
        if self.tls and not self.certificate:
            raise ValueError("`tls` needs a certificate\nadd `certificate: /PATH` and `key: /PATH`")
        if not self.tls and (self.certificate or self.key or self.client_ca):
            raise ValueError('a certificate is set, but no `tls` address\nadd one, such as tls: "0.0.0.0:6514"')
        if self.tls:
            server_context(self.certificate, self.key, self.client_ca)
        return self


class SyslogModel(RefinedModel):
    """A syslog server: `{syslog: {udp: "127.0.0.1:5514"}}`.

    idle_timeout: seconds without a byte after which a connection is closed.   max_clients: connections at a time.
    """

    syslog: ListenModel
    service: str = ""
    host: str = ""
    severity: str = "notice"
    max_line: Annotated[Size, Field(ge=1), at_most(_LONGEST_MESSAGE)] = 1 << 20
    max_spool: Size = 1 << 30
    max_clients: int = Field(default=1000, ge=1)
    idle_timeout: Annotated[Duration, Field(gt=0)] = 86_400.0

    _severity = field_validator("severity")(_checked_severity)


def _entries(given: Any) -> int | None:
    """Return a number of entries, or None for `all`. Raises ValueError with a remedy after a newline."""
    if given == "all":
        return None
    if type(given) is not int or given < 1:
        raise ValueError(f"{given!r} is not a number of entries\nwrite one such as 1000, or all")
    return given


def _texts(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


def _options(given: Any) -> Any:
    """Return the options; none for `true`. Raises ValueError with a remedy after a newline."""
    if given is not True and not isinstance(given, dict):
        raise ValueError(
            f"{given!r} is not a setting of `journal`\nwrite true, or options such as {{units: [sshd.service]}}"
        )
    return {} if given is True else given


class JournalSelection(Strict):
    """The entries of a journal to follow.

    unless: files that replace the journal; it is followed only if this host has none of them.
    """

    units: Annotated[list[str], BeforeValidator(_texts)] = Field(default=[])
    directory: Annotated[str, BeforeValidator(_directory)] = ""
    first_read: Annotated[int | None, BeforeValidator(_entries)] = 1000
    unless: Annotated[list[str], BeforeValidator(_paths)] = Field(default=[])


class JournalModel(RefinedModel):
    """The systemd journal: `{journal: true}`, `{journal: {units: [sshd.service]}, service: auth}`."""

    journal: Annotated[JournalSelection, BeforeValidator(_options)]
    service: str = ""
    host: str = ""
    severity: str = "info"
    max_line: Annotated[Size, at_most(_LONGEST_MESSAGE)] = 1 << 20
    max_spool: Size = 1 << 30

    _severity = field_validator("severity")(_checked_severity)


class ListModel(Strict):
    """A file of several inputs. Each is validated separately."""

    inputs: list[Any]


class ServicesModel(Strict):
    """Programs, by the service that they belong to."""

    services: dict[str, list[str]]


InputModel = FilesModel | SyslogModel | JournalModel

_KINDS: dict[str, type[InputModel]] = {"files": FilesModel, "syslog": SyslogModel, "journal": JournalModel}
"""By the key that makes an input this kind."""


@dataclass(frozen=True, slots=True)
class Shippers:
    """The content of the files. services: the service of each program."""

    inputs: list[InputModel] = field(default_factory=list)
    services: dict[str, str] = field(default_factory=dict)


def load_inputs(
    paths: Sequence[Path], default_services: Path | None = None, default_presets: Path | None = None
) -> Shippers:
    """Return the inputs in these files and directories, in order. Raises ConfigError with every mistake in them.

    default_services: a file of services, read only if none of these files has any.   default_presets: a file of
    presets, to which these files add theirs.
    """
    files = list(yaml_files(paths))
    documents = [read_document(path) for path in files]
    shipped = [read_document(default_presets)] if default_presets is not None else []
    presets = presets_in([*shipped, *documents])
    inputs = [model for document in documents for model in _inputs(document, presets)]
    if documents:
        _journals_twice(documents[-1], inputs)
    if default_services is not None and not any(_has_services(document) for document in documents):
        documents.append(read_document(default_services))
    services = _services(documents)
    mistakes = [mistake for document in [*shipped, *documents] for mistake in document.mistakes]
    if not files:
        place = Location(", ".join(map(str, paths)))
        mistakes.append(Mistake(place, "there are no inputs here", "add a *.yaml file, or name another directory"))
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
    entries: list[tuple[KeyPath, Any]] = [((), data)]
    if isinstance(data, dict) and "inputs" in data:
        whole = validate(document, ListModel, data)
        entries = [(("inputs", index), entry) for index, entry in enumerate(whole.inputs)] if whole else []
    known = [(at, expanded(document, entry, at, presets)) for at, entry in entries]
    found = (_input(document, entry, at) for at, entry in known if entry is not UNKNOWN)
    return [model for model in found if model is not None]


def _input(document: Document, entry: Any, at: KeyPath) -> InputModel | None:
    kinds = [kind for kind in _KINDS if kind in entry] if isinstance(entry, dict) else []
    if len(kinds) > 1:
        remedy = "write two inputs, in a list under `inputs`"
        problem = f"an input cannot have both `{kinds[0]}` and `{kinds[1]}`"
        document.mistakes.append(Mistake(document.key_place((*at, kinds[0])), problem, remedy))
        return None
    return validate(document, _KINDS[kinds[0]] if kinds else FilesModel, entry, at)


def _journals_twice(document: Document, inputs: Iterable[InputModel]) -> None:
    """Report inputs that follow the same thing: this is what identifies the position at which an input resumes."""
    known = set()
    for model in inputs:
        if isinstance(model, JournalModel):
            identity = (model.service, model.journal.directory, frozenset(model.journal.units))
            if identity in known:
                problem = "two inputs follow the same units of a journal for the same service"
                document.mistakes.append(Mistake(Location(document.file), problem, "remove one of them"))
            known.add(identity)


def _services(documents: Iterable[Document]) -> dict[str, str]:
    """Return the service of each program in all files."""
    services: dict[str, str] = {}
    places: dict[str, Location] = {}
    for document in documents:
        if not _has_services(document):
            continue
        model = validate(document, ServicesModel, {"services": document.data["services"]})
        for service, programs in model.services.items() if model else ():
            for index, program in enumerate(programs):
                place = document.place(("services", service, index))
                if program in places:
                    problem = f"program `{program}` is listed twice"
                    remedy = f"remove one of them; the first is at {places[program]}"
                    document.mistakes.append(Mistake(place, problem, remedy))
                else:
                    services[program], places[program] = service, place
    return services
