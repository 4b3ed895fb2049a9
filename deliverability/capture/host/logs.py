"""Which mail logs are there, and how far back they reach: only the first lines of the oldest file are read."""

import re
from datetime import UTC, datetime, timedelta

from deliverability.capture.files import LogFile, head, log_files
from deliverability.capture.host.model import Found, LogSet
from deliverability.capture.host.tree import Tree
from deliverability.errors import CannotLookError

_SYSLOG = ("/var/log/mail.log", "/var/log/maillog", "/var/log/postfix.log")
_EXIM = ("/var/log/exim_mainlog", "/var/log/exim/main.log", "/var/log/exim/mainlog", "/var/log/exim4/mainlog")
_HEAD = 64 << 10  # octets
_HEAD_LINES = 200
_OLDEST = 5  # files that may be empty or without a date before the set is given up
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# RFC 3339 (also Exim's own form and, after a priority, RFC 5424), and RFC 3164 §4.1.2, which has no year.
_DATED = re.compile(rb"(?:<\d{1,3}>1 )?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)")
_YEARLESS = re.compile(rb"([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) ")


def look(tree: Tree, configured: list[Found[str]], mtas: frozenset[str], now: datetime) -> tuple[LogSet, ...]:
    """The logs that a configuration names, and those that lie where logs of these servers usually lie."""
    usual = [*(_SYSLOG if "Exim" not in mtas or "Postfix" in mtas else ()), *(_EXIM if mtas != {"Postfix"} else ())]
    found, unusable = _sets(tree, [*configured, *(Found(path, "its usual place") for path in usual)], now)
    if not found and not unusable and mtas == {"Exim"}:  # Exim may log through syslog
        found, unusable = _sets(tree, [Found(path, "its usual place") for path in _SYSLOG], now)
    if not found and not unusable:
        tree.note(
            "No mail log was found. If the system logs to the journal only, export the mail units with `journalctl -o"
            " short-iso` into a file, or name the command in /etc/deliverability/deliverability.toml"
        )
    return tuple(found)


def _sets(tree: Tree, candidates: list[Found[str]], now: datetime) -> tuple[list[LogSet], bool]:
    """The sets that can be read, and whether there were others."""
    found: dict[str, LogSet] = {}
    unusable = False
    for candidate in candidates:
        real = tree.locate(candidate.value)
        if real is None or not real.is_file() or str(real) in found:
            continue
        try:
            files = log_files((str(real),))
        except CannotLookError as problem:
            tree.note(f"{candidate.value} is there and cannot be used: {problem}")
            unusable = True
            continue
        first, first_from = _first(files)
        days = max((now.replace(tzinfo=None) - first).days, 0) if first else None
        taken = [log.name for log in found.values()]
        name = _name(candidate.value, taken)
        found[str(real)] = LogSet(name, candidate.value, len(files), first, first_from, days, candidate.found_in)
    return list(found.values()), unusable


def _name(path: str, taken: list[str]) -> str:
    """A name for the log: its file's, with its directory's where two files are called the same."""
    parts = [re.sub(r"[^A-Za-z0-9_.:-]", "_", part)[:40] for part in path.split("/") if part]
    name = parts[-1]
    return name if name not in taken else f"{'-'.join(parts[-2:])}-{len(taken) + 1}"


def _first(files: tuple[LogFile, ...]) -> tuple[datetime | None, str | None]:
    for file in files[:_OLDEST]:
        try:
            content = head(file, _HEAD)
        except Exception:  # noqa: BLE001, S112 - a damaged archive raises whatever its format does; look at the next
            continue
        for line in content.split(b"\n")[:_HEAD_LINES]:
            if match := _DATED.match(line):
                try:
                    return datetime.fromisoformat(f"{match[1].decode()}T{match[2].decode()}"), "logged"
                except ValueError:
                    continue
            if (match := _YEARLESS.match(line)) and (dated := _with_year(match, file)):
                return dated, "file date"
    return None, None


def _with_year(match: re.Match[bytes], file: LogFile) -> datetime | None:
    """The last such date that is not after the file's own."""
    name = match[1].decode()
    if name not in _MONTHS or file.modified is None:
        return None
    limit = file.modified.astimezone(UTC).replace(tzinfo=None) + timedelta(days=1)  # the log's zone is not known
    for year in range(limit.year, limit.year - 9, -1):  # 29 February comes back within eight years
        try:
            dated = datetime(  # noqa: DTZ001 - wall-clock time, as logged
                year, _MONTHS.index(name) + 1, int(match[2]), int(match[3]), int(match[4]), min(int(match[5]), 59)
            )
        except ValueError:
            continue
        if dated <= limit:
            return dated
    return None
