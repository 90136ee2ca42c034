"""The tables of a ledger, version by version: each step makes a ledger of the version before it current.

A version adds a step and changes none. A newer program takes an older ledger through the steps that it lacks; an older
program refuses a newer ledger.
"""

from __future__ import annotations

STEPS = (
    """
CREATE TABLE sources (stage TEXT, source TEXT, extents TEXT NOT NULL, repeated INT NOT NULL, late INT NOT NULL,
    PRIMARY KEY (stage, source)) WITHOUT ROWID;
CREATE TABLE counts (source TEXT, destination TEXT, day TEXT, service TEXT, host TEXT, records INT NOT NULL,
    PRIMARY KEY (source, destination, day, service, host)) WITHOUT ROWID;
CREATE TABLE files (destination TEXT, path TEXT, segment INT, state TEXT NOT NULL, day TEXT NOT NULL,
    length INT NOT NULL, member_crc INT NOT NULL, member_size INT NOT NULL, size INT NOT NULL, records INT NOT NULL,
    commits INT NOT NULL, PRIMARY KEY (destination, path, segment)) WITHOUT ROWID;
CREATE TABLE foreign_ids (id TEXT PRIMARY KEY, seen INT NOT NULL) WITHOUT ROWID;
CREATE INDEX files_by_state ON files (state);
""",
    """
ALTER TABLE foreign_ids RENAME TO seen;
ALTER TABLE seen RENAME COLUMN seen TO at;
ALTER TABLE files ADD COLUMN crc INT NOT NULL DEFAULT -1;
CREATE TABLE notes (destination TEXT PRIMARY KEY, note TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE aside (destination TEXT PRIMARY KEY, length INT NOT NULL, taken INT NOT NULL, records INT NOT NULL)
    WITHOUT ROWID;
CREATE TABLE statements (reporter TEXT, started REAL, at REAL NOT NULL, statement TEXT NOT NULL,
    PRIMARY KEY (reporter, started)) WITHOUT ROWID;
CREATE TABLE stated (source TEXT PRIMARY KEY, reporter TEXT NOT NULL, at REAL NOT NULL, confirmed INT NOT NULL,
    statement TEXT NOT NULL) WITHOUT ROWID;
""",
    """
CREATE TABLE outgoing (destination TEXT PRIMARY KEY, notifications BLOB NOT NULL) WITHOUT ROWID;
""",
    """
CREATE INDEX seen_by_time ON seen (at);
""",
    """
CREATE TABLE lives (name TEXT PRIMARY KEY, branch TEXT NOT NULL, lease INT NOT NULL, succeeded INT NOT NULL,
    day INT NOT NULL) WITHOUT ROWID;
CREATE TABLE owners (source TEXT PRIMARY KEY, owner TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE missing (source TEXT, start INT, stop INT NOT NULL, outcome TEXT NOT NULL, asked INT NOT NULL,
    at REAL NOT NULL, PRIMARY KEY (source, start)) WITHOUT ROWID;
CREATE TABLE healed (id INTEGER PRIMARY KEY, records INT NOT NULL);
CREATE TABLE born (at REAL NOT NULL);
INSERT INTO born SELECT CASE WHEN EXISTS (SELECT 1 FROM sources) THEN 0 ELSE strftime('%s', 'now') END;
""",
    """
CREATE INDEX files_by_day ON files (destination, state, day);
DROP INDEX files_by_state;
""",
)
"""What makes a ledger of each version from the one before."""

VERSION = len(STEPS)
