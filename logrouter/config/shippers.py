"""shippers/*.yaml -> the inputs of a host: all files in the order of their names, every mistake at once.

In come paths, out goes what the files say as frozen data; or ConfigError. A file is one input (`service`, `files`), or
a list of them under `inputs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import field_validator

from logrouter.config.document import Document, Path_, read_document, yaml_files
from logrouter.config.mistakes import ConfigError, Mistake, Place
from logrouter.config.severities import severity_problem
from logrouter.config.units import Size
from logrouter.config.validation import Strict, validate


class FilesModel(Strict):
    """Files to follow: `{service: mail, files: [/var/log/mail.log]}`."""

    service: str
    files: list[str]
    exclude: list[str] | None = None
    host: str = ""
    severity: str = "info"
    first_read: Size | None = None
    max_line: Size = 1 << 20

    @field_validator("files")
    @classmethod
    def _absolute(cls, files: list[str]) -> list[str]:
        if not files:
            raise ValueError("`files` is empty\nname at least one file or pattern")
        for pattern in files:
            if not pattern.startswith("/"):
                raise ValueError(f"{pattern!r} is not an absolute path\nbegin it with /, such as /var/log/app/*.log")
        return files

    @field_validator("severity")
    @classmethod
    def _known(cls, severity: str) -> str:
        if problem := severity_problem(severity):
            raise ValueError("\n".join(problem))
        return severity


class ListModel(Strict):
    """A file of several inputs; each is validated by itself."""

    inputs: list[Any]


def load_inputs(paths: Sequence[Path]) -> list[FilesModel]:
    """The inputs in these files and directories, in order. Raises ConfigError with every mistake in them."""
    inputs: list[FilesModel] = []
    mistakes: list[Mistake] = []
    files = list(yaml_files(paths))
    for path in files:
        document = read_document(path)
        inputs += _read(document)
        mistakes += document.mistakes
    if not files:
        mistakes.append(Mistake(Place(", ".join(map(str, paths))), "no inputs here", "expected *.yaml files"))
    if mistakes:
        raise ConfigError(mistakes)
    return inputs


def _read(document: Document) -> list[FilesModel]:
    data = document.data
    if data is None:
        return []
    entries: list[tuple[Path_, Any]] = [((), data)]
    if isinstance(data, dict) and "inputs" in data:
        whole = validate(document, ListModel)
        entries = [(("inputs", index), entry) for index, entry in enumerate(whole.inputs)] if whole else []
    found = (validate(document, FilesModel, entry, at) for at, entry in entries)
    return [model for model in found if model is not None]
