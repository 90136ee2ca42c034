"""Remove terminal colours from text. Pure."""

from __future__ import annotations

import re

_COLOUR = re.compile(r"\x1b\[[\d;]{0,16}m", re.ASCII)


def strip_colours(text: str) -> str:
    """Return the text as a program would write it to a file instead of a terminal."""
    return _COLOUR.sub("", text) if "\x1b" in text else text
