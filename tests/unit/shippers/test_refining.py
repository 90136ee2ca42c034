"""What a record says beside its message, and that nothing of what was redacted stands in any part of it."""

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.wire.record import Record, decode_lines, encode_lines, original
from logrouter.wire.truncated import Truncated
from shippers.encode.lines import Window
from shippers.encode.text import UNREDACTED, Refining
from shippers.encode.windows import parts
from shippers.input import Input, Journal, Stdin, Syslog
from shippers.parse.fields import MAX_DEPTH, MAX_FIELDS, fields
from shippers.parse.multiline import Joining
from shippers.parse.trace_id import Conversation
from shippers.redact.redaction import Kind, Own, Redaction
from shippers.spool.envelope import seal
from shippers.spool.spools import Spools

NOW = 1795352400.0
CARD = "4111111111111111"


def records(data: bytes, refining: Refining, cut: Truncated | None = None, **settings: Any) -> list[Record]:
    given_input = Input(**{"service": "app", "host": "h", "refining": refining, **settings})
    to = cut.length if cut else len(data)
    found = parts(Window("s", 0, 0, to, data, cut), given_input, NOW)
    return sorted((record for part in found for record in decode_lines(part.body)), key=lambda record: record.pos)


def redacting(*kinds: Kind, take_fields: bool = True) -> Refining:
    return Refining(Redaction(kinds), fields=take_fields)


def received(message: bytes, refining: Refining, peer: str = "") -> Record:
    line = seal(message, NOW, peer)
    (record,) = records(line, refining, service="", feed=Syslog())
    return record


def is_in(secret: str, record: Record) -> bool:
    """Whether it stands anywhere in what travels."""
    travels = encode_lines([record]).decode()
    raw = base64.b64decode(record.raw).decode(errors="replace") if record.raw else ""
    return secret in travels or secret in raw or secret in json.dumps(msgspec.to_builtins(record), ensure_ascii=False)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
@pytest.mark.parametrize("text", ["pay %s", '{"n": %s, "x": "%s"}', "level=error n=%s", "\xe9 %s", "%s" * 2])
def test_a_line_of_a_file_keeps_its_place_and_terminator_and_leaks_nothing(text: str, end: bytes) -> None:
    line = text.replace("%s", CARD + " ").encode("latin-1")
    first, last = records(b"a\n" + line + end, redacting("card"))
    clean = line.decode(errors="replace").replace(CARD, "[card]")
    assert (last.message, first.message) == (clean, "a")
    assert (last.pos, last.end) == (2, 2 + len(line + end))
    assert original(last) == clean.encode() + end
    assert not is_in(CARD, last)


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=30), st.sampled_from([b"\n", b"\r\n", b""])
)
def test_whatever_the_lengths_readers_find_the_lines_own_end(replacement: str, end: bytes) -> None:
    line = b"a secret" + end
    (record,) = records(line, redacting(Own("secret", replacement or "x")))
    assert original(record) == f"a {replacement or 'x'}".encode() + end


def test_severity_and_time_are_those_of_the_line() -> None:
    (record,) = records(b"2026-11-22T12:00:00Z ERROR 10.0.0.1\n", redacting(Own(".*"), "ip"))
    assert (record.message, record.severity, record.ts) == ("[redacted]", "error", "2026-11-22T12:00:00Z")


def test_the_program_of_a_line_that_was_redacted_goes_with_it() -> None:
    data = b"Nov 22 12:00:00 10.0.0.1 sshd[7]: x\nNov 22 12:00:00 host joe@x.org[7]: x\nNov 22 12:00:00 h cron[7]: x\n"
    found = records(data, redacting("ip", "email"), service="")
    assert [(record.app, record.pid, record.service) for record in found] == [
        ("sshd", "7", "sshd"),
        (None, "7", "system"),
        ("cron", "7", "cron"),
    ]


def test_the_hash_of_a_cut_line_that_may_be_redacted_is_not_told() -> None:
    """Not even where nothing was found in what was kept: what was cut off may hold half of it."""
    kept, hashed = {"length": 99}, {"length": 99, "sha256": "beef"}
    for text, how, mark in (
        (CARD, redacting("card"), kept),
        ("plain", redacting("card"), kept),
        (CARD, UNREDACTED, hashed),
    ):
        (record,) = records(text.encode(), how, Truncated(99, "beef"))
        assert record.fields == {"cut": mark}


