"""Syslog messages -> what they state: the usual forms in full, and any bytes at all without loss."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.wire.record import Record, decode_lines, original
from shippers.encode.lines import Window
from shippers.encode.windows import parts
from shippers.input import Input, Syslog
from shippers.parse.framing import Frames
from shippers.parse.syslog import SyslogMessage, parse, program
from shippers.services import Services
from shippers.spool.envelope import Envelope, seal, unseal

NOW = 1795352400.0  # 2026-11-22 13:00:00 UTC
MEGABYTE = 1 << 20
PIECES = [
    b"\n",
    b"<13>",
    b"5 <13>x",
    b"12 <",
    b"9 ",
    b"Nov 22 13:00:00 ",
    b"host ",
    b"x[1]: ",
    b"1 - - - - - -",
    b"\xff",
]
SERVICES = Services({"postfix": "mail", "su": "auth", "CRON": "cron"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '<165>1 2003-08-24T05:14:15.000003-07:00 h.example.org app/x 87 ID [a@1 k="v\\"\\]\\\\" l=""][b] hello',
            SyslogMessage(
                "hello",
                "rfc5424",
                "notice",
                "local4",
                1,
                "2003-08-24T05:14:15.000003-07:00",
                "h.example.org",
                "app/x",
                "87",
                "ID",
                {"a@1": {"k": 'v"]\\', "l": ""}, "b": {}},
            ),
        ),
        ("<0>1 - - - - - -", SyslogMessage("", "rfc5424", "emerg", "kern", 1)),
        ("<13>1 - - - - - - \ufeffBOM", SyslogMessage("\ufeffBOM", "rfc5424", "notice", "user", 1)),
        (
            "<34>Oct 11 22:14:15 mymachine su[7]: 'su root' failed",
            SyslogMessage(
                "'su root' failed", "rfc3164", "crit", "auth", None, "Oct 11 22:14:15", "mymachine", "su", "7"
            ),
        ),
        (
            "<30>Nov  2 14:00:00 systemd[1]: Started.",
            SyslogMessage("Started.", "rfc3164", "info", "daemon", None, "Nov  2 14:00:00", None, "systemd", "1"),
        ),
        (
            "<22>2026-11-22T13:00:00.123456+01:00 mx1 postfix/smtpd[99]: connect",
            SyslogMessage(
                "connect",
                "rfc3164",
                "info",
                "mail",
                None,
                "2026-11-22T13:00:00.123456+01:00",
                "mx1",
                "postfix/smtpd",
                "99",
            ),
        ),
        (
            "<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!",
            SyslogMessage("Use the BFG!", "rfc3164", "notice", "user", None, "Feb  5 17:32:18", "10.0.0.99"),
        ),
        ("<13>logger: no time", SyslogMessage("no time", "rfc3164", "notice", "user", app="logger")),
        ("<13>no header at all", SyslogMessage("no header at all", "", "notice", "user")),
        ("no: pri", SyslogMessage("no: pri")),
        ("<192>1 - - - - - - x", SyslogMessage("x", "rfc5424", version=1)),
        ("<007>hello", SyslogMessage("<007>hello")),
        ("1 - - - - - -", SyslogMessage("1 - - - - - -")),
        ("<13>1 - - - - - [a", SyslogMessage("[a", "loose", "notice", "user", 1)),
        ("", SyslogMessage("")),
    ],
)
def test_what_a_message_states(text: str, expected: SyslogMessage) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Nov 22 14:00:00 host postfix/smtpd[12]: connect", ("postfix/smtpd", "12")),
        ("2026-11-22T14:00:00.123456+00:00 host sudo: root", ("sudo", None)),
        ("<13>1 2026-11-22T14:00:00Z host app 3 - - text", ("app", "3")),
        ("Nov 22 14:00:00 host -- MARK --", (None, None)),
        ("no header: at all", (None, None)),
        ("", (None, None)),
    ],
)
def test_the_program_of_a_line_in_a_file(line: str, expected: tuple[str | None, str | None]) -> None:
    assert program(line) == expected


@pytest.mark.parametrize(
    ("app", "facility", "service"),
    [
        ("postfix/smtpd", "daemon", "mail"),
        ("su(pam_unix)", None, "auth"),
        ("CRON", None, "cron"),
        ("unheard", "authpriv", "auth"),
        ("unheard", "local0", "unheard"),
        (None, "kern", "kern"),
        (None, "user", "system"),
        (None, None, "system"),
    ],
)
def test_the_service_of_a_program(app: str | None, facility: str | None, service: str) -> None:
    assert SERVICES.of(app, facility) == service


def received(*lines: bytes, settings: Input | None = None) -> list[Record]:
    """The records of these spool lines."""
    settings = settings or Input("", host="here", feed=Syslog(), services=SERVICES, severity="notice")
    data = b"".join(lines)
    found = parts(Window("s", 100, 100, 100 + len(data), data), settings, NOW)
    records = sorted((record for part in found for record in decode_lines(part.body)), key=lambda record: record.pos)
    assert [record.pos for record in records] == [100, *(record.end for record in records[:-1])]
    assert not records or records[-1].end == 100 + len(data)
    return records


def test_a_message_becomes_a_record() -> None:
    sent = b"<21>Nov 22 12:59:58 mx.1 postfix/qmgr[5]: removed\n"
    (record,) = received(seal(sent, NOW, "192.0.2.7"))
    assert (record.service, record.host, record.severity, record.severity_from) == ("mail", "mx.1", "notice", "stated")
    assert (record.facility, record.app, record.pid, record.message) == ("mail", "postfix/qmgr", "5", "removed")
    assert record.ts.startswith("2026-11-22T")
    assert original(record) == sent


def test_where_a_message_says_nothing() -> None:
    """Case 23: by RFC 3164 its facility is user; its severity is the input's, or what the text says."""
    by_peer, by_machine = received(seal(b"plain ERROR text", NOW, "192.0.2.7"), seal(b"\xff", NOW, ""))
    assert (by_peer.host, by_peer.service, by_peer.severity) == ("192.0.2.7", "system", "error")
    assert (by_peer.facility, by_peer.raw) == ("user", None)
    assert original(by_peer) == b"plain ERROR text\n"
    assert (by_machine.host, by_machine.severity, by_machine.severity_from) == ("here", "notice", "default")
    assert original(by_machine) == b"\xff\n"


