"""Python's logging -> the shipper of this host, over its unix socket. The standard library alone.

In come log records, out go RFC 5424 messages, each behind its length (RFC 6587). Logging never waits and never fails:
a record is put into a bounded queue, which a thread sends on; what does not fit while no shipper takes any is counted,
and told when one is back. This file imports nothing of ours, so that it may be copied into an application.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import random
import re
import socket
import struct
import sys
import termios
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

ELEMENT = "logrouter@32473"
"""The structured data that carries `fields` (a JSON object) and `conversation`."""

conversation: ContextVar[str] = ContextVar("conversation", default="")
"""What ties records together: set it where a request, job or dialogue begins. `extra={"conversation": ...}` goes before
it."""

_MOST_FIELDS = 64 << 10
_MOST_NAMED = 100
_LONGEST_CONVERSATION = 1024
_LONGEST_TEXT = 8 << 20
"""Bytes: a count on the wire has seven digits."""

_MOST_WAITING = 64 << 20
"""Bytes in the queue, however few records they are."""

_BATCH = 500
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_SETTLING = 0.1
"""Seconds between two looks at whether what was sent has been read."""

_ENDING = 0.5
"""Seconds that an ending thread is waited for."""

_USER = 1
_CRIT, _ERROR, _WARNING, _INFO, _DEBUG = 2, 3, 4, 6, 7
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_ESCAPE = str.maketrans({'"': '\\"', "\\": "\\\\", "]": "\\]"})
_SURROGATE = re.compile("[\ud800-\udfff]")


def socket_paths() -> list[str]:
    """Where a shipper may be: $LOGROUTER_SOCKET alone if that is set; else that of the host comes before the user's."""
    if chosen := os.environ.get("LOGROUTER_SOCKET"):
        return [chosen]
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")  # noqa: PTH111  # never raises
    return [f"{directory}/logrouter/log.sock" for directory in ("/run", runtime, state)]


class LogrouterHandler(logging.Handler):
    """Sends records to the shipper of this host.

    service: who logs; the name of the program if not given.   address: path of the socket; by default `socket_paths`.
    capacity: records that may wait.   flush_timeout: seconds that `flush` and `close`, and so the exit, take at most.
    """

    def __init__(
        self,
        service: str = "",
        address: str | None = None,
        level: int | str = logging.NOTSET,
        *,
        capacity: int = 10_000,
        flush_timeout: float = 2.0,
    ) -> None:
        super().__init__(level)
        self.setFormatter(logging.Formatter())  # the text alone: basicConfig gives its own to a handler without one
        self.service = _name(service or _program(), 48)
        self.flush_timeout = flush_timeout
        self._paths = (lambda: [address]) if address else socket_paths
        self._capacity = capacity
        self._sender = self._new_sender()
        self._dropped_before = 0
        _handlers.add(self)

    @property
    def dropped(self) -> int:
        """Records of this process that were not, and will not be, sent."""
        return self._dropped_before + self._sender.dropped

    def emit(self, record: logging.LogRecord) -> None:
        """Put a record into the queue, or count it; by logging's own rule what is wrong with it is printed."""
        try:
            self._sender.put(message(record, self.format(record), self.service))
        except Exception:  # noqa: BLE001  # an application does not fail for what it logs
            self.handleError(record)

    def flush(self) -> None:
        """Wait until all is handed over, so long at most; not at all where nobody listens."""
        self._sender.flush(self.flush_timeout)

    def close(self) -> None:
        """Flush and disconnect; what cannot be sent is said on stderr. A record that comes later connects again."""
        self.acquire()
        try:
            sender, self._sender = self._sender, self._new_sender()
        finally:
            self.release()
        sender.close(self.flush_timeout)
        self._dropped_before += sender.dropped
        if sender.untold and logging.raiseExceptions and sys.stderr:
            text = f"{sender.untold} log records of {self.service} were not sent, no shipper took them"
            reason = sender.refusal or "it did not read in time"
            print(f"{text} ({reason})", file=sys.stderr)  # noqa: T201  # it is logging that has failed
        super().close()

    def forked(self) -> None:
        """In a child process: begin anew, without what its parent sends."""
        self._sender.abandon()
        self._sender, self._dropped_before = self._new_sender(), 0

    def _new_sender(self) -> _Sender:
        return _Sender(self._paths, self._capacity, self._note)

    def _note(self, count: int) -> bytes:
        text = f"{count} records were dropped, no shipper was there to take them"
        made = {"name": __name__, "levelno": logging.WARNING, "msg": text, "created": time.time()}
        return message(logging.makeLogRecord(made | {"process": os.getpid()}), text, self.service)


