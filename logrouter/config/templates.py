"""Path templates of archives: their placeholders, and checks."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

PLACEHOLDERS = ("service", "host", "severity", "date", "year", "month", "day")
DATED = {"date", "year", "month", "day"}
PLACEHOLDER = re.compile(r"\{(\w*)\}")


def template_problem(template: str) -> str | None:
    """Return what is wrong with a path template, with a remedy after a newline; None if it is valid."""
    unknown = [name for name in PLACEHOLDER.findall(template) if name not in PLACEHOLDERS]
    path = PurePosixPath(PLACEHOLDER.sub("x", template))
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        return f"{{{unknown[0]}}} is not a placeholder\nuse any of {known}"
    if path.is_absolute() or ".." in path.parts or not path.name:
        return "the path must be relative, name a file and stay below `dir`\nset `dir` to move the whole archive"
    if "+" in template:
        return "the path contains `+`, which marks segments and open files\nuse another character"
    return None


def is_dated(template: str) -> bool:
    """Report whether the path contains part of the filing date."""
    return not DATED.isdisjoint(PLACEHOLDER.findall(template))


def can_collide(one: str, other: str) -> bool:
    """Report whether two templates can give the same path, if a placeholder can be any text within its component."""
    ours, theirs = one.split("/"), other.split("/")
    return len(ours) == len(theirs) and all(
        _covers(mine, yours) or _covers(yours, mine) for mine, yours in zip(ours, theirs, strict=True)
    )


def _covers(component: str, other: str) -> bool:
    pattern = ".+".join(map(re.escape, PLACEHOLDER.split(component)[::2]))
    return re.fullmatch(pattern, PLACEHOLDER.sub("\0", other)) is not None