@pytest.mark.parametrize("pri", ["<192>", "<00>", "<013>", "<99999999999>", "<>", "<-1>", "<abc>", "<13"])
def test_a_pri_that_is_none(pri: str) -> None:
    """Case 24: severity and facility are those of a message without PRI, and what was received is kept."""
    sent = f"{pri}Nov 22 12:59:58 mx1 postfix[5]: x".encode()
    (record,) = received(seal(sent, NOW, "192.0.2.7"))
    assert (record.facility, record.severity, record.severity_from) == ("user", "notice", "default")
    assert original(record) == sent + b"\n"


@pytest.mark.parametrize("host", ["a/b", "%x", "../../etc/x", "h" * 300, "h.example", "é"])
def test_any_host_is_safe_in_a_key_and_true_in_the_record(host: str) -> None:
    """Case 25."""
    line = seal(f"<21>Nov 22 12:59:58 {host} postfix[5]: x".encode(), NOW, "192.0.2.7")
    (part,) = parts(Window("s", 0, 0, len(line), line), Input("", feed=Syslog(), services=SERVICES), NOW)
    assert part.host == host
    assert part.keys[0].count(".") == 2
    assert len(part.keys[0].encode()) <= 255
    (record,) = decode_lines(part.body)
    assert (record.host, record.app) == (host, "postfix")


def test_structured_data_is_kept_as_it_is_meant() -> None:
    """Case 26: unescaped by section 6.3.3; an SD-ID that is too long leaves it in the message; a BOM stays."""
    good = b'<165>1 - h a - - [x@1 k="\\"\\]\\\\" l="\\n"][y] \xef\xbb\xbftext'
    long = b"<165>1 - h a - - [" + b"x" * 33 + b' k="v"] text'
    first, second = received(seal(good, NOW, ""), seal(long, NOW, ""))
    assert first.sd == {"x@1": {"k": '"]\\', "l": "\\n"}, "y": {}}
    assert first.message == "\ufefftext"
    assert (second.host, second.app, second.sd) == ("h", "a", None)
    assert second.message == "[" + "x" * 33 + ' k="v"] text'
    assert [original(record) for record in (first, second)] == [good + b"\n", long + b"\n"]


def test_by_a_unix_socket_no_word_is_taken_for_a_host() -> None:
    sent = b"<30>Nov 22 12:59:58 plain words"
    by_udp, by_unix = received(seal(sent, NOW, "192.0.2.7"), seal(sent, NOW, "", local=True))
    assert (by_udp.host, by_udp.message) == ("plain", "words")
    assert (by_unix.host, by_unix.message) == ("here", "plain words")


def test_the_settings_of_the_input_come_first() -> None:
    settings = Input("routers", host="here", feed=Syslog(host="r1"))
    (record,) = received(seal(b"<21>Nov 22 12:59:58 mx1 postfix[5]: x", NOW, "192.0.2.7"), settings=settings)
    assert (record.service, record.host, record.app) == ("routers", "r1", "postfix")


def test_a_time_far_off_is_filed_by_its_reception() -> None:
    data = seal(b"<13>1 1999-01-01T00:00:00Z h a - - - x", NOW, "")
    (part,) = parts(Window("s", 0, 0, len(data), data), Input("", feed=Syslog()), 0.0)
    (record,) = decode_lines(part.body)
    assert (record.ts, record.received) == ("1999-01-01T00:00:00Z", "2026-11-22T13:00:00.000000Z")
    assert part.first == part.last == int(NOW * 1000)


