"""The tables of a log's file, and how an older file is brought up to them.

``entry`` is the log: whatever makes an entry durable stands in its one row, so that an append writes to one table.
``node`` and the tables about records are an index made from it, which lags behind: the value ``indexed`` in ``meta``
says how far it goes (:mod:`deliverability.ledger.indexing`).
"""

import sqlite3
from collections.abc import Mapping
from typing import Final

from deliverability.ledger.database import Migration, run

VERSION: Final = 2
LEVEL_SHIFT: Final = 48
"""A node's place in its table: its level above this bit, its index below."""
LOWEST_LEVEL: Final = 4
"""Nodes below are not kept: their 2, 4 or 8 leaves stand side by side, and are hashed when asked for."""
ERASED: Final = 2
"""``dispatch.settled`` (0: no outcome yet, 1: there is one) where the intent was erased: the id, which is random and names
no one, stays, so that what comes in later for it is known not to be kept."""

_ENTRY = """
CREATE TABLE entry (
    number INTEGER PRIMARY KEY, leaf BLOB NOT NULL, salt BLOB, body BLOB,
    digest BLOB, account TEXT, sequence INTEGER, address TEXT, dispatch BLOB, settles INTEGER, spool TEXT
);
CREATE TRIGGER entry_stays BEFORE UPDATE ON entry
    WHEN NEW.number IS NOT OLD.number OR NEW.leaf IS NOT OLD.leaf OR NEW.salt IS NOT NULL OR NEW.body IS NOT NULL
        OR coalesce(NEW.digest, NEW.account, NEW.sequence, NEW.address, NEW.dispatch, NEW.settles, NEW.spool) IS NOT NULL
    BEGIN SELECT RAISE (ABORT, 'entries do not change; their records are only ever emptied'); END;
CREATE TRIGGER entry_is_kept BEFORE DELETE ON entry BEGIN SELECT RAISE (ABORT, 'entries are not deleted'); END;
"""

SCHEMA: Final = (
    """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""
    + _ENTRY
    + """
CREATE TABLE node (place INTEGER PRIMARY KEY, hash BLOB NOT NULL);
CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, note BLOB NOT NULL, at TEXT NOT NULL);
CREATE TABLE token (
    id INTEGER PRIMARY KEY, size INTEGER NOT NULL, authority TEXT NOT NULL, response BLOB NOT NULL, at TEXT NOT NULL
);
CREATE INDEX token_of_size ON token (size);
CREATE TABLE said (digest BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE dispatch (
    id BLOB PRIMARY KEY, intent INTEGER NOT NULL, account BLOB NOT NULL, settled INTEGER NOT NULL, spool TEXT
) WITHOUT ROWID;
CREATE INDEX dispatch_open ON dispatch (spool) WHERE settled = 0;
CREATE TABLE account (id BLOB PRIMARY KEY, sequence INTEGER NOT NULL, hash BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE of_account (
    account BLOB NOT NULL, sequence INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (account, sequence)
) WITHOUT ROWID;
CREATE TABLE of_address (
    address BLOB NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (address, number)
) WITHOUT ROWID;
CREATE TABLE drained (spool TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER node_stays BEFORE UPDATE ON node BEGIN SELECT RAISE (ABORT, 'nodes do not change'); END;
CREATE TRIGGER node_is_kept BEFORE DELETE ON node BEGIN SELECT RAISE (ABORT, 'nodes are not deleted'); END;
CREATE TRIGGER checkpoint_stays BEFORE UPDATE ON checkpoint
    BEGIN SELECT RAISE (ABORT, 'checkpoints do not change'); END;
CREATE TRIGGER checkpoint_is_kept BEFORE DELETE ON checkpoint
    BEGIN SELECT RAISE (ABORT, 'checkpoints are not deleted'); END;
"""
)


def _into_one_table(connection: sqlite3.Connection) -> None:
    """Version 1 kept records beside their entries, and every node of the tree.  Leaf octets are carried over as they are."""
    for trigger in ("entry_stays", "entry_is_kept", "record_stays", "record_is_kept", "node_is_kept"):
        connection.execute(f"DROP TRIGGER {trigger}")
    connection.execute("ALTER TABLE entry RENAME TO entry_1")
    run(connection, _ENTRY)
    connection.execute(
        "INSERT INTO entry (number, leaf, salt, body)"
        " SELECT e.number, e.leaf, r.salt, r.body FROM entry_1 e LEFT JOIN record r USING (number) ORDER BY e.number"
    )
    connection.execute("DROP TABLE record")
    connection.execute("DROP TABLE entry_1")
    connection.execute("DELETE FROM node WHERE place < ?", (LOWEST_LEVEL << LEVEL_SHIFT,))
    connection.execute(
        "CREATE TRIGGER node_is_kept BEFORE DELETE ON node BEGIN SELECT RAISE (ABORT, 'nodes are not deleted'); END"
    )
    connection.execute("INSERT INTO meta (name, value) SELECT 'indexed', coalesce(max(number) + 1, 0) FROM entry")


MIGRATIONS: Final[Mapping[int, Migration]] = {1: _into_one_table}
