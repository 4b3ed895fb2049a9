"""A list of notices as CSV (RFC 4180): a Message-ID, or an address and a date, in each row.

What spreadsheets write is read: a byte order mark, UTF-16, semicolons or tabs, quotes, a ``sep=;`` line, names of
columns in English or Chinese.  A row that cannot be meant is named with its line and left out; the others count.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from deliverability.errors import ParseError, UsageError, printable
from deliverability.evidence.names import Mailbox

MAX_ROWS = 1_000_000
MAX_OCTETS = 256 << 20
MAX_FIELD = 2048  # characters of one cell that is read
MAX_DATE = 100  # characters of a date in words
MAX_PROBLEMS = 1000  # bad rows that are named; all are counted
BEFORE = timedelta(minutes=15)
"""How long before a row's time of day the notice may have reached the queue: clocks differ."""
AFTER = timedelta(days=1)
"""How long after it."""

COLUMNS = {
    "message-id": (
        "messageid",
        "msgid",
        "internetmessageid",
        "郵件編號",
        "訊息編號",
        "郵件識別碼",
        "訊息識別碼",
        "信件編號",
    ),
    "address": (
        "address",
        "email",
        "emailaddress",
        "mail",
        "to",
        "recipient",
        "rcpt",
        "rcptto",
        "\u6536\u4ef6\u4eba",
        "收件者",
        "收件地址",
        "收件信箱",
        "收件者地址",
        "\u6536\u4ef6\u4eba地址",
        "電子郵件",
        "電子郵件地址",
        "電子信箱",
        "郵件地址",
        "電郵",
        "信箱",
    ),
    "date": (
        "date",
        "datetime",
        "time",
        "timestamp",
        "sent",
        "sentat",
        "senton",
        "sentdate",
        "created",
        "日期",
        "時間",
        "寄出時間",
        "寄件時間",
        "寄送日期",
        "寄送時間",
        "寄出日期",
        "寄信日期",
        "寄信時間",
        "寄件日期",
        "發送日期",
        "發送時間",
        "發信日期",
        "發信時間",
    ),
}
"""Names of columns, lower-case and without blanks, ``-`` and ``_``; every other column is passed over."""

