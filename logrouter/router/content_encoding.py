"""What a foreign message's `content_encoding` says of its body.

AMQP means by it what HTTP does, a compression. Many clients put the character set there (Celery's kombu, Spring), some
both, as `gzip:UTF-8`. A name that is neither says nothing that we need.
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
"""For zlib: a header of gzip or of zlib, and none."""

_KNOWN = (frozenset(aliases) | frozenset(aliases.values())) - {"u7", "unicode_1_1_utf_7", "utf7", "utf_7"}
"""Names that Python is asked for: it remembers for ever each one that it does not know."""


def read_body(body: bytes, encoding: str) -> tuple[bytes, str]:
    """A body without its compression, and the name of its character set ('utf-8' where none is named).

    Raises WireError for a body that does not unpack.
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
    except LookupError:  # it makes bytes of bytes, as base64 does
        return False
    return True


def _inflate(packed: bytes, name: str) -> bytes:
    """Raises WireError for what is cut off, broken or too large."""
    for wbits in (_ZLIB, _DEFLATE):
        unpacker = zlib.decompressobj(wbits)
        try:
            body = unpacker.decompress(packed, MAX_BODY + 1)
        except zlib.error as error:
            reason = str(error)
            continue
        if len(body) > MAX_BODY:
            raise WireError(f"the {name} body unpacks to more than {MAX_BODY} bytes")
        if unpacker.eof:
            return body
        reason = "it is cut off"
    raise WireError(f"the {name} body does not unpack: {reason}")
