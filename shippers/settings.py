"""What a host's configuration and command line come to: the inputs of its agent."""

from __future__ import annotations

import os
from collections.abc import Sequence

from logrouter.config.shippers import FilesModel
from shippers.windows import COMPRESSED, Input


def from_models(models: Sequence[FilesModel]) -> list[Input]:
    """The inputs of shippers/*.yaml."""
    return [
        Input(
            service=model.service,
            globs=tuple(model.files),
            host=model.host,
            severity=model.severity,
            read_from="start" if model.first_read is None else model.first_read,
            max_line=model.max_line,
            exclude=COMPRESSED if model.exclude is None else tuple(model.exclude),
        )
        for model in models
    ]


def from_arguments(files: Sequence[tuple[str, str]]) -> list[Input]:
    """The inputs of `--file SERVICE=GLOB`, read from their start; a relative pattern counts from here."""
    return [Input(service=service, globs=(os.path.abspath(pattern),)) for service, pattern in files]  # noqa: PTH100  # a pattern is no path
