"""A logging handler that sends records to the shipper of this host, over its unix socket.

Records are sent as RFC 5424 messages, each after its length (RFC 6587). Logging never waits and never fails: records go
into a bounded queue, and a thread sends them. Records that do not fit while no shipper takes any are counted, and their
number is logged when a shipper is back. This file needs only the standard library, so it can be copied into an
application.
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
"""The structured data element that carries `fields` (a JSON object) and `conversation`."""

conversation: ContextVar[str] = ContextVar("conversation", default="")
"""The id that ties records together. Set it where a request, job or dialogue begins. A record's own
`extra={"conversation": ...}` takes precedence."""

_MAX_FIELDS = 64 << 10
"""The maximum number of bytes of keys and values in `fields`."""

_MAX_LEFT_OUT = 100
"""The maximum number of names of omitted fields that a record lists, and of characters of each."""

_MAX_CONVERSATION = 1024
_MAX_TEXT = 8 << 20
"""The maximum number of bytes of a text. The length before a message has at most seven digits."""

_MAX_QUEUED = 64 << 20
"""The maximum number of bytes in the queue, however few records they are."""

_BATCH = 500
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_CHECK_SECONDS = 0.1
"""The interval of checks whether the shipper has read what was sent."""

_JOIN_SECONDS = 0.5
"""The time limit for the thread to end."""

_USER = 1
_CRIT, _ERROR, _WARNING, _INFO, _DEBUG = 2, 3, 4, 6, 7
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_ESCAPE = str.maketrans({'"': '\\"', "\\": "\\\\", "]": "\\]"})
_SURROGATE = re.compile("[\ud800-\udfff]")


def socket_paths() -> list[str]:
    """Return the socket paths to try: $LOGROUTER_SOCKET if set, otherwise that of the host, then those of the user."""
    if chosen := os.environ.get("LOGROUTER_SOCKET"):
        return [chosen]
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")  # noqa: PTH111  # never raises
    return [f"{directory}/logrouter/log.sock" for directory in ("/run", runtime, state)]


class LogrouterHandler(logging.Handler):
    """A handler that sends records to the shipper of this host.

    service: the name of the service, by default that of the program.
    address: the path of the socket, by default the first of `socket_paths` that accepts a connection.
    capacity: the maximum number of records in the queue.
    flush_timeout: the time limit, in seconds, for `flush` and `close`, and so for the exit of the program.
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
        # A handler without a formatter gets one from basicConfig, which adds level and name to the text.
        self.setFormatter(logging.Formatter())
        self.service = _name(service or _program(), 48)
        self.flush_timeout = flush_timeout
        self._paths = (lambda: [address]) if address else socket_paths
        self._capacity = capacity
        self._sender = self._new_sender()
        self._dropped_before = 0
        _handlers.add(self)

    @property
    def dropped(self) -> int:
        """The number of records of this process that are lost, because they were not and will not be sent."""
        return self._dropped_before + self._sender.dropped

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record, or count it as dropped if the queue is full. As usual, errors go to `handleError`."""
        try:
            self._sender.put(message(record, self.format(record), self.service))
        except Exception:  # noqa: BLE001  # logging must not make the application fail
            self.handleError(record)

    def flush(self) -> None:
        """Wait until all records are sent, for at most `flush_timeout`. Does not wait if no shipper listens."""
        self._sender.flush(self.flush_timeout)

    def close(self) -> None:
        """Flush and disconnect. Writes the number of unsent records to stderr. A later record connects again."""
        self.acquire()
        try:
            sender, self._sender = self._sender, self._new_sender()
        finally:
            self.release()
        sender.close(self.flush_timeout)
        self._dropped_before += sender.dropped
        if sender.unreported and logging.raiseExceptions and sys.stderr:
            text = f"{sender.unreported} log records of {self.service} were not sent because no shipper took them"
            reason = sender.refusal or "the shipper did not read them in time"
            print(f"{text} ({reason})", file=sys.stderr)  # noqa: T201  # logging itself has failed
        super().close()

    def forked(self) -> None:
        """Reset the handler in a forked child, which must not send the records of its parent."""
        self._sender.abandon()
        self._sender, self._dropped_before = self._new_sender(), 0

    def _new_sender(self) -> _Sender:
        return _Sender(self._paths, self._capacity, self._drop_notice)

    def _drop_notice(self, count: int) -> bytes:
        text = f"{count} records were dropped because no shipper was there to take them"
        fields = {"name": __name__, "levelno": logging.WARNING, "msg": text, "created": time.time()}
        return message(logging.makeLogRecord(fields | {"process": os.getpid()}), text, self.service)


class _Sender:
    """A queue of messages and a thread that sends them over one connection.

    Hold `_changed` to access the state that the thread and its callers share.
    """

    def __init__(self, paths: Callable[[], list[str]], capacity: int, drop_notice: Callable[[int], bytes]) -> None:
        self._paths, self._capacity, self._drop_notice = paths, capacity, drop_notice
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._sending = 0
        self.unreported = 0
        self.dropped = 0
        self.refusal = ""
        self._is_refused = self._is_urgent = self._is_closing = self._is_stuck = False
        self._thread: threading.Thread | None = None
        self._connection: socket.socket | None = None
        self._unread: deque[bytes] = deque()
        self._room = 0

    def put(self, content: bytes) -> None:
        """Queue a message, or count it as dropped if there is no room. Never waits."""
        with self._changed:
            if len(self._waiting) >= self._capacity or self._size + len(content) > _MAX_QUEUED:
                self.unreported += 1
                self.dropped += 1
                return
            self._waiting.append(content)
            self._size += len(content)
            if self._thread is None or not self._thread.is_alive():
                self._start()
            self._changed.notify_all()

    def flush(self, seconds: float) -> None:
        """Return when the queue is empty, no shipper listens, or `seconds` have passed.

        Returns at once if an earlier flush timed out and nothing was sent since.
        """
        with self._changed:
            self._is_refused, self._is_urgent = False, True
            self._changed.notify_all()
        if self._thread is None:
            self._send_without_thread(seconds)
        with self._changed:
            is_done = self._changed.wait_for(
                lambda: self._is_refused or self._is_stuck or not (self._waiting or self._sending), seconds
            )
            self._is_stuck, self._is_urgent = self._is_stuck or not is_done, False

    def close(self, seconds: float) -> None:
        """Flush and end the thread. Messages that are left count as dropped."""
        self.flush(seconds)
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
            left = len(self._waiting) + self._sending
            self.unreported += left
            self.dropped += left
            thread, connection = self._thread, self._connection
        if left and connection is not None:
            with contextlib.suppress(OSError):  # it may be gone
                connection.shutdown(socket.SHUT_RDWR)  # wakes the thread if it waits for a shipper that does not read
        if thread is not None:
            thread.join(_JOIN_SECONDS)
        else:
            self._requeue_unread()

    def abandon(self) -> None:
        """Close the parent's connection in a forked child."""
        if self._connection is not None:
            self._connection.close()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="logrouter", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # too many threads, or the interpreter is exiting: the next record or `flush` retries
            self._thread = None
            return
        if (multiprocessing := sys.modules.get("multiprocessing.util")) is not None:
            multiprocessing.Finalize(None, flush_all, exitpriority=0)  # its child processes exit without running atexit

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._is_closing:
            with self._changed:
                if not (self._waiting or self._is_closing):
                    self._changed.wait(_CHECK_SECONDS if self._unread else None)
            try:
                self._send_batch()
                pause = _FIRST_PAUSE
            except OSError:
                self._requeue_unread()
                with self._changed:
                    self._changed.wait_for(
                        lambda: self._is_closing or (self._is_urgent and not self._is_refused),
                        pause * random.uniform(0.5, 1.0),  # noqa: S311  # only spreads retries
                    )
                pause = min(2 * pause, _LONGEST_PAUSE)
        if self._connection is not None:
            self._connection.close()

    def _send_batch(self) -> None:
        """Send at most one batch from the queue. Raises OSError if the connection fails."""
        if self._connection is not None:
            self._forget_read(self._connection)
        if not self._waiting:
            return
        connection = self._connection or self._connect()
        batch = self._take_batch()
        self._unread.extend(batch)
        connection.sendall(b"".join(batch))
        with self._changed:
            self._sending, self._is_stuck = 0, False
            self._changed.notify_all()
        size = sum(map(len, self._unread))
        while size - len(self._unread[0]) >= self._room:  # the kernel cannot hold more, so the first has been read
            size -= len(self._unread.popleft())

    def _send_without_thread(self, seconds: float) -> None:
        """Send the whole queue without the thread, each batch within `seconds`."""
        timeout = struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))
        try:
            while self._waiting:
                connection = self._connection or self._connect()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)
                self._send_batch()
        except OSError:
            self._requeue_unread()

    def _take_batch(self) -> list[bytes]:
        """Remove and return a batch. If messages were dropped, append a notice of their number to the queue."""
        with self._changed:
            batch = list(islice(self._waiting, _BATCH))
            for content in batch:
                self._waiting.popleft()
                self._size -= len(content)
            self._sending = len(batch)
            if self.unreported:
                self._waiting.append(self._drop_notice(self.unreported))
                self._size += len(self._waiting[-1])
                self.unreported = 0
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

    def _forget_read(self, connection: socket.socket) -> None:
        """Forget the messages that the shipper has read. Raises OSError if it disconnected with some of them unread."""
        is_read = _bytes_unread(connection) == 0  # check first: after a disconnect nothing counts as unread
        try:
            is_over = not connection.recv(4096, socket.MSG_DONTWAIT)
        except BlockingIOError:
            is_over = False
        if is_over:
            connection.close()
            self._connection = None
        if is_over or is_read:
            self._unread.clear()

    def _requeue_unread(self) -> None:
        """Return the messages that the shipper may not have read to the front of the queue, and disconnect."""
        with self._changed:
            self._waiting.extendleft(reversed(self._unread))
            self._size += sum(map(len, self._unread))
            self._sending = 0
        self._unread.clear()
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def message(record: logging.LogRecord, text: str, service: str) -> bytes:
    """Return a record in the form in which it is sent. `text` is its formatted message."""
    fields = {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
    conversation_id = fields.pop("conversation", None) or conversation.get()
    params = []
    if fields:
        params.append(f' fields="{_json(fields).translate(_ESCAPE)}"')
    if conversation_id:
        params.append(f' conversation="{str(conversation_id)[:_MAX_CONVERSATION].translate(_ESCAPE)}"')
    data = f"[{ELEMENT}{''.join(params)}]" if params else "-"
    when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    pid = record.process or "-"
    header = (
        f"<{8 * _USER + _severity(record.levelno)}>1 {when} - {service} {pid} {_name(str(record.name), 32)} {data} "
    )
    content = text.encode("utf-8", "backslashreplace")
    if over := max(0, len(content) - _MAX_TEXT):
        content = content[:_MAX_TEXT].decode(errors="ignore").encode() + b"... (%d bytes more)" % over
    content = header.encode("utf-8", "backslashreplace") + content
    return b"%d %s" % (len(content), content)


def flush_all() -> None:
    """Flush every handler of this process. Call it in a child process before os._exit."""
    for handler in list(_handlers):
        handler.flush()


def _severity(level: int) -> int:
    for lowest, severity in ((50, _CRIT), (40, _ERROR), (30, _WARNING), (20, _INFO)):
        if level >= lowest:
            return severity
    return _DEBUG


def _json(fields: dict[str, Any]) -> str:
    """Return a JSON object of limited size. It omits the largest members and lists their names in `left_out`."""
    members = {str(key): _value(value) for key, value in fields.items()}
    size = sum(map(_member_size, members.items()))
    left_out = []
    for key, value in sorted(members.items(), key=_member_size, reverse=True):
        if size <= _MAX_FIELDS:
            break
        size -= _member_size((key, value))
        del members[key]
        left_out.append(key[:_MAX_LEFT_OUT])
    if left_out:
        members["left_out"] = _value(left_out[:_MAX_LEFT_OUT])
    body = ",".join(f"{_value(key)}:{value}" for key, value in members.items())
    return "{" + body + "}"


def _member_size(member: tuple[str, str]) -> int:
    key, value = member
    return len(key.encode("utf-8", "replace")) + len(value.encode())


def _value(value: Any) -> str:
    """Return any value as JSON. One that has no JSON form becomes text, and a lone surrogate its escape."""
    try:
        found = json.dumps(value, default=str, ensure_ascii=False, allow_nan=False)
    except Exception:  # noqa: BLE001  # NaN, a cycle, keys that are not strings, or a __str__ that fails
        try:
            found = json.dumps(repr(value), ensure_ascii=False)
        except Exception:  # noqa: BLE001  # its __repr__ fails as well
            found = json.dumps(f"<{type(value).__name__}>")
    return _SURROGATE.sub(lambda match: f"\\\\u{ord(match[0]):04x}", found)


def _name(text: str, longest: int) -> str:
    """Return a name in the form of RFC 5424: printable ASCII without spaces, '-' if empty."""
    return re.sub(r"[^!-~]", "_", text)[:longest] or "-"


def _program() -> str:
    """Return the name of the running program. For `python -m package` it is the package."""
    path = Path(sys.argv[0] if sys.argv else "")
    stem = path.parent.name if path.name == "__main__.py" else path.stem
    return stem if stem and not stem.startswith("-") else "python"


def _bytes_unread(connection: socket.socket) -> int:
    """Return how much the peer has not read yet: 0 for nothing, otherwise a size in no exact unit.

    On systems other than Linux it is always 0.
    """
    if sys.platform != "linux":
        return 0
    return int.from_bytes(fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)), sys.byteorder)


def _after_fork() -> None:
    for handler in list(_handlers):
        handler.forked()


_handlers: weakref.WeakSet[LogrouterHandler] = weakref.WeakSet()
os.register_at_fork(after_in_child=_after_fork)
