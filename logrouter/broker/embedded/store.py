"""The storage of the embedded broker: one SQLite file, written by one thread.

Each change returns a future that completes when the change is on disk. All changes that arrive while the disk is busy
become one transaction with one fsync. Changes take effect in the order of the calls. A read does not wait for changes
that are still pending, so read only what a completed future has confirmed.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from logrouter.broker.contract import Queue, QueueKind
from logrouter.errors import BrokerError, PublishRefused, StateError
from logrouter.support.failpoint import reach
from logrouter.wire.message import Message

VERSION = 1
"""The version of the tables below, stored in the file as its user_version."""

_SCHEMA = f"""
BEGIN;
CREATE TABLE queues (name TEXT PRIMARY KEY, kind TEXT NOT NULL, delay REAL NOT NULL, target TEXT NOT NULL);
CREATE TABLE bindings (queue TEXT, exchange TEXT, pattern TEXT, PRIMARY KEY (queue, exchange, pattern));
CREATE TABLE messages (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    due REAL,
    key TEXT NOT NULL,
    properties BLOB NOT NULL,
    body BLOB NOT NULL
);
PRAGMA user_version = {VERSION};
COMMIT;
"""

_ADD = "INSERT INTO messages (queue, due, key, properties, body) VALUES (?, ?, ?, ?, ?)"
_MOVE = (
    "INSERT INTO messages (queue, key, properties, body) SELECT ?, ?, properties, body FROM messages WHERE place = ?"
)
_LOAD = "SELECT key, properties, body FROM messages WHERE place = ?"
_REMOVE = "DELETE FROM messages WHERE place = ?"

_T = TypeVar("_T")
_Change = Callable[[sqlite3.Connection], Any]


class _StoredProperties(msgspec.Struct, array_like=True):
    """A message without its key and body, as it is stored."""

    type: str
    content_type: str
    content_encoding: str
    message_id: str
    correlation_id: str
    app_id: str
    timestamp: float | None
    headers: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Saved:
    """What an earlier process left on disk.

    Bindings are (queue, exchange, pattern). Messages are (place, queue, due, size of the body in bytes), by place.
    """

    queues: list[Queue]
    bindings: list[tuple[str, str, str]]
    messages: list[tuple[int, str, float | None, int]]


class Store:
    """The file at `path`, which one process can use at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread: ThreadPoolExecutor | None = None
        self._database: sqlite3.Connection | None = None
        self._pending: list[tuple[_Change, asyncio.Future[Any]]] = []
        self._committing: asyncio.Task[None] | None = None

    async def open(self) -> Saved:
        """Open or create the file. Raises StateError if it is in use, damaged, or of a newer version."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="broker-store")
        try:
            return await self._in_thread(self._open)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Write pending changes and close the file."""
        if self._committing is not None:
            await self._committing
        if self._thread is not None:
            await self._in_thread(self._close)
            self._thread.shutdown()
            self._thread = None

    def add(self, queue: str, message: Message, due: float | None = None) -> asyncio.Future[int]:
        """Store a message. The result is its place; later messages have higher places.

        Raises PublishRefused at once if a header has a type that cannot be stored.
        """
        names = _StoredProperties.__struct_fields__
        try:
            properties = msgspec.msgpack.encode(_StoredProperties(**{name: getattr(message, name) for name in names}))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise PublishRefused(f"the message cannot be kept: {error}") from error
        row = (queue, due, message.key, properties, message.body)
        return self._write(lambda database: database.execute(_ADD, row).lastrowid or 0)

    def remove(self, places: list[int]) -> asyncio.Future[None]:
        """Delete the messages at these places."""
        rows = [(place,) for place in places]
        return self._write(lambda database: _nothing(database.executemany(_REMOVE, rows)))

    def move(self, places: list[int], target: str) -> asyncio.Future[list[int]]:
        """Move messages to the end of another queue, with its name as their key.

        The result is the new place of each, or 0 if the message no longer exists.
        """

        def change(database: sqlite3.Connection) -> list[int]:
            copies = [database.execute(_MOVE, (target, target, place)) for place in places]
            database.executemany(_REMOVE, [(place,) for place in places])
            return [copy.lastrowid or 0 if copy.rowcount == 1 else 0 for copy in copies]

        return self._write(change)

    def declare(self, queue: Queue) -> asyncio.Future[None]:
        """Store a queue."""
        row = (queue.name, queue.kind.value, queue.delay, queue.target)
        return self._write(lambda database: _nothing(database.execute("INSERT INTO queues VALUES (?, ?, ?, ?)", row)))

    def drop(self, queue: str) -> asyncio.Future[None]:
        """Delete a queue, its bindings and its messages."""

        def change(database: sqlite3.Connection) -> None:
            database.execute("DELETE FROM messages WHERE queue = ?", (queue,))
            database.execute("DELETE FROM bindings WHERE queue = ?", (queue,))
            database.execute("DELETE FROM queues WHERE name = ?", (queue,))

        return self._write(change)

    def bind(self, queue: str, exchange: str, pattern: str) -> asyncio.Future[None]:
        """Store a binding, unless it exists."""
        statement, row = "INSERT OR IGNORE INTO bindings VALUES (?, ?, ?)", (queue, exchange, pattern)
        return self._write(lambda database: _nothing(database.execute(statement, row)))

    def unbind(self, queue: str, exchange: str, pattern: str) -> asyncio.Future[None]:
        """Delete a binding, if it exists."""
        statement = "DELETE FROM bindings WHERE queue = ? AND exchange = ? AND pattern = ?"
        return self._write(lambda database: _nothing(database.execute(statement, (queue, exchange, pattern))))

    async def load(self, places: list[int]) -> list[Message]:
        """Return the messages at these places. Raises BrokerError if one cannot be read."""
        try:
            return await self._in_thread(self._load, places)
        except (sqlite3.Error, msgspec.MsgspecError) as error:
            raise self._failure(error) from error

    def _write(self, change: Callable[[sqlite3.Connection], _T]) -> asyncio.Future[_T]:
        """Run `change` in the next transaction. The future fails with BrokerError if the transaction fails."""
        done: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._pending.append((change, done))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit())
        return done

    async def _commit(self) -> None:
        while self._pending:
            group, self._pending = self._pending, []
            try:
                results = await self._in_thread(self._transaction, [change for change, _ in group])
            except Exception as error:  # noqa: BLE001  # every change of the group needs an answer
                for _, done in group:
                    if not done.done():
                        done.set_exception(self._failure(error))
            else:
                for (_, done), result in zip(group, results, strict=True):
                    if not done.done():
                        done.set_result(result)
        self._committing = None

    async def _in_thread(self, work: Callable[..., _T], *arguments: Any) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def _failure(self, error: Exception) -> BrokerError:
        return BrokerError(f"{self._path}: {error}")

    # The methods below run in the thread.

    def _open(self) -> Saved:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))  # only the owner may read messages
            self._database = sqlite3.connect(self._path, timeout=0, isolation_level=None)
            return self._prepare(self._database)
        except OSError as error:
            raise StateError(f"cannot open {self._path}: {error.strerror}") from error
        except sqlite3.Error as error:
            busy = error.sqlite_errorcode == sqlite3.SQLITE_BUSY
            raise StateError(f"{self._path}: {'it is in use by another process' if busy else error}") from error

    def _prepare(self, database: sqlite3.Connection) -> Saved:
        for setting in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
            database.execute(f"PRAGMA {setting}")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise StateError(
                f"{self._path} has version {version}, but this logrouter reads versions up to {VERSION}; upgrade it"
            )
        if version == 0:
            database.executescript(_SCHEMA)
            self._sync_directory()
        queues = database.execute("SELECT name, kind, delay, target FROM queues").fetchall()
        return Saved(
            [Queue(name, QueueKind(kind), delay, target) for name, kind, delay, target in queues],
            database.execute("SELECT queue, exchange, pattern FROM bindings").fetchall(),
            database.execute("SELECT place, queue, due, length(body) FROM messages ORDER BY place").fetchall(),
        )

    def _sync_directory(self) -> None:
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _transaction(self, changes: list[_Change]) -> list[Any]:
        database = self._open_database
        database.execute("BEGIN IMMEDIATE")
        try:
            results = [change(database) for change in changes]
            reach("broker.commit.before")
            database.execute("COMMIT")
            reach("broker.commit.after")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
        return results

    def _load(self, places: list[int]) -> list[Message]:
        messages = []
        for place in places:
            row = self._open_database.execute(_LOAD, (place,)).fetchone()
            if row is None:
                raise BrokerError(f"{self._path}: message {place} no longer exists")
            key, properties, body = row
            kept = msgspec.msgpack.decode(properties, type=_StoredProperties)
            messages.append(Message(key=key, body=body, **msgspec.structs.asdict(kept)))
        return messages

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    @property
    def _open_database(self) -> sqlite3.Connection:
        assert self._database is not None  # sessions exist only between open and close
        return self._database


def _nothing(_: object) -> None:
    """Return None, for a change that has no result."""