@pytest.mark.parametrize(
    "message",
    [
        '<13>1 2026-11-22T12:00:00Z h1 app 7 ID [x@1 n="%s"][y@1 m="b"] pay %s',
        "<13>Nov 22 12:00:00 h1 app[7]: pay %s",
        "<13>Nov 22 12:00:00 h1 %s[%s]: pay",
        "<13>Nov 22 12:00:00 %s app[7]: pay",
        "<13>1 2026-11-22T12:00:00Z %s %s %s %s - x",
        "<13>%s: x",
        "%s",
    ],
)
def test_a_syslog_message_leaks_nothing_wherever_it_stands(message: str) -> None:
    record = received(message.replace("%s", CARD).encode(), redacting("card"))
    assert not is_in(CARD, record)
    assert is_in("[card]", record)
    assert record.severity == ("notice" if message.startswith("<13>") else "info")


def test_the_rest_of_a_redacted_message_is_read_as_ever() -> None:
    text = '<14>1 2026-11-22T12:00:00Z 10.9.8.7 app 7 ID [x@1 n="10.0.0.1" m="a\\"b"] from 10.0.0.1'
    record = received(text.encode(), redacting("ip"), peer="10.9.8.7")
    assert (record.host, record.app, record.pid, record.msgid) == ("10.9.8.7", "app", "7", "ID")
    assert (record.sd, record.message) == ({"x@1": {"n": "[ip]", "m": 'a"b'}}, "from [ip]")
    assert original(record) == text.replace("10.0.0.1", "[ip]").replace("10.9.8.7", "[ip]").encode() + b"\n"
    old = received(b"<14>Nov 22 12:00:00 10.9.8.7 app[7]: from 10.0.0.1", redacting("ip"))
    assert (old.host, old.app, old.pid, old.message) == ("10.9.8.7", "app", "7", "from [ip]")


def test_what_stands_across_the_header_is_not_told_by_its_parts() -> None:
    record = received(b"<13>Nov 22 12:00:00 h1 joe[77]: hello", redacting(Own(r"joe\[\d+\]: hello")))
    assert not is_in("joe", record)
    assert not is_in("77", record)
    assert not is_in("hello", record)
    sd = received(b'<13>1 - h a - - [x@1 user="bob"] x', redacting(Own('user="([^"]*)"')))
    assert not is_in("bob", sd)
    host = received(b"<13>Nov 22 12:00:00 secret1 a: x", redacting(Own(r"00 (\w+)")), peer="192.0.2.1")
    assert (host.host, is_in("secret1", host)) == ("192.0.2.1", False)


def test_what_unescaping_brings_to_light_is_redacted_in_fields() -> None:
    (record,) = records(b'{"a": ["joe\\u0040x.org"], "joe\\u0040x.org": 1}\n', redacting("email"))
    assert record.fields == {"a": ["[email]"], "[email]": 1}


def test_an_own_pattern_that_spans_name_and_value_leaves_neither_in_fields() -> None:
    (record,) = records(b'{"password":"hunter2","a":1}\n', redacting(Own('"password":"([^"]*)"')))
    assert record.fields == {"password": "[redacted]", "a": 1}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('{"time":"x","level":"info","n":{"b":[1.5,null]}}', {"time": "x", "level": "info", "n": {"b": [1.5, None]}}),
        ('{"big":123456789012345678901234567890}', {"big": 123456789012345678901234567890}),
        (r'level=info msg="a \"b\"\nc" empty= bare q="x', {"level": "info", "msg": 'a "b"\nc', "empty": ""}),
        ("path=/x?y=z u=", {"path": "/x?y=z", "u": ""}),
        ("{not json", None),
        ("[1]", None),
        ("plain a=b", None),
        ("{}", None),
        ("=x", None),
        ("", None),
    ],
)  # fmt: skip
def test_fields(line: str, found: dict[str, Any] | None) -> None:
    assert fields(line) == found


def test_fields_are_bounded() -> None:
    many = {f"k{number}": number for number in range(100)}
    assert fields(json.dumps(many)) == dict(list(many.items())[:MAX_FIELDS])
    assert len(fields(" ".join(f"{name}=1" for name in many)) or ()) == MAX_FIELDS
    assert fields('{"a":"' + "x" * (64 << 10) + '"}') is None
    for depth in (MAX_DEPTH - 1, MAX_DEPTH, 900, 30_000):
        assert (fields('{"a":' + "[" * depth + "]" * depth + "}") is None) == (depth >= MAX_DEPTH)
    assert fields("a=" + "b" * 60_000) is not None
    fields("a=" + '"' * 60_000)
    fields("a= " + "b" * 60_000)


