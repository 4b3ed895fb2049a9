"""How an archive is opened: by one writer at a time, and only if it is a file and the tables in it are ours."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from deliverability.errors import CannotLookError, printable
from deliverability.ledger.database import PROBLEMS, holds_something, open_database, open_read_only, run
from deliverability.ledger.locking import take_lock

APPLICATION_ID = 0x64_6C_41_72  # "dlAr"
VERSION = 2
PAGE_SIZE = 1 << 14  # octets; a segment takes some 64 KiB, so that few pages are to be written for it
MAX_CELL = 128 << 20  # octets; no row of ours comes near

_KEPT = """
CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    log TEXT NOT NULL,
    path TEXT NOT NULL,
    head BLOB NOT NULL,
    position INTEGER NOT NULL,
    line INTEGER NOT NULL,
    tail BLOB NOT NULL,
    modified TEXT,
    container TEXT,
    facts TEXT NOT NULL,
    looked_at TEXT NOT NULL
);
CREATE INDEX source_by_head ON source (head);
CREATE TABLE segment (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES source (id),
    start INTEGER NOT NULL,
    line INTEGER NOT NULL,
    size INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    present BLOB NOT NULL,
    facts TEXT NOT NULL,
    first TEXT,
    last TEXT,
    erased INTEGER NOT NULL DEFAULT 0,
    content BLOB NOT NULL
);
CREATE UNIQUE INDEX segment_in_order ON segment (source, start);
"""
_INDEX = """
CREATE TABLE tokens (
    segment INTEGER PRIMARY KEY,
    hashes BLOB NOT NULL
);
"""
_INDEX_1 = """
CREATE TABLE token (
    hash INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    PRIMARY KEY (hash, segment)
) WITHOUT ROWID;
"""


def refuse_what_is_no_file(path: Path) -> None:
    """An archive is one plain file, which has its journal beside it while it is written, and never a ``-wal``."""
    shown = printable(str(path))
    try:
        if path.exists() and not path.is_file():
            raise CannotLookError(f"{shown}: not a plain file")
        wal = path.with_name(f"{path.name}-wal")
        if wal.exists() and wal.stat().st_size:
            raise CannotLookError(
                f"{printable(str(wal))}: no archive leaves such a file; nothing was changed. If another program opened"
                " the archive, let it end well; else move that file away"
            )
    except (OSError, ValueError) as problem:
        raise CannotLookError(f"{shown}: {problem}") from problem


def opened_to_write(path: Path) -> sqlite3.Connection:
    """An archive that is made where there is none, and brought up to date where it is older."""
    try:
        database = open_database(
            path,
            application_id=APPLICATION_ID,
            version=VERSION,
            schema=_KEPT + _INDEX,
            migrations={1: _to_version_2},
            journal="DELETE",
            page_size=PAGE_SIZE,
        )
    except CannotLookError as problem:
        _refuse_another(path, problem)
        raise
    return _checked(database, path)


def opened_to_look(path: Path) -> sqlite3.Connection:
    """An archive as it is."""
    try:
        return _checked(open_read_only(path, application_id=APPLICATION_ID, version=VERSION), path)
    except CannotLookError as problem:
        if getattr(problem.__cause__, "sqlite_errorname", "") == "SQLITE_READONLY_ROLLBACK":
            raise CannotLookError(
                f"{printable(str(path))}: a run that wrote it was broken off; the next `deliverability ingest` puts it"
                " right"
            ) from problem
        if not path.exists():
            raise CannotLookError(
                f"{printable(str(path))}: no such file; `deliverability ingest --log LOG --archive FILE` makes it"
            ) from problem
        _refuse_another(path, problem)
        if path.is_file() and not holds_something(path):
            raise CannotLookError(f"{printable(str(path))}: empty: nothing was kept in it yet") from problem
        raise


def _refuse_another(path: Path, problem: CannotLookError) -> None:
    """Say of a file that is no database at all what belongs there."""
    if getattr(problem.__cause__, "sqlite_errorname", "") == "SQLITE_NOTADB":
        raise CannotLookError(
            f"{printable(str(path))}: file is not a database: --archive takes what `deliverability ingest` made, and a log is"
            " for --log"
        ) from problem


def _checked(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """What was opened, if its tables are ours: nothing that others put into its schema is ever run."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_CELL)
    problem: object = "the tables in it are not those of an archive"
    try:
        if _schema_of(connection) == _made(_KEPT + _INDEX):
            return connection
    except PROBLEMS as damage:
        problem = damage
    connection.close()
    raise CannotLookError(f"{printable(str(path))}: {printable(str(problem))}")


def _schema_of(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    """What there is, but for what SQLite itself keeps."""
    asked = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE substr(name, 1, 7) <> 'sqlite_'"
    return set(connection.execute(asked))


def _made(schema: str) -> set[tuple[str, ...]]:
    """The same of statements."""
    with closing(sqlite3.connect(":memory:")) as model:
        run(model, schema)
        return _schema_of(model)


def _to_version_2(connection: sqlite3.Connection) -> None:
    """One row for each segment's tokens; which they are is found out from what is kept."""
    if _schema_of(connection) != _made(_KEPT + _INDEX_1):
        raise CannotLookError("the tables in the archive are not those of an archive")
    connection.execute("DROP TABLE token")
    run(connection, _INDEX)


def lock_archive(path: Path) -> int:
    """Become the one that writes, by whatever name the archive is called."""
    path = Path(os.path.realpath(path))
    return take_lock(
        path.with_name(path.name + ".lock"),
        f"{printable(str(path))}: another process is writing this archive; run again when it is done",
    )
