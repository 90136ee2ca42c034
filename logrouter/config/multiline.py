"""`multiline` of an input: which lines belong together.

In comes a name, a list of names or a mapping; out comes a model, or ValueError with a remedy behind a newline.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from logrouter.config.mistakes import did_you_mean
from logrouter.config.units import Duration
from logrouter.config.validation import Strict
from logrouter.support.regex import regex_problem

TRACES = ("python", "java", "go", "node")
INDENTED = "indented"
"""What every other one does too: an indented line goes on with what is before it."""

_LONGEST_FLUSH = 60.0


class MultilineModel(Strict):
    """How lines make records: traces by the language that writes them, or one pattern of one's own."""

    traces: list[str] = Field(default=[])
    begins: str = ""
    continues: str = ""
    flush: Duration = 1.0

    @field_validator("traces")
    @classmethod
    def _known(cls, traces: list[str]) -> list[str]:
        for name in traces:
            if name not in (*TRACES, INDENTED):
                raise ValueError(f"{name!r} is no kind of trace\n{did_you_mean(name, (*TRACES, INDENTED))}")
        return traces

    @field_validator("begins", "continues")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        if problem := regex_problem(pattern):
            raise ValueError(f"bad regex: {problem}\npatterns are RE2's: no look-around, no back-references")
        return pattern

    @field_validator("flush")
    @classmethod
    def _in_reach(cls, seconds: float) -> float:
        if not 0 < seconds <= _LONGEST_FLUSH:
            raise ValueError("`flush` is out of reach\nwrite up to 60s: so long a last record waits for more lines")
        return seconds

    @model_validator(mode="after")
    def _one_way(self) -> MultilineModel:
        if bool(self.traces) + bool(self.begins) + bool(self.continues) != 1:
            raise ValueError("`multiline` needs one way\nwrite a name such as python, or `begins`, or `continues`")
        return self


def _spelled_out(given: Any) -> Any:
    if isinstance(given, str):
        return {"traces": [given]}
    return {"traces": given} if isinstance(given, list) else given


Multiline = Annotated[MultilineModel, BeforeValidator(_spelled_out)]
