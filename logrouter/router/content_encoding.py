"""Reads the bodies of foreign messages by their `content_encoding`.

In AMQP, as in HTTP, `content_encoding` names a compression. Many clients put the character set there instead (Celery's
kombu, Spring), and some put both, as in `gzip:UTF-8`. Any other name is ignored.
"""

from __future__ import annotations

import re
import zlib
from encodings.aliases import aliases

from logrouter.errors import WireError
from logrouter.wire.batch import unpack
from logrouter.wire.message import MAX_BODY

_SEPARATORS = re.compile(r"[\s:;,]+")

_ZLIB, _DEFLATE = 47, -15
"""zlib's `wbits` for a body with a gzip or zlib header, and for one without a header."""

_KNOWN = (frozenset(aliases) | frozenset(aliases.values())) - {"u7", "unicode_1_1_utf_7", "utf7", "utf_7"}
"""The only names that are passed to Python, because it caches each name that it does not know and never evicts one."""


def read_body(body: bytes, encoding: str) -> tuple[bytes, str]:
    """Return the decompressed body and the name of its character set ('utf-8' if none is named).

    Raises WireError for a body that cannot be decompressed.
    """
    charset = "utf-8"
    for name in _SEPARATORS.split(encoding.lower()) if encoding else ():
        if name == "zstd":
            body = unpack(body, name)
        elif name in ("gzip", "x-gzip", "deflate"):
            body = _inflate(body, name)
        elif _is_charset(name):
            charset = name
    return body, charset


def _is_charset(name: str) -> bool:
    if re.sub(r"\W", "_", name) not in _KNOWN:
        return False
    try:
        b" ".decode(name, "replace")
    except LookupError:  # a codec from bytes to bytes, such as base64
        return False
    return True


def _inflate(compressed: bytes, name: str) -> bytes:
    """Decompress a body. Raises WireError if it is truncated, damaged or too large."""
    for wbits in (_ZLIB, _DEFLATE):
        inflater = zlib.decompressobj(wbits)
        try:
            body = inflater.decompress(compressed, MAX_BODY + 1)
        except zlib.error as error:
            reason = str(error)
            continue
        if len(body) > MAX_BODY:
            raise WireError(f"the {name} body decompresses to more than {MAX_BODY} bytes")
        if inflater.eof:
            return body
        reason = "it is truncated"
    raise WireError(f"the {name} body does not decompress: {reason}")
