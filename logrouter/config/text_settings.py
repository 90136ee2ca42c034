"""What an input may say of its texts before they leave the host: `redact`, `fields`, `conversation`.

In come plain values, out come models, or ValueError with a remedy behind a newline.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_serializer, model_validator

from logrouter.config.mistakes import did_you_mean
from logrouter.config.validation import Strict
from logrouter.support.regex import compile_regex, regex_problem
from logrouter.wire.record import CONVERSATION

PRESETS = ("card", "email", "ip", "bearer", "url_password")
_RE2 = "patterns are RE2's: no look-around, no back-references"


class RedactModel(Strict):
    """The name of a preset, or `{pattern: RE2, with: TEXT}`."""

    preset: str = ""
    pattern: str = ""
    with_: str = Field(default="[redacted]", alias="with")

    @field_validator("preset")
    @classmethod
    def _known(cls, preset: str) -> str:
        if preset not in PRESETS:
            remedy = did_you_mean(preset, PRESETS)
            raise ValueError(f"`{preset}` is nothing that is known how to redact\n{remedy}, or write {{pattern: ...}}")
        return preset

    @field_validator("pattern")
    @classmethod
    def _finds_something(cls, pattern: str) -> str:
        if problem := regex_problem(pattern):
            raise ValueError(f"bad regex: {problem}\n{_RE2}")
        if compile_regex(pattern).fullmatch("") is not None:
            raise ValueError(f"{pattern!r} finds nothing at all between any two letters\nlet it find a letter at least")
        return pattern

    @model_validator(mode="after")
    def _one_of_both(self) -> RedactModel:
        if bool(self.preset) == bool(self.pattern):
            raise ValueError("this redacts nothing\nwrite a name such as card, or {pattern: ..., with: ...}")
        return self

    @model_serializer
    def _as_written(self) -> Any:
        return self.preset or {"pattern": self.pattern, "with": self.with_}


def _redact_list(given: Any) -> Any:
    return given if isinstance(given, list) else [given]


def _redact_one(given: Any) -> Any:
    return {"preset": given} if isinstance(given, str) else given


Redact = Annotated[list[Annotated[RedactModel, BeforeValidator(_redact_one)]], BeforeValidator(_redact_list)]


def _conversation(given: Any) -> Any:
    """Names of fields, or a pattern with a group; `false` for none."""
    if given is False:
        return []
    if isinstance(given, str):
        if problem := regex_problem(given):
            raise ValueError(f"bad regex: {problem}\n{_RE2}")
        if not compile_regex(given).groups:
            raise ValueError(f"{given!r} has no group\nput what ties lines together in (...), or write a list of names")
        return given
    if not isinstance(given, list) or not all(isinstance(name, str) and name.strip() == name != "" for name in given):
        raise ValueError("`conversation` is a list of field names, or one pattern\nsuch as [trace_id], or 'job (\\w+)'")
    return given


class RefinedModel(Strict):
    """What every kind of input may say."""

    redact: Redact = Field(default=[])
    fields: bool = False
    conversation: Annotated[list[str] | str, BeforeValidator(_conversation)] = Field(default=list(CONVERSATION))
