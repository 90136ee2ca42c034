"""What a command line names, as inputs: files and standard input, without a configuration.

In come options, out go the same inputs as for a configuration that says no more; neither YAML nor models are loaded.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from shippers.encode.text import Refining
from shippers.input import Input, Stdin, compressed_except
from shippers.redact.redaction import Redaction

Files = Sequence[tuple[str, str]]
"""Pairs of a service and a pattern, as `--file SERVICE=GLOB` gives them."""


def from_files(files: Files, redaction: Redaction | None = None) -> list[Input]:
    """One input each, read from its start; a relative pattern counts from here."""
    globs = [os.path.abspath(pattern) for _, pattern in files]  # noqa: PTH100  # a pattern is no path
    return [
        Input(service, (glob,), exclude=compressed_except([glob]), refining=Refining(redaction))
        for (service, _), glob in zip(files, globs, strict=True)
    ]


def from_stdin(service: str, severity: str, redaction: Redaction | None = None) -> Input:
    """Standard input, of one service; severity: of lines that state none."""
    return Input(service=service, severity=severity, feed=Stdin(), refining=Refining(redaction))
