"""The tables of a ledger, version by version: each step upgrades a ledger by one version.

A new version adds a step and changes none. A newer program runs the steps that an older ledger lacks. An older program
refuses a newer ledger.

Live tables:

ranges      the decided ranges of a source at a stage, a row each, with the day (since 1970) on which it last grew
sources     what else is known of a source: repeated records, late windows, records counted in `totals` before it came
            again (folded), whether other instances take parts of it (shared), and up to where and on which day an
            operator dismissed what is missing
chains      the source before another in its log, and up to where it had been read when that one began
counts      records by source, destination, day, service and host
stated      what shippers state of their sources; `statements`: what processes state of themselves
files       archive files; `notes`, `outgoing`, `aside`, `seen`: what destinations and the router must not forget
lives       sessions of shippers; `owners`: the user of each source
missing     ranges that the broker lost; `healed`: how many records of such ranges came again
born        when the ledger began

Tables of the past:

folded      up to where sources at rest were decided, by which repeats of theirs are recognised
totals      records by day, destination, service and host, without their source; later by day and destination alone
removed     records in archive files that were removed
tallies     other counts that would be lost with the rows they come from
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
CREATE TABLE ranges (stage TEXT, source TEXT, start INT, stop INT NOT NULL, day INT NOT NULL,
    PRIMARY KEY (stage, source, start)) WITHOUT ROWID;
INSERT INTO ranges SELECT stage, source, json_extract(value, '$[0]'), json_extract(value, '$[1]'),
    min(strftime('%s', 'now') / 86400, coalesce(CAST(julianday(
        (SELECT max(day) FROM counts WHERE counts.source = sources.source)) - 2440587.5 AS INT), 1e9))
    FROM sources, json_each(sources.extents);
ALTER TABLE sources RENAME TO sources_4;
CREATE TABLE sources (stage TEXT, source TEXT, repeated INT NOT NULL DEFAULT 0, late INT NOT NULL DEFAULT 0,
    folded INT NOT NULL DEFAULT 0, shared INT NOT NULL DEFAULT 0, dismissed INT NOT NULL DEFAULT 0,
    day INT NOT NULL DEFAULT 0, PRIMARY KEY (stage, source)) WITHOUT ROWID;
INSERT INTO sources (stage, source, repeated, late)
    SELECT stage, source, repeated, late FROM sources_4 WHERE repeated OR late;
DROP TABLE sources_4;
ALTER TABLE stated RENAME TO stated_4;
CREATE TABLE stated (source TEXT PRIMARY KEY, reporter TEXT NOT NULL, at REAL NOT NULL, input TEXT NOT NULL,
    path TEXT NOT NULL, start INT NOT NULL, read INT NOT NULL, confirmed INT NOT NULL, lines INT NOT NULL,
    by_line INT NOT NULL) WITHOUT ROWID;
INSERT INTO stated SELECT source, reporter, at, json_extract(statement, '$.input'), json_extract(statement, '$.path'),
    json_extract(statement, '$.start'), json_extract(statement, '$.read'), json_extract(statement, '$.confirmed'),
    json_extract(statement, '$.lines'), 0 FROM stated_4;
DROP TABLE stated_4;
CREATE TABLE folded (source PRIMARY KEY, start INT NOT NULL, stop INT NOT NULL, records INT NOT NULL,
    late INT NOT NULL, day INT NOT NULL) WITHOUT ROWID;
CREATE TABLE totals (day TEXT, destination TEXT, service TEXT, host TEXT, records INT NOT NULL,
    PRIMARY KEY (day, destination, service, host)) WITHOUT ROWID;
CREATE TABLE removed (day TEXT, destination TEXT, records INT NOT NULL, PRIMARY KEY (day, destination)) WITHOUT ROWID;
CREATE TABLE tallies (name TEXT PRIMARY KEY, amount NUMERIC NOT NULL) WITHOUT ROWID;
CREATE INDEX counts_by_day ON counts (day, source);
CREATE INDEX stated_by_reporter ON stated (reporter, at);
CREATE INDEX statements_by_time ON statements (at);
""",
    """
CREATE TABLE lives (name TEXT PRIMARY KEY, branch TEXT NOT NULL, lease INT NOT NULL, succeeded INT NOT NULL,
    day INT NOT NULL) WITHOUT ROWID;
CREATE TABLE owners (source TEXT PRIMARY KEY, owner TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE missing (source TEXT, start INT, stop INT NOT NULL, outcome TEXT NOT NULL, asked INT NOT NULL,
    at REAL NOT NULL, PRIMARY KEY (source, start)) WITHOUT ROWID;
CREATE TABLE healed (id INTEGER PRIMARY KEY, records INT NOT NULL);
CREATE TABLE born (at REAL NOT NULL);
INSERT INTO born SELECT CASE WHEN EXISTS (SELECT 1 FROM ranges) THEN 0 ELSE strftime('%s', 'now') END;
CREATE INDEX files_by_day ON files (destination, state, day);
DROP INDEX files_by_state;
""",
    """
CREATE TABLE chains (source TEXT PRIMARY KEY, previous TEXT NOT NULL, reached INT NOT NULL) WITHOUT ROWID;
CREATE INDEX chains_by_previous ON chains (previous);
""",
)
"""The SQL that upgrades a ledger to each version; the first step creates the tables."""

VERSION = len(STEPS)
