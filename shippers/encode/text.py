"""Prepares texts to leave the host: redacts them and extracts their fields and conversation. Pure.

Everything that a record holds besides its message comes from the redacted text, so that no secret can reappear there.
Only time and severity are read from the original text, because their values are ours.
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

_WITHHELD = "[redacted]"
_ESCAPE = re.compile(r'["\\\]]')

Program = tuple[str | None, str | None]
"""App and pid."""


@dataclass(frozen=True, slots=True)
class Refining:
    """How to prepare the lines of an input.

    redaction: None for none.   fields: whether to extract fields from JSON and logfmt.
    conversation: where to find the conversation of a line.
    """

    redaction: Redaction | None = None
    fields: bool = False
    conversation: Conversation = BY_NAME


UNREDACTED = Refining()
"""The default: neither redaction nor fields, and conversations by the usual names."""


@dataclass(slots=True)
class Refined:
    """Prepared texts, and what goes with them, by index.

    changed: the texts in which something was redacted.   is_redacted: whether the input has a redaction at all.
    """

    texts: Sequence[str]
    changed: dict[int, str] = field(default_factory=dict)
    fields: dict[int, dict[str, Any]] = field(default_factory=dict)
    conversations: dict[int, str] = field(default_factory=dict)
    is_redacted: bool = False

    def programs(self, found: Sequence[Program]) -> Sequence[Program]:
        """Return the program of each text, without names and pids that were redacted from it."""
        return [self._remaining(index, *each) for index, each in enumerate(found)] if self.changed else found

    def _remaining(self, index: int, app: str | None, pid: str | None) -> Program:
        text = self.changed.get(index)
        if text is None:
            return app, pid
        return app if app and app in text else None, pid if pid and pid in text else None

    def raw(self, raw: Mapping[int, str], originals: Sequence[str], positions: Sequence[int]) -> Mapping[int, str]:
        """Return the exact bytes (base64) of the texts that need them; for a redacted text, those of the redacted text.

        raw: the exact bytes of the originals that need them.
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
        """Mark the one text as truncated.

        If the input has a redaction, the hash is left out: a guess of the secret could be checked against it.
        """
        cut = {"length": whole.length} if self.is_redacted else whole.as_field()
        self.fields[0] = {**self.fields.get(0, {}), "cut": cut}


def refine(texts: Sequence[str], refining: Refining) -> Refined:
    """Redact many texts, and extract their fields and conversations."""
    refined = Refined(texts, is_redacted=refining.redaction is not None)
    if refining.redaction is not None:
        refined.changed = refining.redaction.texts(texts)
        if refined.changed:
            refined.texts = [refined.changed.get(index, text) for index, text in enumerate(texts)]
    refined.conversations = refining.conversation.of(refined.texts)
    if refining.fields:
        taken = ((index, _fields(text, refining)) for index, text in enumerate(refined.texts))
        refined.fields = {index: found for index, found in taken if found}
    return refined


def refine_message(
    text: str, parsed: SyslogMessage, content: bytes, refining: Refining
) -> tuple[SyslogMessage, bytes, Refined]:
    """Redact a syslog message, and extract its fields and conversation. Return its parts, its bytes and the extract.

    text: the message as received.   parsed: its parts.   content: its bytes.
    A host that is an address stays even with the preset `ip`, because it names the machine of the line.
    """
    refined = Refined((text,), is_redacted=refining.redaction is not None)
    if refining.redaction is not None:
        parsed, clean = _redacted(text, parsed, refining.redaction)
        if clean != text:
            refined, content = Refined((clean,), {0: clean}, is_redacted=True), clean.encode()
    refined.conversations = refining.conversation.of(refined.texts)
    found = _fields(parsed.message, refining)
    if found:
        refined.fields[0] = found
    return parsed, content, refined


def refine_entry(message: str, known: Mapping[str, Any] | None, refining: Refining) -> Refined:
    """Redact the message of a journal entry, and extract fields and conversation. known: the entry's other fields."""
    refined = refine((message,), refining)
    if known:
        refined.fields[0] = {**refined.fields.get(0, {}), **told(known, refining)}
    return refined


def told(known: Mapping[str, Any], refining: Refining) -> dict[str, Any]:
    """Return redacted fields of a record that come from elsewhere than its text."""
    redaction = refining.redaction
    return dict(known) if redaction is None else {name: _redact_all(each, redaction) for name, each in known.items()}


def named(name: str | None, refining: Refining) -> str | None:
    """Return a name that comes from elsewhere than a text; None if something in it would be redacted."""
    return name if not name or refining.redaction is None or refining.redaction.text(name) == name else None


def _redacted(text: str, parsed: SyslogMessage, redaction: Redaction) -> tuple[SyslogMessage, str]:
    """Redact a syslog message. Return its parts and its text; no part holds what is no longer in the text.

    The message is searched with its header and without, because a pattern may be written for either.
    """
    clean = redaction.texts((text,)).get(0, text)
    message = redaction.text(parsed.message)
    if parsed.message and clean.endswith(parsed.message):
        clean = clean.removesuffix(parsed.message) + message
    elif not clean.endswith(message):
        message = clean
    if clean == text:
        return parsed, text
    host = parsed.host if parsed.host and parsed.host in redaction.without("ip").text(text) else None
    app, pid, msgid = (value if value and value in clean else None for value in (parsed.app, parsed.pid, parsed.msgid))
    sd = parsed.sd and {redaction.text(name): _values(element, clean, redaction) for name, element in parsed.sd.items()}
    return replace(parsed, message=message, host=host, app=app, pid=pid, msgid=msgid, sd=sd), clean


def _values(element: Mapping[str, str], clean: str, redaction: Redaction) -> dict[str, str]:
    """Return redacted parameters of structured data. A value that is not in the redacted text is withheld."""
    found = {}
    for name, value in element.items():
        kept = redaction.text(value)
        found[redaction.text(name)] = kept if kept in clean or _ESCAPE.sub(r"\\\g<0>", kept) in clean else _WITHHELD
    return found


def _fields(text: str, refining: Refining) -> dict[str, Any] | None:
    """Return the fields of a redacted text. Redact them again if unescaping may have revealed something."""
    redaction = refining.redaction
    found = fields(text) if refining.fields else None
    return _redact_all(found, redaction) if found and redaction is not None and "\\" in text else found


def _redact_all(value: Any, redaction: Redaction) -> Any:
    """Return plain data with all texts in it redacted, including keys."""
    if isinstance(value, str):
        return redaction.text(value)
    if isinstance(value, dict):
        return {redaction.text(name): _redact_all(each, redaction) for name, each in value.items()}
    return [_redact_all(each, redaction) for each in value] if isinstance(value, list) else value


def _guessed(text: str, span: int) -> bytes:
    """Return the terminator that readers of the record will assume (`logrouter.wire.record.original`).

    span: bytes of the line in the source.
    """
    return {0: b"", 2: b"\r\n"}.get(span - len(text.encode()), b"\n")


def _terminator(text: str, raw: str | None, span: int) -> bytes:
    """Return the terminator of a line. raw: its exact bytes (base64), if known.   span: bytes of the line."""
    if raw is None:
        return _guessed(text, span)
    content = base64.b64decode(raw)
    return b"\r\n" if content.endswith(b"\r\n") else b"\n" if content.endswith(b"\n") else b""
