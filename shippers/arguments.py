"""Makes inputs of the files and the standard input that a command line names, without a configuration.

The inputs equal those of a configuration with the same content. Neither YAML nor the models are imported, so that such
a command starts fast.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from shippers.encode.text import Refining
from shippers.input import Input, Stdin, compressed_except
from shippers.redact.redaction import Redaction

Files = Sequence[tuple[str, str]]
"""Pairs of a service and a pattern, from `--file SERVICE=GLOB`."""


def from_files(files: Files, redaction: Redaction | None = None) -> list[Input]:
    """Return one input for each pair. Patterns are relative to the working directory; files are read from the start."""
    globs = [os.path.abspath(pattern) for _, pattern in files]  # noqa: PTH100  # a pattern is not a path
    return [
        Input(service, (glob,), exclude=compressed_except([glob]), refining=Refining(redaction))
        for (service, _), glob in zip(files, globs, strict=True)
    ]


def from_stdin(service: str, severity: str, redaction: Redaction | None = None) -> Input:
    """Return an input that reads standard input. severity: the severity of lines that state none."""
    return Input(service=service, severity=severity, feed=Stdin(), refining=Refining(redaction))
