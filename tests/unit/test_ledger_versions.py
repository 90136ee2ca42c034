"""A ledger that an older version wrote is read by this one, with all that stood in it."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from logrouter.ledger.ledger import INGRESS, Counted, FileState, Ledger, LedgerEntry
from logrouter.ledger.schema import STEPS, VERSION

VERSION_1 = """
CREATE TABLE sources (stage TEXT, source TEXT, extents TEXT NOT NULL, repeated INT NOT NULL, late INT NOT NULL,
    PRIMARY KEY (stage, source)) WITHOUT ROWID;
CREATE TABLE counts (source TEXT, destination TEXT, day TEXT, service TEXT, host TEXT, records INT NOT NULL,
    PRIMARY KEY (source, destination, day, service, host)) WITHOUT ROWID;
CREATE TABLE files (destination TEXT, path TEXT, segment INT, state TEXT NOT NULL, day TEXT NOT NULL,
    length INT NOT NULL, member_crc INT NOT NULL, member_size INT NOT NULL, size INT NOT NULL, records INT NOT NULL,
    commits INT NOT NULL, PRIMARY KEY (destination, path, segment)) WITHOUT ROWID;
CREATE TABLE foreign_ids (id TEXT PRIMARY KEY, seen INT NOT NULL) WITHOUT ROWID;
CREATE INDEX files_by_state ON files (state);
INSERT INTO sources VALUES ('', 'a', '[[0,10],[20,30]]', 2, 1);
INSERT INTO counts VALUES ('a', 'archive', '2026-11-22', 'web', 'h', 7);
INSERT INTO files VALUES ('archive', 'web/h/x.gz', 1, 'open', '2026-11-22', 10, 1, 2, 3, 4, 5);
INSERT INTO foreign_ids VALUES ('id', 1000);
PRAGMA user_version = 1;
"""

STATED_BY_4 = """
INSERT INTO sources VALUES ('', 'b', '[[0,4611686018427387904]]', 0, 0), ('', 'c', '[]', 3, 0);
INSERT INTO sources VALUES ('oncall', 'a', '[[5,6]]', 0, 0);
UPDATE counts SET day = '2020-01-02';
INSERT INTO counts VALUES ('b', '', '9999-12-31', 'web', 'h', 7);
INSERT INTO statements VALUES ('rep', 1.0, 2.0, '{"kind":"shipper","reporter":"rep","counted":{"shed":5.0}}');
INSERT INTO stated VALUES ('b', 'rep', 2.0, 8,
    '{"source":"b","input":"web","path":"/w","start":1,"read":9,"confirmed":8,"lines":7}');
"""


def test_a_ledger_of_version_1(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    connection = sqlite3.connect(tmp_path / "state/main.ledger")
    connection.executescript(VERSION_1)
    connection.close()
    for _ in range(2):
        ledger = Ledger(tmp_path / "state")
        assert list(ledger.extents(INGRESS, "a")) == [(0, 10), (20, 30)]
        assert ledger.counts() == {Counted("a", "archive", "2026-11-22", "web", "h"): 7}
        file = FileState("archive", "web/h/x.gz", 1, "open", "2026-11-22", 10, 1, 2, 3, 4, 5, crc=-1)
        assert list(ledger.files("archive", "open")) == [file]
        assert ledger.seen("id", since=1000)
        assert not ledger.seen("id", since=1001)
        ledger.commit(LedgerEntry(seen={"other": 2000}, notes={"mail": "{}"}))
        assert ledger.seen("other", since=2000)
        assert ledger.note("mail") == "{}"
        assert ledger.note("other") == ""
        ledger.close()
    connection = sqlite3.connect(tmp_path / "state/main.ledger")
    assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    connection.close()


def test_a_ledger_of_version_4(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "main.ledger")
    connection.executescript(VERSION_1 + "".join(STEPS[1:4]) + STATED_BY_4 + "PRAGMA user_version = 4;")
    connection.close()
    ledger = Ledger(tmp_path)
    assert list(ledger.extents(INGRESS, "a")) == [(0, 10), (20, 30)]
    assert list(ledger.extents(INGRESS, "b")) == [(0, 1 << 62)]
    assert list(ledger.extents("oncall", "a")) == [(5, 6)]
    assert not ledger.extents(INGRESS, "c")
    ledger.close()
    connection = sqlite3.connect(tmp_path / "main.ledger")
    days = dict(connection.execute("SELECT source, max(day) FROM ranges WHERE stage = '' GROUP BY source"))
    assert days["a"] == 18_263
    assert abs(days["b"] - time.time() // 86_400) <= 1  # no source was at work after today
    assert connection.execute("SELECT source, repeated, late FROM sources").fetchall() == [("a", 2, 1), ("c", 3, 0)]
    stated = connection.execute("SELECT * FROM stated").fetchall()
    assert stated == [("b", "rep", 2.0, "web", "/w", 1, 9, 8, 7, 0)]
    connection.close()
