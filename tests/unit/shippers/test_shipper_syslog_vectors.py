"""Public syslog messages -> records: fields equal, or one of the deviations that docs/inputs.md lists."""

from __future__ import annotations

import json
from typing import Any

from shared import SHARED, needs_shared

from logrouter.wire.record import Record, decode_lines, original
from logrouter.wire.routing_key import SEVERITIES
from shippers.encode.lines import Window
from shippers.encode.windows import parts
from shippers.input import Input, Syslog
from shippers.parse.facilities import FACILITIES
from shippers.parse.framing import Frames
from shippers.parse.timestamp.header import moment
from shippers.spool.envelope import seal

NOW = 1795352400.0  # 2026-11-22 13:00:00 UTC
VECTORS = SHARED / "data" / "syslog_vectors.json"

OUT_OF_RANGE = "<409>1 2016-01-15T00:00:00Z host2 prg - - - message"

pytestmark = needs_shared


def cases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(VECTORS.read_text())
    return found


def record_of(content: bytes) -> Record:
    """What the spool holds, and what is made of it."""
    data = seal(content, NOW, "peer")
    (part,) = parts(Window("s", 0, 0, len(data), data), Input("", severity="notice", feed=Syslog()), NOW)
    (record,) = decode_lines(part.body)
    return record


def test_the_public_vectors() -> None:
    """Case 20: apart from a PRI out of range, what does not agree has escapes in its structured data.

    The expected values of these are what their source gives to a builder, which unescapes them, as section 6.3.3 says.
    """
    apart = [case["input"] for case in cases() if not agrees(case)]
    assert [text for text in apart if "\\" not in text] == [OUT_OF_RANGE]
    assert len(apart) <= 12


def test_with_the_escapes_of_the_builder_undone_all_of_them_agree() -> None:
    assert [case["input"] for case in cases() if not agrees(case, unescaped=True)] == [OUT_OF_RANGE]


def agrees(case: dict[str, Any], *, unescaped: bool = False) -> bool:
    content, expected = case["input"].encode("latin-1"), case["expected"]
    if "frames" in expected:
        return _frames_agree(content, [each["message"] for each in expected["frames"] if not each["error"]])
    record = record_of(content)
    if original(record) != content + b"\n":
        return False
    stated = expected if expected["valid"] else _of(expected.get("partial") or {}, "pri")
    return _fields_agree(record, stated, unescaped=unescaped)


def _frames_agree(content: bytes, messages: list[dict[str, Any]]) -> bool:
    """Those that are in order by its source's rules are here, in their order; the rest is kept as it came."""
    frames = Frames(1 << 20)
    records = iter([record_of(frame.content) for frame in (*frames.feed(content), *frames.end())])
    return all(any(_fields_agree(record, message) for record in records) for message in messages)


def _fields_agree(record: Record, stated: dict[str, Any], *, unescaped: bool = False) -> bool:
    given: dict[str, Any] = {
        "hostname": None if record.host == "peer" else record.host,
        "appname": record.app,
        "procid": record.pid,
        "msgid": record.msgid,
        "sd": record.sd,
        "msg": record.message,
        "facility": FACILITIES.index(record.facility or ""),
        "severity": SEVERITIES.index(record.severity),
        "pri": 8 * FACILITIES.index(record.facility or "") + SEVERITIES.index(record.severity),
        "timestamp": record.ts,
    }
    for name, value in stated.items():
        wanted = _as_received(value)
        if name == "sd" and unescaped:
            wanted = json.loads(json.dumps(wanted), object_hook=_unescaped)
        if name == "timestamp" and value not in (None, "-"):
            (wanted, _) = moment(value, NOW) or ("", 0)
        if name in given and _or_none(given[name]) != _or_none(wanted) and not (name == "timestamp" and value == "-"):
            return False
    return True


def _of(stated: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: stated[name] for name in names if name in stated}


def _as_received(value: Any) -> Any:
    """Strings are bytes read as latin-1."""
    if isinstance(value, str):
        return value.encode("latin-1").decode(errors="replace")
    if isinstance(value, dict):
        return {_as_received(name): _as_received(each) for name, each in value.items()}
    return value


def _unescaped(values: dict[str, Any]) -> dict[str, Any]:
    for name, value in values.items():
        if isinstance(value, str):
            values[name] = value.replace("\\\\", "\0").replace("\\", "").replace("\0", "\\")
    return values


def _or_none(value: Any) -> Any:
    """One source's tests write what is not there as `-` or as nothing in it."""
    return None if value in ("", "-", {}) else value
