"""Parse sizes and durations as people write them: `1 MiB`, `90d`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

_NUMBER_UNIT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")

_BYTES = {"": 1, "b": 1}
for _power, _letter in enumerate("kmgt", start=1):
    _BYTES |= {_letter: 1024**_power, f"{_letter}ib": 1024**_power, f"{_letter}b": 1000**_power}

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}

MAX_SIZE = 1 << 50
MAX_DURATION = 100 * _SECONDS["y"]
"""Seconds. A date minus this duration is still a valid date."""


def parse_size(text: Any) -> int:
    """Return the bytes in `512`, `64 KiB` or `1GB`. Raises ValueError with a remedy after a newline."""
    found = _parse(text, _BYTES, "a size", "write a number and KiB, MiB or GiB, such as 64 MiB")
    if found > MAX_SIZE:
        raise ValueError(f"{text} is too large\nwrite at most {MAX_SIZE >> 40} TiB")
    return int(found)


def parse_duration(text: Any) -> float:
    """Return the seconds in `10s`, `5 m` or `90d`. Raises ValueError with a remedy after a newline."""
    found = _parse(text, _SECONDS, "a duration", "write a number and s, m, h, d, w or y, such as 90d")
    if found > MAX_DURATION:
        raise ValueError(f"{text} is too long\nwrite at most {MAX_DURATION / _SECONDS['y']:g}y")
    return found


def _parse(text: Any, units: dict[str, float] | dict[str, int], what: str, remedy: str) -> float:
    found = _NUMBER_UNIT.fullmatch(str(text))
    if isinstance(text, bool) or found is None or found[2].lower() not in units:
        raise ValueError(f"{text!r} is not {what}\n{remedy}")
    return float(found[1]) * units[found[2].lower()]


def at_most(limit: int) -> AfterValidator:
    """Return a validator that rejects sizes over `limit` bytes, a whole number of MiB."""

    def check(size: int) -> int:
        if size > limit:
            raise ValueError(f"{size} bytes are too many\nwrite at most {limit >> 20} MiB")
        return size

    return AfterValidator(check)


Size = Annotated[int, BeforeValidator(parse_size)]
Duration = Annotated[float, BeforeValidator(parse_duration)]
