"""One SQLite file of ours: durable, private to its owner, of a version that this program knows.

``synchronous=FULL``: what was committed survives a power cut.  One connection writes, so the WAL-reset bug of SQLite
3.7.0 to 3.51.2 (sqlite.org/wal.html) cannot meet it.  An older schema is migrated in one transaction, after a copy;
a newer one is refused and left as it is.
"""

import glob
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from deliverability.errors import CannotLookError, printable

BUSY_SECONDS = 30.0
_COPY = ".before-"  # then the version that was to come
Migration = Callable[[sqlite3.Connection], None]
PROBLEMS = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite raises; the second is of its own message, where that quotes what it stumbled upon."""


def open_database(  # noqa: PLR0913 - each is named
    path: Path,
    *,
    application_id: int,
    version: int,
    schema: str,
    migrations: Mapping[int, Migration] | None = None,
    journal: Literal["WAL", "DELETE"] = "WAL",
    page_size: int = 4096,
) -> sqlite3.Connection:
    """Open the file for writing, and make it where there is none.

    With ``journal="DELETE"`` others may read without the right to write beside the file.  ``application_id`` (SQLite
    header, offset 68) tells our files from others; ``migrations[n]`` brings version ``n`` to ``n + 1``.  Raises
    :class:`CannotLookError` for a file of something else, of a newer version, or that cannot be opened.
    """
    _make_private(path)
    connection = _connect(f"{path.absolute().as_uri()}?mode=rw", path)
    try:
        if not _is_empty(connection):
            _check(connection, path, application_id, version)  # before anything is changed
        connection.execute(f"PRAGMA page_size = {page_size}")  # of a file that is yet to be made
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA secure_delete = ON")  # what was erased does not stay in free pages
        if _is_empty(connection):
            with transaction(connection):
                if _is_empty(connection):  # another process may have been first
                    run(connection, schema)
                    connection.execute(f"PRAGMA application_id = {application_id}")
                    connection.execute(f"PRAGMA user_version = {version}")
        else:
            _bring_up(connection, path, application_id, version, migrations or {})
    except PROBLEMS as problem:
        connection.close()
        raise CannotLookError(f"{printable(str(path))}: {printable(str(problem))}") from problem
    except BaseException:
        connection.close()
        raise
    return connection


def open_read_only(path: Path, *, application_id: int, version: int) -> sqlite3.Connection:
    """Open the file to look into it; raises :class:`CannotLookError` as :func:`open_database` does."""
    if not path.is_file():
        raise CannotLookError(f"{printable(str(path))}: no such file")
    connection = _connect(f"{path.absolute().as_uri()}?mode=ro", path)
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        _check(connection, path, application_id, version)
        _refuse_older(connection, path, version)
    except PROBLEMS as problem:
        connection.close()
        raise CannotLookError(f"{printable(str(path))}: {printable(str(problem))}") from problem
    except BaseException:
        connection.close()
        raise
    return connection


def holds_something(path: Path) -> bool:
    """Whether a file is more than a database that somebody began to make and wrote nothing into."""
    if not path.exists() or not path.stat().st_size:
        return False
    connection = _connect(f"{path.absolute().as_uri()}?mode=ro", path)
    try:
        return not _is_empty(connection)
    except PROBLEMS:  # something else, or damaged: not ours to write over
        return True
    finally:
        connection.close()


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; the lock for writing is taken at once, so that nobody fails halfway for want of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # on a full disk SQLite may have rolled back by itself
            connection.execute("ROLLBACK")
        raise


def copies_of(path: Path) -> tuple[Path, ...]:
    """The copies that were made before migrations."""
    return tuple(path.parent.glob(f"{glob.escape(path.name)}{_COPY}*"))


def _make_private(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as problem:
        raise CannotLookError(f"{printable(str(path))}: {problem.strerror}") from problem


def _connect(uri: str, path: Path) -> sqlite3.Connection:
    """Threads may take turns with the connection; whoever shares it keeps them from meeting."""
    try:
        return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False)
    except sqlite3.Error as problem:
        raise CannotLookError(f"{printable(str(path))}: {problem}") from problem


def _is_empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None


def run(connection: sqlite3.Connection, schema: str) -> None:
    """Statement by statement: ``executescript`` would commit the transaction around it."""
    statement = ""
    for line in schema.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def _check(connection: sqlite3.Connection, path: Path, application_id: int, version: int) -> None:
    if _number(connection, "application_id") != application_id:
        raise CannotLookError(f"{printable(str(path))}: a database of some other program, or of another kind of ours")
    found = _number(connection, "user_version")
    if found > version:
        raise CannotLookError(
            f"{printable(str(path))}: written by a newer version of deliverability (schema {found}, this one knows"
            f" {version}); nothing was changed. Use that version"
        )


def _refuse_older(connection: sqlite3.Connection, path: Path, version: int) -> None:
    found = _number(connection, "user_version")
    if found < version:
        raise CannotLookError(
            f"{printable(str(path))}: written by an older version (schema {found}); a command that writes brings it"
            " up to date"
        )


def _bring_up(
    connection: sqlite3.Connection,
    path: Path,
    application_id: int,
    version: int,
    migrations: Mapping[int, Migration],
) -> None:
    _check(connection, path, application_id, version)
    found = _number(connection, "user_version")
    if found == version:
        return
    if found < min(migrations, default=version):
        raise CannotLookError(f"{printable(str(path))}: of a version that never was (schema {found})")
    backup = path.with_name(f"{path.name}{_COPY}{version}")
    if not backup.exists():
        # Under another name until it is whole: half a copy, of a full disk or a killed process, is none.
        part = backup.with_name(f"{backup.name}.part")
        part.unlink(missing_ok=True)
        _make_private(part)
        with closing(sqlite3.connect(part)) as copy:
            connection.backup(copy)
        part.replace(backup)
    with transaction(connection):
        for step in range(_number(connection, "user_version"), version):
            migrations[step](connection)
        connection.execute(f"PRAGMA user_version = {version}")
