"""`logrouter ship --print-config`: the configuration as logrouter understands it, as YAML that it can read back.

Every default is filled in. The keys are read from the models themselves, so that a new key needs no change here.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, BeforeValidator

from logrouter.config.shippers import InputModel, Shippers, parse_first_read
from logrouter.config.text_settings import RedactModel
from logrouter.config.units import parse_duration, parse_size
from logrouter.support.terminal import printable
from shippers.arguments import Files
from shippers.input import COMPRESSED
from shippers.settings import load, models_from_arguments

_NONE_VALUES: Mapping[str, Any] = {"first_read": "all", "exclude": list(COMPRESSED)}
"""The settings that None stands for."""

_SIZES = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))


def with_arguments(configured: Path | None, files: Files, redact: Sequence[RedactModel]) -> Shippers:
    """Return the configured inputs and those of `--file`. redact: applies to the files of `--file` only."""
    loaded = load(configured)
    return Shippers([*loaded.inputs, *models_from_arguments(files, redact)], loaded.services)


def as_yaml(chosen: Shippers, host: str) -> str:
    """Return the inputs as YAML, and the services of programs if an input needs them. host: for files without one."""
    whole: dict[str, Any] = {"inputs": [_filled(each, host) for each in chosen.inputs]}
    if any(not each.service for each in chosen.inputs):
        by_service: dict[str, list[str]] = {}
        for program, service in chosen.services.items():
            by_service.setdefault(service, []).append(program)
        whole = {"services": by_service, **whole}
    text = _as_text(whole, in_ascii=False)
    return text if printable(text, newlines=True) == text else _as_text(whole, in_ascii=True)


def _as_text(whole: Mapping[str, Any], *, in_ascii: bool) -> str:
    """Return YAML. If `in_ascii`, every other character is escaped."""
    style: dict[str, Any] = {"sort_keys": False, "default_flow_style": None, "width": 120}
    return str(yaml.dump(whole, Dumper=_Dumper, allow_unicode=not in_ascii, **style))


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Write every value in full, because anchors and aliases are hard to read."""
        return True


def _filled(model: InputModel, host: str) -> dict[str, Any]:
    plain = _plain(model)
    if "files" in plain and not plain["host"]:
        plain["host"] = host
    first = [key for key in ("service", "files", "syslog") if key in plain]
    return {key: plain[key] for key in (*first, *(key for key in plain if key not in first))}


def _plain(model: BaseModel) -> dict[str, Any]:
    dumped = model.model_dump(by_alias=True)
    found = {}
    for name, field in type(model).model_fields.items():
        key, value = field.alias or name, getattr(model, name)
        if value is None:
            value = _NONE_VALUES.get(key)
        elif isinstance(value, BaseModel) and isinstance(dumped[key], dict):
            value = _plain(value)
        else:
            value = _as_setting(dumped[key], {_parser(each) for each in (*field.metadata, field.annotation)})
        found[key] = value
    return found


def _as_setting(value: Any, parsers: set[Any]) -> Any:
    """Return a value as it is written in YAML. parsers: the functions that parse the setting."""
    if isinstance(value, tuple):
        host, port = value
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if isinstance(value, list):
        return [_as_setting(each, parsers) for each in value]
    if parsers & {parse_size, parse_first_read}:
        return next((f"{value // size} {unit}" for unit, size in _SIZES if value and not value % size), value)
    return f"{value:g}s" if parse_duration in parsers else value


def _parser(part: Any) -> Any:
    """Return the function that parses values of this type, such as a size or a duration; None if there is none."""
    if isinstance(part, BeforeValidator):
        return part.func
    return next((found for each in typing.get_args(part) if (found := _parser(each))), None)
