"""A mail read by the letter of the RFCs, without Python's email package, which is no oracle: it decodes what it likes.

Whatever is not as the RFCs want it fails an assertion.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

_WORD = re.compile(r"=\?utf-8\?b\?([A-Za-z0-9+/=]+)\?=")
_HEADER = re.compile(r"([!-9;-~]+):(?: (.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Read:
    """What a reader sees. headers: as they stand, unfolded.   subject: decoded.   text, html: with LF."""

    headers: dict[str, str]
    subject: str
    text: str
    html: str


def read(content: bytes) -> Read:
    """The mail."""
    lines = content.decode("ascii").split("\r\n")
    assert not any("\r" in line or "\n" in line or "\0" in line for line in lines), "line ends are CRLF, and no NUL"
    assert max(map(len, lines)) <= 998, "RFC 5322, 2.1.1"
    assert all(len(line) <= 78 or len(line.split()) <= 2 for line in lines), "folded wherever it can be"
    assert not any("=?" in line and len(line) > 76 for line in lines), "RFC 2047, 2"
    head, _, body = content.decode("ascii").partition("\r\n\r\n")
    headers = {}
    for header in re.split(r"\r\n(?![ \t])", head):
        found = _HEADER.fullmatch(header)
        assert found, f"{header!r} is no header"
        assert found[1] not in headers, f"{found[1]} is there twice"
        assert all(line.strip() for line in header.split("\r\n")), "no line of blanks alone"
        headers[found[1]] = (found[2] or "").replace("\r\n", "")
    boundary = headers["Content-Type"].partition('boundary="')[2].removesuffix('"')
    before, text, html, after = re.split(rf"(?:^|\r\n)--{re.escape(boundary)}(?:--)?\r\n", body)
    assert (before, after) == ("", "")
    return Read(headers, _decoded(headers["Subject"]), _part(text, "plain"), _part(html, "html"))


def _decoded(value: str) -> str:
    """A header's text: encoded words that stand by themselves, or none at all."""
    if not any("=?" in word for word in value.split(" ")):
        return value
    words = [_WORD.fullmatch(word) for word in value.split(" ")]
    assert all(words), f"{value!r} mixes encoded words with others"
    texts = [base64.b64decode(word[1], validate=True).decode() for word in words if word]
    assert all(texts), "each holds whole characters, one at least"
    assert all(len(word[0]) <= 75 for word in words if word)
    return "".join(texts)


def _part(part: str, subtype: str) -> str:
    head, _, body = part.partition("\r\n\r\n")
    assert head == f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable"
    assert not re.search(r"[ \t]\r\n|=(?!\r\n|[0-9A-F]{2})", body), "RFC 2045, 6.7"
    return binascii.a2b_qp(body.encode()).decode().replace("\r\n", "\n")
