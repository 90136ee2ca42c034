"""Text for a terminal -> the same without its colours. Pure."""

from __future__ import annotations

import re

_COLOUR = re.compile(r"\x1b\[[\d;]{0,16}m", re.ASCII)


def uncoloured(text: str) -> str:
    """The text as it would be if it went to a file."""
    return _COLOUR.sub("", text) if "\x1b" in text else text
