"""The owner of each source: the first user that RabbitMQ vouched for as its publisher."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping


def write(cursor: sqlite3.Cursor, owners: Mapping[str, str]) -> None:
    """Store the owners of sources that have none yet."""
    cursor.executemany("INSERT OR IGNORE INTO owners VALUES (?, ?)", owners.items())


def forget(cursor: sqlite3.Cursor, source: str) -> None:
    """Delete the owner of a source that is at rest."""
    cursor.execute("DELETE FROM owners WHERE source = ?", (source,))


def read(cursor: sqlite3.Cursor, source: str) -> str:
    """Return the owner of a source, '' if none."""
    row = cursor.execute("SELECT owner FROM owners WHERE source = ?", (source,)).fetchone()
    return str(row[0]) if row else ""
