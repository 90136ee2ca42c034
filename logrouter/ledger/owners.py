"""Whose a source is: the first user that RabbitMQ vouched for as its publisher."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping


def write(cursor: sqlite3.Cursor, owners: Mapping[str, str]) -> None:
    """Keep the owner of each source that has none."""
    cursor.executemany("INSERT OR IGNORE INTO owners VALUES (?, ?)", owners.items())


def forget(cursor: sqlite3.Cursor, source: str) -> None:
    """The source is at rest."""
    cursor.execute("DELETE FROM owners WHERE source = ?", (source,))


def read(cursor: sqlite3.Cursor, source: str) -> str:
    """The owner of a source, '' for none."""
    row = cursor.execute("SELECT owner FROM owners WHERE source = ?", (source,)).fetchone()
    return str(row[0]) if row else ""