def test_a_line_that_a_crash_has_torn_is_a_record() -> None:
    whole = seal(b"<13>hello", NOW, "")
    records = received(whole, whole[:20])
    assert [original(record) for record in records] == [b"<13>hello\n", whole[:20]]


@given(st.lists(st.binary(max_size=80), min_size=1, max_size=8), st.text(max_size=5))
def test_any_bytes_make_a_record(messages: list[bytes], peer: str) -> None:
    """Case 21."""
    records = received(*(seal(message, NOW, peer) for message in messages))
    expected = [message if message.endswith(b"\n") else message + b"\n" for message in messages]
    assert [original(record) for record in records] == expected


@given(
    st.lists(st.one_of(st.binary(max_size=30), st.sampled_from(PIECES)), max_size=20).map(b"".join),
    st.lists(st.integers(1, 40), min_size=1, max_size=10),
)
def test_what_came_by_a_stream_is_rebuilt_from_its_records(stream: bytes, reads: list[int]) -> None:
    """Case 21: any bytes, however they are cut into reads: nothing but counts and the ends of lines is missing."""
    frames, found, at, sizes = Frames(1000), [], 0, list(reads)
    while at < len(stream):
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        found += frames.feed(stream[at : at + size])
        at += size
    found += frames.end()
    records = received(*(seal(frame.content, NOW, "") for frame in found)) if found else []
    contents = [original(record) for record in records]
    assert contents == [each.content if each.content.endswith(b"\n") else each.content + b"\n" for each in found]
    at = 0
    for content in [frame.content for frame in found]:
        begin = stream.index(content, at)
        assert re.fullmatch(rb"\n*([1-9]\d{0,6} )?", stream[at:begin])
        at = begin + len(content)
    assert stream[at:].strip(b"\n") == b""


EVIL = {
    "one word": "a" * MEGABYTE,
    "spaces": " " * MEGABYTE,
    "colons": "Nov 22 13:00:00 " + "a:" * (MEGABYTE // 2),
    "brackets": "Nov 22 13:00:00 " + "a[" * (MEGABYTE // 2),
    "months": "Nov 22 " * (MEGABYTE // 7),
    "elements": "1 - - - - - " + "[a]" * (MEGABYTE // 3),
    "different elements": "1 - - - - - " + "".join(f"[a{number}]" for number in range(MEGABYTE // 8)),
    "parameters": "1 - - - - - [a" + ' b="c"' * (MEGABYTE // 6),
    "escapes": '1 - - - - - [a b="' + "\\\\" * (MEGABYTE // 2),
    "percents": "a%" * (MEGABYTE // 2),
    "numbers": "1: " * 160 + "%SYS-5-X: " + "1: " * (MEGABYTE // 3),
    "tasks": "*a-" * 160 + "%SYS-5-X: ",
    "pairs": "date=2026-11-22 " * (MEGABYTE // 16),
    "forwarded": "Nov 22 13:00:00 Message forwarded from " + "a" * MEGABYTE,
    "json": "{" * MEGABYTE,
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", EVIL)
def test_a_megabyte_of_anything_is_soon_a_record(name: str) -> None:
    """A match whose time grows with the square of the length would take minutes."""
    sent = f"<13>{EVIL[name]}".encode()
    (record,) = received(seal(sent, NOW, "192.0.2.7"))
    assert original(record) == sent + b"\n"


_pieces = st.sampled_from(
    ["<13>", "<", ">", "1 ", "- ", "-", "[a", ' b="', '"', "]", "\\", "Nov 22 14:00:00 ", "host ", "x[1]:", ": ", "\n"]
)


@given(st.lists(st.one_of(_pieces, st.text(max_size=3)), max_size=30).map("".join))
def test_nothing_raises_and_the_message_ends_the_text(text: str) -> None:
    said = parse(text)
    assert text.endswith(said.message)
    assert said.facility is None or said.severity is not None


@given(st.binary(max_size=200), st.floats(0, 4e9), st.text(max_size=20))
def test_an_envelope_gives_back_what_was_sealed(content: bytes, when: float, peer: str) -> None:
    line = seal(content, when, peer)
    assert line.count(b"\n") == 1
    envelope = unseal(line, 0.0)
    assert (envelope.content, envelope.received, envelope.peer) == (content, when, peer)


@given(st.binary(max_size=60))
def test_any_line_of_a_spool_is_an_envelope(line: bytes) -> None:
    assert isinstance(unseal(line, NOW), Envelope)
    assert unseal(b'{"received":1,"base64":"!"}', NOW).content == b'{"received":1,"base64":"!"}'
    assert base64.b64decode(unseal(b"\xff", NOW).base64) == b"\xff"
