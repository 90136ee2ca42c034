"""Settings for what happens to the text of an input before it leaves the host: `redact`, `fields`, `conversation`.

A mistake is a ValueError with its remedy after a newline.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_serializer, model_validator

from logrouter.config.mistakes import RE2_REMEDY, did_you_mean
from logrouter.config.validation import Strict
from logrouter.support.regex import compile_regex, regex_problem
from logrouter.wire.record import CONVERSATION

PRESETS = ("card", "email", "ip", "bearer", "url_password")


class RedactModel(Strict):
    """The name of a preset, or `{pattern: RE2, with: TEXT}`."""

    preset: str = ""
    pattern: str = ""
    with_: str = Field(default="[redacted]", alias="with")

    @field_validator("preset")
    @classmethod
    def _known(cls, preset: str) -> str:
        if preset not in PRESETS:
            remedy = did_you_mean(preset, (*PRESETS, "{pattern: ...}"))
            raise ValueError(f"`{preset}` is not a kind of text to redact\n{remedy}")
        return preset

    @field_validator("pattern")
    @classmethod
    def _finds_something(cls, pattern: str) -> str:
        if problem := regex_problem(pattern):
            raise ValueError(f"the pattern is invalid: {problem}\n{RE2_REMEDY}")
        if compile_regex(pattern).fullmatch("") is not None:
            raise ValueError(f"the pattern {pattern!r} matches empty text\nmake it match at least one character")
        return pattern

    @model_validator(mode="after")
    def _one_of_both(self) -> RedactModel:
        if bool(self.preset) == bool(self.pattern):
            raise ValueError(
                "this must be either a name or a pattern\nwrite one such as card, or {pattern: ..., with: ...}"
            )
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
    """Return names of fields, or a pattern with a group. `false` means no names."""
    if given is False:
        return []
    if isinstance(given, str):
        if problem := regex_problem(given):
            raise ValueError(f"the pattern is invalid: {problem}\n{RE2_REMEDY}")
        if not compile_regex(given).groups:
            remedy = "put the part that identifies a conversation in (...), or write a list of field names"
            raise ValueError(f"the pattern {given!r} has no group\n{remedy}")
        return given
    if not isinstance(given, list) or not all(isinstance(name, str) and name.strip() == name != "" for name in given):
        raise ValueError(
            "`conversation` must be field names or a pattern\nwrite a list such as [trace_id], or 'job (\\w+)'"
        )
    return given


class RefinedModel(Strict):
    """The settings that every kind of input has."""

    redact: Redact = Field(default=[])
    fields: bool = False
    conversation: Annotated[list[str] | str, BeforeValidator(_conversation)] = Field(default=list(CONVERSATION))
