"""Structured data of an application's handler -> fields and conversation; any other stays what it is."""

import json
import logging
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from logrouter.handler import ELEMENT, message
from logrouter.wire.record import CONVERSATION, Record, decode_lines, encode_lines, original
from logrouter.wire.truncated import Truncated
from shippers.encode.lines import Window
from shippers.encode.windows import parts
from shippers.input import Input, Syslog
from shippers.parse.application import from_application
from shippers.spool.envelope import seal

NOW = 1_795_352_400.0

texts = st.text()
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=10,
)


def shipped(content: bytes, length: int = 0) -> Record:
    line = seal(content, NOW, "", Truncated(length, "beef") if length else None)
    (part,) = parts(Window("s", 0, 0, len(line), line), Input("", host="h", feed=Syslog()), NOW)
    (record,) = decode_lines(part.body)
    assert original(record) == content + b"\n" * (not content.endswith(b"\n"))
    return record


def sent(text: str, /, **extra: Any) -> bytes:
    made = {"name": "shop.cart", "levelno": 40, "created": NOW, "process": 7}
    return message(logging.makeLogRecord(made | extra), text, "shop").partition(b" ")[2]


@given(text=texts, extra=st.dictionaries(texts.filter(lambda key: key not in vars(logging.makeLogRecord({}))), values))
def test_whatever_an_application_says_arrives(text: str, extra: dict[str, Any]) -> None:
    extra = {key: value for key, value in extra.items() if key not in {"message", "asctime", "taskName"}}
    told = extra.pop("conversation", None)
    content = sent(text, **extra, **({"conversation": str(told)} if told else {}))
    assume(told or not any(name.encode() in content for name in CONVERSATION))  # the next test has those
    record = shipped(content)
    assert (record.severity, record.service, record.app, record.host) == ("error", "shop", "shop", "h")
    assert (record.facility, record.pid, record.msgid, record.sd) == ("user", "7", "shop.cart", None)
    assert record.message == text.rstrip("\n\r\0").removeprefix("\ufeff")
    assert record.conversation == (str(told) if told else None)
    assert (record.fields or {}).keys() == extra.keys()
    assert decode_lines(encode_lines([record])) == [record]


@pytest.mark.parametrize("name", CONVERSATION[:-1])
def test_a_field_of_a_usual_name_is_the_conversation_unless_another_is_told(name: str) -> None:
    assert shipped(sent("x", within={name: "a7"})).conversation == "a7"
    assert shipped(sent("x", within={name: "a7"}, conversation="b8")).conversation == "b8"


def test_values_arrive_as_what_they_are() -> None:
    extra = {"order": 17, "total": 1.5, "paid": False, "who": 'Zoë "]\\ \n', "tags": ["a", {"b": None}]}
    record = shipped(sent("x", **extra, conversation='a "]\\ b\n'))
    assert (record.fields, record.conversation) == (extra, 'a "]\\ b\n')


def test_fields_stand_beside_what_was_cut() -> None:
    record = shipped(sent("x", order=17), length=5000)
    assert record.fields == {"order": 17, "cut": {"length": 5000, "sha256": "beef"}}


def test_other_elements_stay() -> None:
    others = {"origin": {"ip": "192.0.2.1"}}
    assert from_application({ELEMENT: {"fields": '{"a":1}'}, **others}) == ({"a": 1}, None, others)
    assert from_application(others) == (None, None, others)
    assert from_application(None) == (None, None, None)


@pytest.mark.parametrize(
    "fields",
    [
        *("", "{", "[]", "1", '{"a":NaN}', '{"a":1e999}', '{"a":"\\ud800"}'),
        '{"a":' + "[" * 5000 + "]" * 5000 + "}",
        '{"a":' + "[" * 60 + "]" * 60 + "}",
    ],
)
def test_what_the_handler_would_not_write_stays_structured_data(fields: str) -> None:
    data = {ELEMENT: {"fields": fields, "conversation": "c"}}
    assert from_application(data) == (None, None, data)
    content = f"<11>1 - - shop - - [{ELEMENT} fields={json.dumps(fields).replace(']', chr(92) + ']')}] x"
    assert shipped(content.encode()).sd == {ELEMENT: {"fields": fields}}


def test_parameters_of_a_later_version_stay_structured_data() -> None:
    data = {ELEMENT: {"fields": "{}", "trace": "t"}}
    assert from_application(data) == (None, None, data)
