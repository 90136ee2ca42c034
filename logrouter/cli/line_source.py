"""A source of lines that are typed or piped: the lines of one read are one window.

The given severity applies to all lines. If it is None, the severity is parsed from each line, as a shipper does.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from secrets import token_hex

import msgspec

from logrouter.broker.contract import EXCHANGE, Session
from logrouter.wire.batch import Part, to_message, whole
from logrouter.wire.record import Record, original, rfc3339
from shippers.encode.lines import Window
from shippers.encode.windows import parts
from shippers.input import Input


@dataclass(slots=True)
class LineSource:
    """A source that lasts as long as the process."""

    service: str
    host: str
    severity: str | None
    source: str = field(default_factory=lambda: token_hex(8))
    position: int = 0

    async def publish(self, session: Session, lines: Sequence[bytes]) -> None:
        """Publish these lines as one window, and return when it is confirmed. Raises BrokerError."""
        begin, now = self.position, time.time()
        if self.severity is None:
            data = b"".join(lines)
            self.position += len(data)
            window = Window(self.source, 0, begin, self.position, data)
            made = parts(window, Input(self.service, host=self.host), now)
        else:
            made = (self._stated(lines, self.severity, now),)
        await asyncio.gather(*(session.publish(EXCHANGE, to_message(part)) for part in made))

    def _stated(self, lines: Sequence[bytes], severity: str, now: float) -> Part:
        begin, records = self.position, []
        for line in lines:
            records.append(self._record(line, severity, now))
            self.position += len(line)
        return whole(records, start=0, from_=begin, to=self.position, filed=int(now * 1000))

    def _record(self, line: bytes, severity: str, now: float) -> Record:
        text = line.removesuffix(b"\n").removesuffix(b"\r").decode(errors="replace")
        record = Record(
            ts=rfc3339(now),
            service=self.service,
            host=self.host,
            severity=severity,
            severity_from="stated",
            message=text,
            source=self.source,
            pos=self.position,
            end=self.position + len(line),
        )
        if original(record) == line:
            return record
        return msgspec.structs.replace(record, raw=base64.b64encode(line).decode())
