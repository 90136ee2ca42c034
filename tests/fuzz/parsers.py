"""A long run of a coverage-guided fuzzer over all that reads what others have written. By hand, as CI has no time.

In come bytes that atheris (not among our dependencies: `pip install atheris`) makes up; for each of them a window is
made into records in every way that there is, and what was in it must be had back from them.

    python tests/fuzz/parsers.py -max_total_time=600
"""

from __future__ import annotations

import itertools
import sys

import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]  # not installed

with atheris.instrument_imports(include=["shippers", "logrouter.wire"]):
    from logrouter.wire.record import Record, decode_lines, original
    from shippers.encode.lines import Window
    from shippers.encode.text import Refining
    from shippers.encode.windows import parts
    from shippers.input import Input, Journal, Syslog
    from shippers.parse.framing import Frames
    from shippers.parse.multiline import TRACES, Joining
    from shippers.redact.redaction import Redaction
    from shippers.spool.envelope import seal

NOW = 1_795_352_400.0
LINES = Input("app", ("/x",), "h")
BY_PROGRAM = Input("", ("/x",), "h")
JOINED = Input("app", ("/x",), "h", joining=Joining(traces=tuple(TRACES)))
WRAPPED = [
    Input("", ("/x",), "h", joining=Joining(traces=tuple(TRACES), wrapping=wrapping, is_only_wrapped=alone))
    for wrapping in ("docker", "cri")
    for alone in (True, False)
]
SYSLOG = Input("", host="h", feed=Syslog())
JOURNAL = Input("", host="h", feed=Journal())
REDACTED = Input(
    "app", ("/x",), "h", refining=Refining(Redaction(("card", "email", "ip", "bearer", "url_password")), True)
)


def records_of(data: bytes, settings: Input) -> list[Record]:
    """The records of these bytes, window after window, as a shipper makes them; they must leave no gap."""
    records: list[Record] = []
    pos = 0
    while pos < len(data):
        made = parts(Window("s", 0, pos, len(data), data[pos:]), settings, NOW)
        found = sorted((each for part in made for each in decode_lines(part.body)), key=lambda each: each.pos)
        assert found[0].pos == pos, "it begins where the one before ended"
        assert all(one.end == other.pos for one, other in itertools.pairwise(found)), "it leaves no gap"
        records += found
        assert made[0].to == found[-1].end > pos, "it says where it ends"
        pos = made[0].to
    return records


def one_input(data: bytes) -> None:
    """Read these bytes in every way."""
    for settings in (LINES, BY_PROGRAM, JOINED):
        assert b"".join(map(original, records_of(data, settings))) == data, "the bytes are had back"
    for settings in (*WRAPPED, REDACTED):
        records_of(data, settings)
    records_of(data.removesuffix(b"\n") + b"\n", JOURNAL)
    frames = Frames(1 << 16, b"\n")
    messages = [*frames.feed(data[: len(data) // 2]), *frames.feed(data[len(data) // 2 :]), *frames.end()]
    sealed = b"".join(seal(frame.content, NOW, "", frame.truncated) for frame in messages)
    for record, frame in zip(records_of(sealed, SYSLOG), messages, strict=True):
        assert original(record).removesuffix(b"\n") == frame.content.removesuffix(b"\n"), "the message is had back"


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
