"""cPanel's eximstats database (SQLite) as lines: each row of its known tables as a JSON object, in the order of time.

The database is opened read-only and as it lies there.  Whatever it holds, nothing in it is run: no extension, trigger
or view, no function in its schema, and SQLite's own limits hold (sqlite.org, "Defense Against The Dark Arts").
"""

import heapq
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from deliverability.capture.decoders.json_rows import as_json
from deliverability.capture.decoders.streams import DamagedError
from deliverability.errors import CannotLookError

MAGIC = b"SQLite format 3\x00"
TABLES = ("sends", "smtp", "failures", "defers")
"""What each row's ``_table`` may be."""
_TABLE = "_table"
_TIME = "sendunixtime"
_GENERATED = (2, 3)  # virtual and stored (sqlite.org, "PRAGMA table_xinfo")
_MAX_VALUE = 1 << 20
_MAX_COLUMNS = 64
_STEP = 10_000  # instructions of SQLite's machine between two looks at the account
_STEPS_PER_OCTET = 20  # an honest table needs less than one; a hostile schema would loop
_LIMITS = (
    (sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE),
    (sqlite3.SQLITE_LIMIT_SQL_LENGTH, 100_000),
    (sqlite3.SQLITE_LIMIT_COLUMN, 200),
    (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
    (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 1),
    (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 20),
)
_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_PRAGMA, sqlite3.SQLITE_FUNCTION})


def rows(source: str | bytes, shown: str) -> Iterator[bytes]:
    """The rows as lines; ``source`` is the path of the database, or all of it.

    Raises :class:`CannotLookError` when it has none of the known tables, :class:`DamagedError` where it is damaged,
    where one of them is a view or otherwise computed, which is not done here, or where changes that are not merged
    into it yet could not be read.
    """
    try:
        connection = _opened(source)
    except sqlite3.Error as problem:
        raise DamagedError(f"the database cannot be read: {problem}") from problem
    try:
        tables, computed = _tables(connection)
        if not tables and not computed:
            raise CannotLookError(
                f"{shown}: an SQLite database without the tables of cPanel's eximstats ({', '.join(TABLES)})"
            )
        each = [_of_table(connection, number, *table) for number, table in enumerate(tables.items())]
        for _, _, line in heapq.merge(*each):
            yield line
    except UnicodeDecodeError as problem:  # of SQLite's own message, where it quotes what it stumbled upon
        raise DamagedError("the database cannot be read: its schema is malformed") from problem
    except sqlite3.Error as problem:
        raise DamagedError(f"the database cannot be read: {problem}") from problem
    finally:
        connection.close()
    if computed:
        raise DamagedError(f"what is computed in it, and not stored as a table's rows, was not read: {computed}")
    if isinstance(source, str) and _pending(source):
        raise DamagedError("changes that are not merged into the database yet (-wal or -journal) were not read")


def _pending(path: str) -> bool:
    for end in ("-wal", "-journal"):
        try:
            if Path(path + end).stat().st_size:
                return True
        except OSError:
            continue
    return False


def _opened(source: str | bytes) -> sqlite3.Connection:
    if isinstance(source, bytes):
        connection = sqlite3.connect(":memory:")
        connection.deserialize(source)
        size = len(source)
    else:
        path = Path(source).absolute()
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)
        size = path.stat().st_size
    for limit, most in _LIMITS:
        connection.setlimit(limit, most)
    for pragma in ("trusted_schema=OFF", "query_only=ON", "cell_size_check=ON", "mmap_size=0"):
        connection.execute(f"PRAGMA {pragma}")
    left = [100 + size * _STEPS_PER_OCTET // _STEP]

    def account() -> int:
        left[0] -= 1
        return left[0] < 0

    connection.set_progress_handler(account, _STEP)
    connection.set_authorizer(_authorise)
    connection.text_factory = lambda octets: octets.decode("utf-8", "backslashreplace")
    return connection


def _authorise(action: int, first: str | None, second: str | None, _database: str | None, _by: str | None) -> int:
    if action not in _ALLOWED:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_PRAGMA and first != "table_xinfo":
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and second != "substr":
        return sqlite3.SQLITE_DENY
    known = (*TABLES, "sqlite_master", "sqlite_schema")
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_READ and first not in known else sqlite3.SQLITE_OK


def _tables(connection: sqlite3.Connection) -> tuple[dict[str, list[str]], str]:
    """The columns of the known tables, and what of them is no table: views, virtual tables, generated columns."""
    found: dict[str, list[str]] = {}
    computed: list[str] = []
    for table in TABLES:
        query = "SELECT type, substr(sql, 1, 20) FROM sqlite_master WHERE name = ? AND type IN ('table', 'view')"
        made = connection.execute(query, (table,)).fetchone()
        if made is None:
            continue
        if made[0] != "table" or not isinstance(made[1], str) or made[1].upper().startswith("CREATE VIRTUAL"):
            computed.append(table)
            continue
        about = connection.execute(f"PRAGMA table_xinfo({table})").fetchall()
        computed += [f"a column of {table}"] * any(row[6] in _GENERATED for row in about)
        columns = [str(row[1]) for row in about if not row[6] and _is_plain(str(row[1]))]
        # The time comes first: so every row begins alike.
        found[table] = sorted(columns[:_MAX_COLUMNS], key=lambda name: name != _TIME)
    return {table: columns for table, columns in found.items() if columns}, ", ".join(computed)


def _is_plain(column: str) -> bool:
    """Whether a column can be asked for by this name, and does not pass for the name of the table."""
    return "\\" not in column and column.strip().casefold() != _TABLE


def _of_table(
    connection: sqlite3.Connection, number: int, table: str, columns: list[str]
) -> Iterator[tuple[float, int, bytes]]:
    names = ", ".join('"{}"'.format(name.replace('"', '""')) for name in columns)
    order = f' ORDER BY "{_TIME}"' if _TIME in columns else ""
    at = 0.0
    for row in connection.execute(f'SELECT {names} FROM "{table}"{order}'):  # noqa: S608 - quoted, of a known table
        record = {_TABLE: table, **{name: _text(value) for name, value in zip(columns, row, strict=True)}}
        time = row[columns.index(_TIME)] if order else None
        at = float(time) if isinstance(time, int | float) else at
        yield at, number, as_json(record) + b"\n"


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return "" if value is None else str(value)
