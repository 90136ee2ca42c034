"""Finds the service that a line belongs to from its program, where its input names none. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_PART = re.compile(r"[/(]")
_FACILITIES = {"mail": "mail", "auth": "auth", "authpriv": "auth", "cron": "cron", "kern": "kern"}

UNKNOWN = "system"
"""The service of a line that names no program."""


@dataclass(frozen=True, eq=False)
class Services:
    """A map of programs to services. programs: the service of each known program."""

    programs: Mapping[str, str] = field(default_factory=dict)

    def of(self, app: str | None, facility: str | None = None) -> str:
        """Return the service of a line.

        It is that of its program, looked up whole and up to the first `/` or `(`; else that of its facility; else the
        name of the program itself.
        """
        if app:
            known = self.programs.get(app) or self.programs.get(_PART.split(app, 1)[0])
            if known:
                return known
        return _FACILITIES.get(facility or "") or app or UNKNOWN


NO_SERVICES = Services()
