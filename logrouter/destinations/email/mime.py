"""Writes a mail's headers and its two texts as bytes: RFC 5322 with CRLF, in ASCII only, folded at 78 characters.

Python's email package is not used, because it decodes encoded words wherever they are in its input: a log line could
become a header, or keep a mail from being written. Header text that is not plain is written as encoded words
(RFC 2047), and so is text that could be taken for one. Bodies are quoted-printable (RFC 2045).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence

_WIDTH = 78
"""The most characters of a line (RFC 5322, 2.1.1)."""

_ENCODED_WIDTH = 76
"""The most characters of a line that has an encoded word (RFC 2047, 2)."""

_BEGIN, _END = "=?utf-8?b?", "?="


def text_header(name: str, text: str) -> str:
    """Return a folded header whose value is text, which readers decode to exactly that text."""
    is_plain = text.isascii() and text.isprintable() and text == text.strip() and "=?" not in text
    if is_plain and all(len(word) < _WIDTH - len(name) - 2 for word in text.split(" ")):
        return token_header(name, re.findall(" *[^ ]+", text), "")
    return f"{name}: " + "\r\n ".join(_encoded_words(text, _ENCODED_WIDTH - len(name) - 2))


def token_header(name: str, tokens: Sequence[str], space: str = " ") -> str:
    """Return a header of ASCII words, folded between words where needed. space: the separator between two words."""
    lines = [f"{name}:"]
    for number, token in enumerate(tokens):
        word = f" {token}" if number == 0 else f"{space}{token}"
        if number and len(lines[-1]) + len(word) > _WIDTH:
            lines.append(word)
        else:
            lines[-1] += word
    return "\r\n".join(lines)


def alternatives(headers: Sequence[str], text: str, html: str, boundary: str) -> bytes:
    """Return a mail with the same content as text and as HTML. headers: folded.   boundary: letters and digits."""
    # Quoted-printable text never contains `=_`, so no text can end its part early.
    border = f"=_{boundary}"
    lines = [
        *headers,
        "MIME-Version: 1.0",
        f'Content-Type: multipart/alternative;\r\n boundary="{border}"',
        "",
        f"--{border}",
        *_part("plain", text),
        f"--{border}",
        *_part("html", html),
        f"--{border}--",
        "",
    ]
    return "\r\n".join(lines).encode("ascii")


def _part(subtype: str, text: str) -> Iterator[str]:
    yield f"Content-Type: text/{subtype}; charset=utf-8"
    yield "Content-Transfer-Encoding: quoted-printable"
    yield ""
    for line in [*text.removesuffix("\n").split("\n"), ""]:
        # With istext=False each line break in the output is a soft one, and control characters, line ends included,
        # are written as `=XX`.
        encoded = binascii.b2a_qp(line.encode(errors="backslashreplace"), istext=False)
        yield encoded.decode("ascii").replace("\n", "\r\n")


def _encoded_words(text: str, room: int) -> Iterator[str]:
    """Yield encoded words of whole characters: the first of at most `room` characters, the others of a line each."""
    word, size = "", 0
    for letter in text:
        added = len(letter.encode(errors="backslashreplace"))
        if 4 * -(-(size + added) // 3) > room - len(_BEGIN) - len(_END):
            yield _encoded_word(word)
            word, size, room = "", 0, _ENCODED_WIDTH - 1
        word, size = word + letter, size + added
    yield _encoded_word(word)


def _encoded_word(text: str) -> str:
    return _BEGIN + base64.b64encode(text.encode(errors="backslashreplace")).decode() + _END
