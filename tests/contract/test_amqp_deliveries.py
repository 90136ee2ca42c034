"""Deliveries taken out of a stream of frames, however it is cut: what the library's own codec would read in it."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from pamqp import frame
from pamqp.body import ContentBody
from pamqp.commands import Basic, Channel
from pamqp.header import ContentHeader

from logrouter.broker.amqp.delivery_frames import Delivered, DeliveryFrames, FrameReader

_OURS, _OTHER = 5, 2
_keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def marshalled(tag: int, key: str, redelivered: bool, pieces: list[bytes], channel: int) -> list[bytes]:
    deliver = Basic.Deliver("ctag", tag, redelivered, "log", key)
    header = ContentHeader(body_size=sum(map(len, pieces)), properties=Basic.Properties(content_type="text/plain"))
    parts: list[Basic.Deliver | ContentHeader | ContentBody] = [deliver, header, *map(ContentBody, pieces)]
    return [frame.marshal(each, channel) for each in parts]


@given(
    st.lists(st.tuples(_keys, st.booleans(), st.lists(st.binary(min_size=1, max_size=50), max_size=3), st.booleans())),
    st.lists(st.integers(1, 60), min_size=1),
)
def test_deliveries_come_whole_and_all_else_passes(
    messages: list[tuple[str, bool, list[bytes], bool]], cuts: list[int]
) -> None:
    sent: list[bytes] = []
    passed: list[bytes] = []
    wanted: list[tuple[str, int, bool, bytes]] = []
    for tag, (key, redelivered, pieces, is_ours) in enumerate(messages, 1):
        for each in marshalled(tag, key, redelivered, pieces, _OURS if is_ours else _OTHER):
            between = frame.marshal(Channel.FlowOk(True), _OURS)
            sent += [each, between]
            passed += [between] if is_ours else [each, between]
        if is_ours:
            wanted.append((key, tag, redelivered, b"".join(pieces)))

    async def read() -> tuple[list[Delivered], bytes]:
        got: list[Delivered] = []
        reader = FrameReader()
        reader.contents[_OURS] = DeliveryFrames(got.append)
        reader._signed = asyncio.get_running_loop().time() + 1000  # no heartbeats in between
        stream, turn = b"".join(sent), 0
        while stream:
            size = cuts[turn % len(cuts)]
            reader.feed_data(stream[:size])
            stream, turn = stream[size:], turn + 1
        reader.feed_eof()
        return got, await reader.read()

    got, rest = asyncio.run(read())
    assert [(each.key, each.tag, each.redelivered, each.body) for each in got] == wanted
    assert rest == b"".join(passed)