class _Sender:
    """A queue of messages and the thread that sends them, by one connection. `_changed` guards all that both touch."""

    def __init__(self, paths: Callable[[], list[str]], capacity: int, note: Callable[[int], bytes]) -> None:
        self._paths, self._capacity, self._note = paths, capacity, note
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._sending = 0
        self.untold = 0
        self.dropped = 0
        self.refusal = ""
        self._is_refused = self._is_urgent = self._is_closing = self._is_stuck = False
        self._thread: threading.Thread | None = None
        self._connection: socket.socket | None = None
        self._unread: deque[bytes] = deque()
        self._room = 0

    def put(self, content: bytes) -> None:
        """Queue a message, or count it where there is no room. Never waits."""
        with self._changed:
            if len(self._waiting) >= self._capacity or self._size + len(content) > _MOST_WAITING:
                self.untold += 1
                self.dropped += 1
                return
            self._waiting.append(content)
            self._size += len(content)
            if self._thread is None or not self._thread.is_alive():
                self._start()
            self._changed.notify_all()

    def flush(self, seconds: float) -> None:
        """Return when nothing waits, nobody listens or the time is over; at once if it was over for the same before."""
        with self._changed:
            self._is_refused, self._is_urgent = False, True
            self._changed.notify_all()
        if self._thread is None:
            self._send_here(seconds)
        with self._changed:
            is_done = self._changed.wait_for(
                lambda: self._is_refused or self._is_stuck or not (self._waiting or self._sending), seconds
            )
            self._is_stuck, self._is_urgent = self._is_stuck or not is_done, False

    def close(self, seconds: float) -> None:
        """Flush and end the thread. What is left is counted as dropped."""
        self.flush(seconds)
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
            left = len(self._waiting) + self._sending
            self.untold += left
            self.dropped += left
            thread, connection = self._thread, self._connection
        if left and connection is not None:
            with contextlib.suppress(OSError):  # it may be gone
                connection.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits for a shipper that does not read
        if thread is not None:
            thread.join(_ENDING)
        else:
            self._lost()

    def abandon(self) -> None:
        """Close a parent's connection in its child."""
        if self._connection is not None:
            self._connection.close()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="logrouter", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no more threads, or the interpreter ends: the next record tries again, or `flush` sends
            self._thread = None
            return
        if (multiprocessing := sys.modules.get("multiprocessing.util")) is not None:
            multiprocessing.Finalize(None, flush_all, exitpriority=0)  # its children end without atexit

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._is_closing:
            with self._changed:
                if not (self._waiting or self._is_closing):
                    self._changed.wait(_SETTLING if self._unread else None)
            try:
                self._turn()
                pause = _FIRST_PAUSE
            except OSError:
                self._lost()
                with self._changed:
                    self._changed.wait_for(
                        lambda: self._is_closing or (self._is_urgent and not self._is_refused),
                        pause * random.uniform(0.5, 1.0),  # noqa: S311  # spreads retries, no more
                    )
                pause = min(2 * pause, _LONGEST_PAUSE)
        if self._connection is not None:
            self._connection.close()

    def _turn(self) -> None:
        """Send what waits, a batch at most. Raises OSError."""
        if self._connection is not None:
            self._settle(self._connection)
        if not self._waiting:
            return
        connection = self._connection or self._connect()
        batch = self._take()
        self._unread.extend(batch)
        connection.sendall(b"".join(batch))
        with self._changed:
            self._sending, self._is_stuck = 0, False
            self._changed.notify_all()
        size = sum(map(len, self._unread))
        while size - len(self._unread[0]) >= self._room:  # the kernel holds no more, so this one has been read
            size -= len(self._unread.popleft())

    def _send_here(self, seconds: float) -> None:
        """Send what waits without a thread, each batch within so many seconds."""
        timeout = struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))
        try:
            while self._waiting:
                connection = self._connection or self._connect()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)
                self._turn()
        except OSError:
            self._lost()

    def _take(self) -> list[bytes]:
        """A batch off the queue; behind what was kept comes how many were not."""
        with self._changed:
            batch = list(islice(self._waiting, _BATCH))
            for content in batch:
                self._waiting.popleft()
                self._size -= len(content)
            self._sending = len(batch)
            if self.untold:
                self._waiting.append(self._note(self.untold))
                self._size += len(self._waiting[-1])
                self.untold = 0
        return batch

    def _connect(self) -> socket.socket:
        reasons = []
        for path in self._paths():
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.connect(path)
            except OSError as error:
                connection.close()
                reasons.append(f"{path}: {error.strerror or error}")
                continue
            self._room = connection.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
            self._connection, self.refusal = connection, ""
            return connection
        with self._changed:
            self._is_refused, self.refusal = True, "; ".join(reasons)
            self._changed.notify_all()
        raise ConnectionRefusedError(self.refusal)

    def _settle(self, connection: socket.socket) -> None:
        """Forget what the shipper has read. Raises OSError if it went away with some of it unread."""
        is_read = _bytes_unread(connection) == 0  # before the next: of one that went away nothing is unread any more
        try:
            is_over = not connection.recv(4096, socket.MSG_DONTWAIT)
        except BlockingIOError:
            is_over = False
        if is_over:
            connection.close()
            self._connection = None
        if is_over or is_read:
            self._unread.clear()

    def _lost(self) -> None:
        """Put what a shipper may not have read before all that waits."""
        with self._changed:
            self._waiting.extendleft(reversed(self._unread))
            self._size += sum(map(len, self._unread))
            self._sending = 0
        self._unread.clear()
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def message(record: logging.LogRecord, text: str, service: str) -> bytes:
    """A record as it is sent. text: its message, with what its formatter adds."""
    fields = {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
    told = fields.pop("conversation", None) or conversation.get()
    params = []
    if fields:
        params.append(f' fields="{_json(fields).translate(_ESCAPE)}"')
    if told:
        params.append(f' conversation="{str(told)[:_LONGEST_CONVERSATION].translate(_ESCAPE)}"')
    data = f"[{ELEMENT}{''.join(params)}]" if params else "-"
    when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    pid = record.process or "-"
    header = (
        f"<{8 * _USER + _severity(record.levelno)}>1 {when} - {service} {pid} {_name(str(record.name), 32)} {data} "
    )
    content = text.encode("utf-8", "backslashreplace")
    if over := max(0, len(content) - _LONGEST_TEXT):
        content = content[:_LONGEST_TEXT].decode(errors="ignore").encode() + b"... (%d bytes more)" % over
    content = header.encode("utf-8", "backslashreplace") + content
    return b"%d %s" % (len(content), content)


def flush_all() -> None:
    """Flush every handler of this process: for a child that is about to end by os._exit."""
    for handler in list(_handlers):
        handler.flush()


def _severity(level: int) -> int:
    for lowest, severity in ((50, _CRIT), (40, _ERROR), (30, _WARNING), (20, _INFO)):
        if level >= lowest:
            return severity
    return _DEBUG


def _json(fields: dict[str, Any]) -> str:
    """A JSON object, bounded: the largest values are left out and named."""
    members = {str(key): _value(value) for key, value in fields.items()}
    size = sum(map(_member_size, members.items()))
    left_out = []
    for key, value in sorted(members.items(), key=_member_size, reverse=True):
        if size <= _MOST_FIELDS:
            break
        size -= _member_size((key, value))
        del members[key]
        left_out.append(key[:_MOST_NAMED])
    if left_out:
        members["left_out"] = _value(left_out[:_MOST_NAMED])
    body = ",".join(f"{_value(key)}:{value}" for key, value in members.items())
    return "{" + body + "}"


def _member_size(member: tuple[str, str]) -> int:
    key, value = member
    return len(key.encode("utf-8", "replace")) + len(value.encode())


def _value(value: Any) -> str:
    """JSON of anything: what has none is told as text, a lone surrogate by its number."""
    try:
        found = json.dumps(value, default=str, ensure_ascii=False, allow_nan=False)
    except Exception:  # noqa: BLE001  # NaN, a cycle, keys that are no text, or a __str__ that fails
        try:
            found = json.dumps(repr(value), ensure_ascii=False)
        except Exception:  # noqa: BLE001  # its __repr__ fails as well
            found = json.dumps(f"<{type(value).__name__}>")
    return _SURROGATE.sub(lambda match: f"\\\\u{ord(match[0]):04x}", found)


def _name(text: str, longest: int) -> str:
    """A name as RFC 5424 has it: printable ASCII without spaces."""
    return re.sub(r"[^!-~]", "_", text)[:longest] or "-"


def _program() -> str:
    """The program that runs: of `python -m package` the package."""
    path = Path(sys.argv[0] if sys.argv else "")
    stem = path.parent.name if path.name == "__main__.py" else path.stem
    return stem if stem and not stem.startswith("-") else "python"


def _bytes_unread(connection: socket.socket) -> int:
    """What the other side has not read yet, in no exact unit; where the system does not tell, nothing."""
    if sys.platform != "linux":
        return 0
    return int.from_bytes(fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)), sys.byteorder)


def _after_fork() -> None:
    for handler in list(_handlers):
        handler.forked()


_handlers: weakref.WeakSet[LogrouterHandler] = weakref.WeakSet()
os.register_at_fork(after_in_child=_after_fork)
