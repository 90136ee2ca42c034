"""The destinations that a rules file can name, by their `type`."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import field_validator

from logrouter.config.email import EmailModel
from logrouter.config.templates import template_problem
from logrouter.config.units import Duration, Size
from logrouter.config.validation import Strict

_LONGEST = 255


class ArchiveModel(Strict):
    """Compressed files: `{type: archive, dir: /var/log/central, path: "{service}/{host}/{date}.jsonl.gz"}`."""

    type: Literal["archive"]
    dir: str | None = None
    path: str = "{service}/{host}/{date}.jsonl.gz"
    format: Literal["ndjson", "text"] = "ndjson"
    rotate: Size = 1 << 30
    keep: Duration | None = None

    @field_validator("path")
    @classmethod
    def _stays_below(cls, path: str) -> str:
        if problem := template_problem(path):
            raise ValueError(problem)
        return path

    @field_validator("dir", "path")
    @classmethod
    def _fits(cls, path: str | None) -> str | None:
        if path is not None and any(len(os.fsencode(part)) > _LONGEST for part in path.split("/")):
            raise ValueError(f"a name in this path has more than {_LONGEST} bytes\nno file system takes one")
        return path

    @field_validator("keep")
    @classmethod
    def _days(cls, keep: float | None) -> float | None:
        if keep is not None and keep < 86400:
            raise ValueError("files are kept for whole days\nwrite `keep: 1d` or more, or leave it out for ever")
        return keep


class DiscardModel(Strict):
    """Nothing is kept: `{type: discard}`. A destination named `discard` is always there."""

    type: Literal["discard"]


NOTHING = DiscardModel(type="discard")
DestinationModel = ArchiveModel | DiscardModel | EmailModel

MODELS: dict[str, type[DestinationModel]] = {"archive": ArchiveModel, "discard": DiscardModel, "email": EmailModel}
