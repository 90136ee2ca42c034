"""Protection of a reader against hostile text in log lines: invisible characters are replaced by visible escapes.

The result cannot move the cursor, change colours, end a header or hide anything. Escaped are the control characters of
Unicode (categories Cc, Cf, Zl, Zp), all characters that are drawn as nothing (Default_Ignorable: zero widths, fillers,
tags, variation selectors), and lone surrogates. A tab stays, because it does no more than spaces do. A newline stays
only if the caller asks for it, because it begins another line. Escaping a result again changes nothing.
"""

from __future__ import annotations

import re

_HIDDEN = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    r"\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    r"\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_HIDDEN_IN_TEXT, _HIDDEN_IN_LINE = re.compile(f"[{_HIDDEN}]"), re.compile(rf"[\n{_HIDDEN}]")

_SELECTORS = "\ufe0e\ufe0f"
_SYMBOL = re.compile("[\xa9\xae\u203c\u2049\u2122-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]")
"""Characters that a variation selector after them shows as text or as an emoji, as in many programs' logs. After any
other character a selector is invisible."""


def printable(text: str, *, newlines: bool = False) -> str:
    """Return the text with every invisible character escaped; with `newlines`, newlines stay."""
    if text.isascii() and text.isprintable():
        return text
    return (_HIDDEN_IN_TEXT if newlines else _HIDDEN_IN_LINE).sub(_escape, text)


def encodable(text: str) -> str:
    """Return the text with lone surrogates escaped. Python uses them for names of the system that are not UTF-8."""
    return text.encode(errors="backslashreplace").decode()


def printable_json(text: str) -> str:
    r"""Return the same JSON, with every invisible character in a string as its JSON escape (`\u009b`)."""
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN_IN_TEXT.sub(_json_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    if found[0] in _SELECTORS and _SYMBOL.match(found.string, found.start() - 1):
        return found[0]
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json_escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
