"""Models of the destinations in a rules file, one for each `type`."""

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
            raise ValueError(f"a name in this path is longer than {_LONGEST} bytes\nshorten it: file systems reject it")
        return path

    @field_validator("keep")
    @classmethod
    def _days(cls, keep: float | None) -> float | None:
        if keep is not None and keep < 86400:
            raise ValueError("`keep` is less than one day\nwrite 1d or more, or leave it out to keep files forever")
        return keep


class DiscardModel(Strict):
    """A destination that keeps nothing: `{type: discard}`. One named `discard` always exists."""

    type: Literal["discard"]


NOTHING = DiscardModel(type="discard")
DestinationModel = ArchiveModel | DiscardModel | EmailModel

MODELS: dict[str, type[DestinationModel]] = {"archive": ArchiveModel, "discard": DiscardModel, "email": EmailModel}
