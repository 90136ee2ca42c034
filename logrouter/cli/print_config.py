"""`logrouter ship --print-config`: what was understood of the configuration, as YAML that can be read back in.

In come models, out goes text in which every default is filled in. It is taken from the models themselves, so that a new
key of an input is shown without a line here.
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
from shippers.settings import argument_models, load

_UNSAID: Mapping[str, Any] = {"first_read": "all", "exclude": list(COMPRESSED)}
"""What None stands for."""

_SIZES = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))


def with_arguments(configured: Path | None, files: Files, redact: Sequence[RedactModel]) -> Shippers:
    """What a configuration says, and what it would say of files that `--file` names. redact: of the latter."""
    said = load(configured)
    return Shippers([*said.inputs, *argument_models(files, redact)], said.services)


def as_yaml(chosen: Shippers, host: str) -> str:
    """The inputs, and the services of programs if any input goes by them. host: of files that name none."""
    whole: dict[str, Any] = {"inputs": [_filled(each, host) for each in chosen.inputs]}
    if any(not each.service for each in chosen.inputs):
        by_service: dict[str, list[str]] = {}
        for program, service in chosen.services.items():
            by_service.setdefault(service, []).append(program)
        whole = {"services": by_service, **whole}
    text = _dumped(whole, in_ascii=False)
    return text if printable(text, newlines=True) == text else _dumped(whole, in_ascii=True)


def _dumped(whole: Mapping[str, Any], *, in_ascii: bool) -> str:
    """As YAML; in ASCII every other character is written as its escape."""
    style: dict[str, Any] = {"sort_keys": False, "default_flow_style": None, "width": 120}
    return str(yaml.dump(whole, Dumper=_Dumper, allow_unicode=not in_ascii, **style))


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Whoever reads it wants to see the value, however often it is there."""
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
            value = _UNSAID.get(key)
        elif isinstance(value, BaseModel) and isinstance(dumped[key], dict):
            value = _plain(value)
        else:
            value = _written(dumped[key], {_parser(each) for each in (*field.metadata, field.annotation)})
        found[key] = value
    return found


def _written(value: Any, parsers: set[Any]) -> Any:
    """A value as it is written in YAML."""
    if isinstance(value, tuple):
        host, port = value
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if isinstance(value, list):
        return [_written(each, parsers) for each in value]
    if parsers & {parse_size, parse_first_read}:
        return next((f"{value // size} {unit}" for unit, size in _SIZES if value and not value % size), value)
    return f"{value:g}s" if parse_duration in parsers else value


def _parser(part: Any) -> Any:
    """What reads such a value, where that is a size or a duration."""
    if isinstance(part, BeforeValidator):
        return part.func
    return next((found for each in typing.get_args(part) if (found := _parser(each))), None)
