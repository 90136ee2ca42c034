"""Text that whoever wrote a log line cannot use against its reader: control characters become visible.

In comes any text, out goes text that moves no cursor, changes no colours and ends no header.
"""

from __future__ import annotations

_CONTROL = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)] if code != ord("\t")}
_DIRECTION = {
    code: f"\\u{code:04x}" for code in (0x061C, *range(0x200E, 0x2010), *range(0x2028, 0x202F), *range(0x2066, 0x206A))
}
_ALL = {**_CONTROL, **_DIRECTION}
_BUT_NEWLINES = {code: shown for code, shown in _ALL.items() if code != ord("\n")}


def printable(text: str, *, newlines: bool = False) -> str:
    """The text with every control character written out; with `newlines` these stay."""
    return text.translate(_BUT_NEWLINES if newlines else _ALL).encode(errors="replace").decode()
