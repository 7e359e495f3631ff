"""SQLite files as they were written before there were migrations, with rows in every table."""

from __future__ import annotations

import sqlite3
from pathlib import Path

JOURNAL = """
CREATE TABLE operations (
    key TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    facts TEXT NOT NULL,
    finished INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE outbox (
    key TEXT PRIMARY KEY,
    ledger TEXT NOT NULL,
    what TEXT NOT NULL,
    tx TEXT NOT NULL,
    raw BLOB NOT NULL
) STRICT;
PRAGMA user_version = 1;
INSERT INTO operations VALUES ('z', 'buy', '{"amount": "5"}', 0), ('a', 'buy', '{}', 1);
INSERT INTO outbox VALUES ('z/pay', 'eip155:1', 'paying', '0xab', x'0102');
"""
_SIGNED = """
CREATE TABLE blocks (
    origin BLOB NOT NULL, height INTEGER NOT NULL, time INTEGER NOT NULL, hash BLOB NOT NULL,
    PRIMARY KEY (origin, height)
) STRICT, WITHOUT ROWID;
CREATE TABLE covered (
    origin BLOB NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL,
    PRIMARY KEY (origin, start)
) STRICT, WITHOUT ROWID;
CREATE TABLE contents (
    origin BLOB NOT NULL, height INTEGER NOT NULL, digest BLOB NOT NULL,
    PRIMARY KEY (origin, height)
) STRICT, WITHOUT ROWID;
CREATE TABLE stops (
    origin BLOB NOT NULL PRIMARY KEY, why TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE cleared (
    origin BLOB NOT NULL PRIMARY KEY, height INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 2;
INSERT INTO blocks VALUES (x'01', 5, 100, x'0a');
INSERT INTO covered VALUES (x'01', 1, 5);
INSERT INTO contents VALUES (x'01', 3, x'03');
INSERT INTO stops VALUES (x'02', 'it forked');
INSERT INTO cleared VALUES (x'03', 9);
"""
SIGNED_2 = _SIGNED.replace("x'01'", f"x'{'01' * 32}'")
SIGNED_3 = (
    SIGNED_2
    + """
CREATE TABLE spoiled (
    origin BLOB NOT NULL, height INTEGER NOT NULL, block INTEGER NOT NULL,
    PRIMARY KEY (origin, height)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 3;
INSERT INTO spoiled VALUES (x'01', 5, 4);
"""
)
RECEIPTS = """
CREATE TABLE receipts (
    number INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, ledger TEXT NOT NULL,
    receipt TEXT NOT NULL, batch INTEGER REFERENCES batches (batch)
) STRICT;
CREATE INDEX by_batch ON receipts (batch, ledger, number);
CREATE TABLE batches (
    batch INTEGER PRIMARY KEY, ledger TEXT NOT NULL, root BLOB NOT NULL, size INTEGER NOT NULL,
    anchored INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE outbox (
    key TEXT PRIMARY KEY, ledger TEXT NOT NULL, what TEXT NOT NULL, tx TEXT NOT NULL,
    raw BLOB NOT NULL
) STRICT;
PRAGMA user_version = 1;
INSERT INTO batches VALUES (1, 'eip155:1', x'aa', 1, 1);
INSERT INTO receipts VALUES (1, x'01', 'eip155:1', '{}', 1), (2, x'02', 'eip155:1', '{}', NULL);
INSERT INTO outbox VALUES ('batch/1', 'eip155:1', 'anchor', '0xab', x'0102');
"""


def written(path: Path, script: str) -> None:
    """Write a file of that time."""
    database = sqlite3.connect(path)
    database.executescript("PRAGMA journal_mode = WAL;" + script)
    database.close()


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Read all tables of a file but the one that says its revision."""
    database = sqlite3.connect(path)
    tables = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    found = {
        name: database.execute(f'SELECT * FROM "{name}" ORDER BY 1, 2').fetchall()
        for (name,) in tables
        if name != "alembic_version"
    }
    database.close()
    return found