_SEPARATORS = ",;\t"
_DATE = re.compile(
    r"(?:(?P<year>\d{4})[-/.]?(?P<month>\d{1,2})[-/.]?(?P<day>\d{1,2})"
    r"|(?:民國 ?)?(?P<republic>1\d\d)[-/.](?P<month2>\d{1,2})[-/.](?P<day2>\d{1,2}))"
    r"(?:[T ]+(?:(?P<half>上午|下午|[AaPp][Mm]) ?)?(?P<hour>\d{1,2}):(?P<minute>\d{2})"
    r"(?::(?P<second>\d{2})(?:[.,]\d{1,9})?)?(?: ?(?P<half2>上午|下午|[AaPp][Mm]))?)?\s*(?P<zone>Z|[+-]\d{2}:?\d{2})?\Z"
)
_CHINESE = re.compile(r"(\d{2,4}) ?年 ?(\d{1,2}) ?月 ?(\d{1,2}) ?日 ?")
_CHINESE_TIME = re.compile(r"(\d{1,2}) ?[時點] ?(\d{1,2}) ?分(?: ?(\d{1,2}) ?秒)?")
REPUBLIC = 1911
"""What is added to a year of the Republic of China, as Taiwan counts them: written with three digits."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One notice of the list."""

    line: int
    """1-based, in the file."""
    message_id: str | None = None
    address: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def shown(self) -> str:
        """What the row names, for a person."""
        return f"<{self.message_id}>" if self.message_id else self.address or ""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was left out, and why."""

    line: int
    why: str


@dataclass(frozen=True, slots=True)
class CohortFile:
    """A list, as far as it could be read."""

    rows: tuple[Listed, ...]
    problems: tuple[BadRow, ...]
    bad: int
    """How many rows were left out."""


def read_cohort_file(content: bytes, zone: tzinfo = UTC) -> CohortFile:
    """Read a list; ``zone`` is that of times which state none.

    Raises :class:`UsageError` for a file that is no such list at all or is too long.
    """
    if len(content) > MAX_OCTETS:
        raise UsageError(f"the list is larger than {MAX_OCTETS >> 20} MiB: split it")
    text = _decoded(content)
    lines = _rows(text)
    first = next(lines, None)
    if first is None:
        raise UsageError("the list is empty")
    places = _columns(first[1])
    rows: list[Listed] = []
    problems: list[BadRow] = []
    bad = 0
    for number, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        found = _listed(number, cells, places, zone)
        if isinstance(found, Listed):
            if len(rows) >= MAX_ROWS:
                raise UsageError(f"the list has more than {MAX_ROWS} rows: split it")
            rows.append(found)
        else:
            bad += 1
            if len(problems) < MAX_PROBLEMS:
                problems.append(found)
    return CohortFile(tuple(rows), tuple(problems), bad)


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    for encoding in ("utf-8-sig", "cp950"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def _rows(text: str) -> Iterator[tuple[int, Sequence[str]]]:
    """Rows with the line on which each begins."""
    begin = 0
    separator = None
    named = re.match(r"sep=(.)\r?\n", text)  # Excel's own line
    if named:
        separator, begin = named[1], 1
        text = text[named.end() :]
    if separator is None:
        head = re.sub(r'"[^"]*"', "", text[: MAX_FIELD * 4].partition("\n")[0])
        separator = max(_SEPARATORS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    line = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error:
            raise UsageError(f"line {begin + line}: a quote that is never closed, or a cell far too long") from None
        if cells is None:
            return
        yield begin + line, cells
        line = reader.line_num + 1


def _columns(head: Sequence[str]) -> dict[str, int]:
    places: dict[str, int] = {}
    for at, name in enumerate(head[:1000]):
        plain = re.sub(r"[\s_-]", "", name.strip().strip("<>").lower())
        for column, names in COLUMNS.items():
            if plain in names:
                places.setdefault(column, at)
    if not places.keys() & {"message-id", "address"}:
        shown = printable(", ".join(head[:20]), 200)
        raise UsageError(
            "the first line must name the columns: Message-ID (郵件識別碼), or Address (Email, To, Recipient, 收件者, 電子郵件)"
            f" and Date (Sent, Time, 日期, 寄送時間); it says: {shown}"
        )
    return places


def _listed(line: int, cells: Sequence[str], places: dict[str, int], zone: tzinfo) -> Listed | BadRow:
    given = {name: cells[at].strip() if at < len(cells) else "" for name, at in places.items()}
    if any(len(value) > MAX_FIELD for value in given.values()):
        return BadRow(line, "a cell is far too long")
    message_id = given.get("message-id", "").strip("<> ") or None
    address = given.get("address") or None
    if address:
        try:
            address = str(Mailbox.parse(address))
        except ParseError as problem:
            if not message_id:
                return BadRow(line, str(problem))
            address = None
    if message_id and (not message_id.isprintable() or " " in message_id):
        return BadRow(line, f"{printable(message_id, 100)!r} is not a Message-ID")
    if not message_id and not address:
        return BadRow(line, "neither a Message-ID nor an address")
    return _dated(line, message_id, address, (given.get("date", ""), zone))


def _dated(line: int, message_id: str | None, address: str | None, when: tuple[str, tzinfo]) -> Listed | BadRow:
    """The row with the time around which its notice was sent."""
    window = _window(*when) if when[0] else (None, None)
    if window is None:
        return BadRow(line, f"{printable(when[0], 100)!r} is no date: write 2026-11-22, or with 13:05")
    if not message_id and window[0] is None:
        return BadRow(line, "an address without a date: any mail to it would answer; give the date of the notice")
    return Listed(line, message_id, address, *window)


def _window(text: str, zone: tzinfo) -> tuple[datetime, datetime] | None:
    match = _DATE.match(_plain(text))
    if not match:
        return None
    year = int(match["year"]) if match["year"] else int(match["republic"]) + REPUBLIC
    month, day = int(match["month"] or match["month2"]), int(match["day"] or match["day2"])
    hour = _hour(match["hour"], match["half"], match["half2"])
    if hour is None:
        return None
    try:
        at = datetime(year, month, day, hour, int(match["minute"] or 0), int(match["second"] or 0), tzinfo=zone)
        if match["zone"]:
            at = datetime.fromisoformat(at.replace(tzinfo=None).isoformat() + match["zone"])
    except ValueError:
        return None
    if not 1971 <= year <= 2998:  # far enough from the ends of ``datetime`` to calculate with
        return None
    return (at - BEFORE, at + AFTER) if match["hour"] else (at, at + timedelta(days=1))


def _plain(text: str) -> str:
    """A date in Chinese words as one in figures."""
    if "年" not in text[:MAX_DATE]:
        return text
    dated = _CHINESE.sub(r"\1-\2-\3 ", text[:MAX_DATE], count=1)
    return _CHINESE_TIME.sub(lambda time: ":".join(part.zfill(2) for part in time.groups() if part), dated).rstrip()


def _hour(hour: str | None, *halves: str | None) -> int | None:
    """The hour of the day, of a clock of twelve hours too; ``None`` where both do not go together."""
    told, half = int(hour or 0), [one.lower() for one in halves if one]
    if not half:
        return told
    if len(half) > 1 or not 1 <= told <= 12:
        return None
    return told % 12 + (12 if half[0] in ("下午", "pm") else 0)