plain = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=9), st.lists, max_leaves=9)


@given(st.dictionaries(st.text(max_size=9), plain, max_size=9))
def test_json_fields_arrive_as_they_were(given_fields: dict[str, Any]) -> None:
    line = json.dumps(given_fields, ensure_ascii=False).encode() + b"\n"
    (record,) = records(line, Refining(fields=True))
    assert record.fields == (given_fields or None)


@given(st.text(max_size=60))
def test_fields_never_fail(text: str) -> None:
    for line in (text, "{" + text, "a=" + text, 'a="' + text):
        fields(line)


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('{"trace_id":"abc-1"}', "abc-1"),
        ('{"x":{"traceId": 77}}', "77"),
        ("x correlation_id=c/1: y", "c/1"),
        (r"{\"conversation_id\":\"q.7\"}", "q.7"),
        (f"traceparent: 00-{TRACE}-00f067aa0ba902b7-01", TRACE),
        ("traceparent: nonsense", None),
        ("trace_id=a conversation_id=b", "b"),
        ("dd.trace_id=5", "5"),
        ("parent_trace_id=5 stacktrace_id=6 trace_ids=3", None),
        ("trace_id=null trace_id= trace_id", None),
        ('{"traceId":false} traceparent=True', None),
        ("trace_id=\nnext", None),
        (f"trace_id={'x' * 200}", "x" * 128),
    ],
)
def test_conversations(line: str, found: str | None) -> None:
    texts = ["before trace_id:", line, "=behind"]
    assert Conversation().of(texts) == ({1: found} if found else {})


def test_conversations_are_found_unless_told_otherwise() -> None:
    data = b"a\nb trace_id=7 job 9\n"
    for conversation, found in ((Conversation(), "7"), (Conversation(()), None), (Conversation((), r"job (\d)"), "9")):
        first, second = records(data, Refining(conversation=conversation))
        assert (first.conversation, second.conversation) == (None, found)
    assert received(b'<13>1 - h a - - [x@1 trace_id="abc"] x', Refining()).conversation == "abc"
    assert received(b"<13>h: x", Refining()).conversation is None


def test_a_redacted_conversation_is_none_of_the_original() -> None:
    (record,) = records(b"trace_id=joe@x.org\n", redacting("email"))
    assert record.conversation is None
    assert not is_in("joe", record)


def test_what_a_spool_still_holds_is_redacted_by_whoever_sends_it(tmp_path: Any) -> None:
    refining = Refining(Redaction(("card", Own("a", "b"))), fields=True, conversation=Conversation((), "(x)"))
    before = Spools(tmp_path, [Input("app", feed=Stdin())], "h")
    assert [each.refining for each in before.inputs] == [Refining()]
    (directory,) = tmp_path.iterdir()
    (directory / "0000000001-0123456789abcdef.spool").write_bytes(b"x\n")
    (mine,) = Spools(tmp_path, [Input("app", feed=Stdin(), refining=refining)], "h").inputs
    assert mine.refining == refining
    (left,) = Spools(tmp_path, [], "h").inputs
    assert left.refining == refining


def test_an_entry_of_a_journal_leaks_nothing() -> None:
    entry = {
        "MESSAGE": "hello", "SYSLOG_IDENTIFIER": "a@b.org", "_PID": "a@b.org", "MESSAGE_ID": "a@b.org",
        "OWN": "mail a@b.org", "__CURSOR": "c", "__REALTIME_TIMESTAMP": "1790000000000001",
    }  # fmt: skip
    (record,) = records(json.dumps(entry).encode() + b"\n", redacting("email"), service="", feed=Journal())
    assert not is_in("a@b.org", record)
    assert (record.service, record.fields) == ("system", {"OWN": "mail [email]"})


def test_what_docker_adds_to_a_line_is_redacted() -> None:
    line = {"log": "x\n", "stream": "stdout", "attrs": {"owner": "a@b.org"}}
    joining = Joining(wrapping="docker", is_only_wrapped=True)
    (record,) = records(json.dumps(line).encode() + b"\n", redacting("email"), joining=joining)
    assert not is_in("a@b.org", record)


@pytest.mark.parametrize("pattern", ["(?-im:^hunter2$)", "(?-m:^hunter2$)", "^hunter2$"])
def test_a_pattern_means_each_text_by_itself(pattern: str) -> None:
    found = records(b"x\nhunter2\ny\n", redacting(Own(pattern)))
    assert [record.message for record in found] == ["x", "[redacted]", "y"]
