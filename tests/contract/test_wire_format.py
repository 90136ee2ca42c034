"""The wire format, held by golden messages: what version 1 wrote, every later version must read."""

import dataclasses
import tracemalloc
from typing import Any

import pytest
import zstandard

from logrouter.errors import WireError
from logrouter.wire.batch import TYPE, Part, from_message, is_batch, packed, to_message
from logrouter.wire.message import MAX_BODY, Message
from logrouter.wire.record import Record, decode_lines
from logrouter.wire.slices import from_part

BODY = (
    b'{"ts":"2026-11-22T10:00:00.000001Z","service":"mail","host":"mx1.example.org","severity":"error",'
    b'"message":"timed out","source":"5f0c2a9be1d37a64","pos":120,"end":130,"severity_from":"stated","app":"postfix"}\n'
)
GOLDEN = Message(
    key="mail.mx1_example_org.error",
    body=BODY,
    type="logrouter.batch/1",
    content_type="application/x-ndjson",
    headers={
        "x-logrouter-source": "5f0c2a9be1d37a64",
        "x-logrouter-start": 0,
        "x-logrouter-from": 100,
        "x-logrouter-to": 150,
        "x-logrouter-part": 1,
        "x-logrouter-keys": ["mail.mx1_example_org.info", "mail.mx1_example_org.error"],
        "x-logrouter-service": "mail",
        "x-logrouter-host": "mx1.example.org",
        "x-logrouter-severity": "error",
        "x-logrouter-count": 1,
        "x-logrouter-first": 1795341600000,
        "x-logrouter-last": 1795341600000,
    },
)
PART = Part(
    source="5f0c2a9be1d37a64",
    start=0,
    from_=100,
    to=150,
    part=1,
    keys=("mail.mx1_example_org.info", "mail.mx1_example_org.error"),
    service="mail",
    host="mx1.example.org",
    severity="error",
    count=1,
    first=1795341600000,
    last=1795341600000,
    body=BODY,
)


def test_version_1_is_read() -> None:
    assert is_batch(GOLDEN)
    assert from_message(GOLDEN) == PART
    assert decode_lines(BODY) == [
        Record(
            ts="2026-11-22T10:00:00.000001Z",
            service="mail",
            host="mx1.example.org",
            severity="error",
            message="timed out",
            source="5f0c2a9be1d37a64",
            pos=120,
            end=130,
            severity_from="stated",
            app="postfix",
        )
    ]


def test_version_1_is_written() -> None:
    assert to_message(PART) == GOLDEN


def test_what_a_source_comes_after() -> None:
    message = dataclasses.replace(GOLDEN, headers={**GOLDEN.headers, "x-logrouter-after": ["90bcdef012345678", 700]})
    part = dataclasses.replace(PART, after=("90bcdef012345678", 700))
    assert (from_message(message), to_message(part)) == (part, message)


@pytest.mark.parametrize("after", ["src", ["src"], ["", 1], ["src", 0], ["src", 1 << 63], [1, 1], ["s" * 257, 1], None])
def test_what_says_nothing_of_what_it_comes_after_is_taken_as_it_is(after: Any) -> None:
    assert from_message(dataclasses.replace(GOLDEN, headers={**GOLDEN.headers, "x-logrouter-after": after})) == PART


def test_a_compressed_body_is_the_same_part() -> None:
    compressed = dataclasses.replace(GOLDEN, body=zstandard.compress(BODY), content_encoding="zstd")
    assert from_message(compressed) == PART


@pytest.mark.parametrize("size", [100, 100_000])
def test_a_body_is_packed_where_it_gains_and_comes_back(size: int) -> None:
    part = dataclasses.replace(PART, body=b"x" * size)
    message = to_message(packed(part))
    assert (message.content_encoding, len(message.body) < size) == (("zstd", True) if size == 100_000 else ("", False))
    assert from_message(message) == part


@pytest.mark.parametrize("says_its_size", [True, False])
def test_a_body_that_unpacks_to_more_than_a_broker_takes_is_refused_before_it_takes_memory(
    says_its_size: bool,
) -> None:
    size = 1 << 30 if says_its_size else -1
    packing = zstandard.ZstdCompressor(write_content_size=says_its_size).compressobj(size=size)
    bomb = b"".join(packing.compress(bytes(1 << 20)) for _ in range(1 << 10)) + packing.flush()
    tracemalloc.start()
    with pytest.raises(WireError, match=f"{MAX_BODY} are allowed|more than {MAX_BODY}"):
        from_message(dataclasses.replace(GOLDEN, body=bomb, content_encoding="zstd"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * MAX_BODY


def test_a_body_that_takes_much_memory_to_unpack_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(19, window_log=27)
    packing = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = packing.compress(BODY) + packing.flush()
    with pytest.raises(WireError, match="too much memory"):
        from_message(dataclasses.replace(GOLDEN, body=body, content_encoding="zstd"))


def test_a_body_larger_than_a_broker_takes_is_refused() -> None:
    with pytest.raises(WireError, match=f"{MAX_BODY} are allowed"):
        from_message(dataclasses.replace(GOLDEN, body=BODY.ljust(MAX_BODY + 1)))


def test_unknown_headers_are_ignored() -> None:
    assert from_message(dataclasses.replace(GOLDEN, headers={**GOLDEN.headers, "x-logrouter-new": 1})) == PART


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "logrouter.batch/2"}, "newer"),
        ({"content_encoding": "gzip"}, "content encoding 'gzip'"),
        ({"content_encoding": "zstd"}, "does not decompress"),
        ({"headers": {}}, "x-logrouter-keys is None"),
        ({"headers": {**GOLDEN.headers, "x-logrouter-from": "100"}}, "x-logrouter-from is '100', not int"),
        ({"headers": {**GOLDEN.headers, "x-logrouter-keys": [1]}}, "not a string"),
        ({"headers": {**GOLDEN.headers, "x-logrouter-to": 100}}, "impossible window"),
        ({"headers": {**GOLDEN.headers, "x-logrouter-part": 2}}, "impossible window"),
    ],
)
def test_a_broken_message_says_what_is_wrong(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(WireError, match=reason):
        from_message(dataclasses.replace(GOLDEN, **changes))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"count": 2}, "count is 2"),
        ({"body": BODY[:-1]}, "count is 1"),
        ({"body": BODY + b"{}\n"}, "NDJSON"),
        ({"from_": 125}, "outside"),
        ({"to": 125}, "outside"),
        ({"body": BODY + BODY, "count": 2}, "begins before"),
    ],
)
def test_a_body_must_agree_with_its_headers(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(WireError, match=reason):
        from_part(dataclasses.replace(PART, **changes))


@pytest.mark.parametrize("kind", ["", "event", "logrouter.report/1", TYPE.upper()])
def test_everything_else_is_foreign(kind: str) -> None:
    assert not is_batch(dataclasses.replace(GOLDEN, type=kind))
