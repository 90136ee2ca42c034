"""Texts as they were read -> as they leave the host: redacted, with their fields and conversation. Pure.

What a record says beside its message is made of the redacted text, so that nothing of what was made unreadable can
stand there; only time and severity, which are words of our own, are read from the original.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from logrouter.wire.truncated import Truncated
from shippers.parse.fields import fields
from shippers.parse.syslog import SyslogMessage
from shippers.parse.trace_id import BY_NAME, Conversation
from shippers.redact.redaction import Redaction

_UNTOLD = "[redacted]"
_ESCAPE = re.compile(r'["\\\]]')

Program = tuple[str | None, str | None]
"""App and pid."""


@dataclass(frozen=True, slots=True)
class Refining:
    """What an input's lines go through. redaction: None for none.   fields: whether JSON and logfmt are taken apart."""

    redaction: Redaction | None = None
    fields: bool = False
    conversation: Conversation = BY_NAME


UNREDACTED = Refining()
"""What an input goes through that is not told otherwise."""


@dataclass(slots=True)
class Refined:
    """Texts, and by index what goes with them. changed: those that were redacted.   is_redacted: if any could be."""

    texts: Sequence[str]
    changed: dict[int, str] = field(default_factory=dict)
    fields: dict[int, dict[str, Any]] = field(default_factory=dict)
    conversations: dict[int, str] = field(default_factory=dict)
    is_redacted: bool = False

    def programs(self, found: Sequence[Program]) -> Sequence[Program]:
        """Of each text its program, as far as it still stands in it."""
        return [self._left(index, *each) for index, each in enumerate(found)] if self.changed else found

    def _left(self, index: int, app: str | None, pid: str | None) -> Program:
        text = self.changed.get(index)
        if text is None:
            return app, pid
        return app if app and app in text else None, pid if pid and pid in text else None

    def raw(self, raw: Mapping[int, str], originals: Sequence[str], positions: Sequence[int]) -> Mapping[int, str]:
        """The exact bytes (base64) of texts that need them: of a redacted one those of what it is now, if any.

        positions: where each original began, and where the last one ended.
        """
        if not self.changed:
            return raw
        needed = {index: each for index, each in raw.items() if index not in self.changed}
        for index, text in self.changed.items():
            span = positions[index + 1] - positions[index]
            exact = text.encode() + _terminator(originals[index], raw.get(index), span)
            if exact != text.encode() + _guessed(text, span):
                needed[index] = base64.b64encode(exact).decode()
        return needed

    def mark_truncated(self, whole: Truncated) -> None:
        """The one text was cut. The hash of what may hold a secret would let a guess be checked."""
        cut = {"length": whole.length} if self.is_redacted else whole.as_field()
        self.fields[0] = {**self.fields.get(0, {}), "cut": cut}


def refine(texts: Sequence[str], how: Refining) -> Refined:
    """All of it for many texts."""
    refined = Refined(texts, is_redacted=how.redaction is not None)
    if how.redaction is not None:
        refined.changed = how.redaction.texts(texts)
        if refined.changed:
            refined.texts = [refined.changed.get(index, text) for index, text in enumerate(texts)]
    refined.conversations = how.conversation.of(refined.texts)
    if how.fields:
        taken = ((index, _fields(text, how)) for index, text in enumerate(refined.texts))
        refined.fields = {index: found for index, found in taken if found}
    return refined


def refine_message(
    text: str, said: SyslogMessage, content: bytes, how: Refining
) -> tuple[SyslogMessage, bytes, Refined]:
    """The same for a syslog message: what it says, its bytes, and what goes with them.

    The host stays where it is an address (`ip`): it says which machine a line is of.
    """
    refined = Refined((text,), is_redacted=how.redaction is not None)
    if how.redaction is not None:
        said, clean = _redacted(text, said, how.redaction)
        if clean != text:
            refined, content = Refined((clean,), {0: clean}, is_redacted=True), clean.encode()
    refined.conversations = how.conversation.of(refined.texts)
    found = _fields(said.message, how)
    if found:
        refined.fields[0] = found
    return said, content, refined


def refine_entry(message: str, known: Mapping[str, Any] | None, how: Refining) -> Refined:
    """The same for an entry of a journal, whose further fields are `known`."""
    refined = refine((message,), how)
    if known:
        refined.fields[0] = {**refined.fields.get(0, {}), **told(known, how)}
    return refined


def told(known: Mapping[str, Any], how: Refining) -> dict[str, Any]:
    """What is known of a record from elsewhere, redacted."""
    found = dict(known)
    return found if how.redaction is None else {name: _unescaped(each, how.redaction) for name, each in found.items()}


def named(name: str | None, how: Refining) -> str | None:
    """A name from elsewhere, None for one in which something is to be redacted."""
    return name if not name or how.redaction is None or how.redaction.text(name) == name else None


def _redacted(text: str, said: SyslogMessage, redaction: Redaction) -> tuple[SyslogMessage, str]:
    """What may be told of what a message said, and its text: no part of it tells what is not in that any more.

    The message is looked at with its header and by itself, since a pattern may be written for either.
    """
    clean = redaction.texts((text,)).get(0, text)
    message = redaction.text(said.message)
    if said.message and clean.endswith(said.message):
        clean = clean.removesuffix(said.message) + message
    elif not clean.endswith(message):
        message = clean
    if clean == text:
        return said, text
    host = said.host if said.host and said.host in redaction.without("ip").text(text) else None
    app, pid, msgid = (value if value and value in clean else None for value in (said.app, said.pid, said.msgid))
    sd = said.sd and {redaction.text(name): _values(element, clean, redaction) for name, element in said.sd.items()}
    return replace(said, message=message, host=host, app=app, pid=pid, msgid=msgid, sd=sd), clean


def _values(element: Mapping[str, str], clean: str, redaction: Redaction) -> dict[str, str]:
    """The parameters of structured data; a value that does not stand in the redacted text is not told."""
    found = {}
    for name, value in element.items():
        told = redaction.text(value)
        found[redaction.text(name)] = told if told in clean or _ESCAPE.sub(r"\\\g<0>", told) in clean else _UNTOLD
    return found


def _fields(text: str, how: Refining) -> dict[str, Any] | None:
    """The fields of a redacted text. Unescaping may have brought to light what redaction did not see."""
    found = fields(text) if how.fields else None
    return _unescaped(found, how.redaction) if found and how.redaction is not None and "\\" in text else found


def _unescaped(value: Any, redaction: Redaction) -> Any:
    """Plain data with all texts in it redacted, keys too."""
    if isinstance(value, str):
        return redaction.text(value)
    if isinstance(value, dict):
        return {redaction.text(name): _unescaped(each, redaction) for name, each in value.items()}
    return [_unescaped(each, redaction) for each in value] if isinstance(value, list) else value


def _guessed(text: str, span: int) -> bytes:
    """The terminator that readers of a record take it to have had (`logrouter.wire.record.original`)."""
    return {0: b"", 2: b"\r\n"}.get(span - len(text.encode()), b"\n")


def _terminator(text: str, raw: str | None, span: int) -> bytes:
    """What ended a line that was so many bytes long."""
    if raw is None:
        return _guessed(text, span)
    content = base64.b64decode(raw)
    return b"\r\n" if content.endswith(b"\r\n") else b"\n" if content.endswith(b"\n") else b""
