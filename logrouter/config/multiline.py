"""The model of `multiline` of an input: which lines belong together.

It is written as a name, a list of names or a mapping. A mistake is a ValueError with its remedy after a newline.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from logrouter.config.mistakes import RE2_REMEDY, did_you_mean
from logrouter.config.units import Duration
from logrouter.config.validation import Strict
from logrouter.support.regex import regex_problem

TRACES = ("python", "java", "go", "node")
INDENTED = "indented"
"""An indented line continues the record before it. All other names imply this."""

_LONGEST_FLUSH = 60.0


class MultilineModel(Strict):
    """The way lines form records: by traces of these languages, or by one pattern of the user.

    flush: seconds for which a last record waits for more lines.
    """

    traces: list[str] = Field(default=[])
    begins: str = ""
    continues: str = ""
    flush: Duration = 1.0

    @field_validator("traces")
    @classmethod
    def _known(cls, traces: list[str]) -> list[str]:
        for name in traces:
            if name not in (*TRACES, INDENTED):
                raise ValueError(f"{name!r} is not a kind of trace\n{did_you_mean(name, (*TRACES, INDENTED))}")
        return traces

    @field_validator("begins", "continues")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        if problem := regex_problem(pattern):
            raise ValueError(f"the pattern is invalid: {problem}\n{RE2_REMEDY}")
        return pattern

    @field_validator("flush")
    @classmethod
    def _in_reach(cls, seconds: float) -> float:
        if not 0 < seconds <= _LONGEST_FLUSH:
            raise ValueError("`flush` must be above 0s and at most 60s\nwrite how long a last record waits, such as 1s")
        return seconds

    @model_validator(mode="after")
    def _one_way(self) -> MultilineModel:
        if bool(self.traces) + bool(self.begins) + bool(self.continues) != 1:
            raise ValueError(
                "`multiline` needs one way to join lines\nwrite a name such as python, or `begins`, or `continues`"
            )
        return self


def _spelled_out(given: Any) -> Any:
    if isinstance(given, str):
        return {"traces": [given]}
    return {"traces": given} if isinstance(given, list) else given


Multiline = Annotated[MultilineModel, BeforeValidator(_spelled_out)]
