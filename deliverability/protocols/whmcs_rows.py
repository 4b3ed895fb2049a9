"""WHMCS's own list of the e-mails that it made: table ``tblemails``, exported as CSV or JSON.

Source: WHMCS's "Email Message Log" (https://docs.whmcs.com/Messages/Emails) for what it is; the columns are those of
public database dumps of WHMCS 5 to 8, for WHMCS publishes no schema: ``id``, ``userid``, ``subject``, ``message``,
``date``, ``to``, ``cc``, ``bcc``, and since version 8 ``attachments``, ``pending``, ``message_data``, ``failed``,
``failure_reason``, ``retry_count``, ``created_at``, ``updated_at``, ``campaign_id``.

A row says that WHMCS made a notice for somebody.  Nothing in it is a mail server's word, not even that it was handed
to one.  The zone of ``date`` is that of WHMCS's PHP and stands nowhere in the row.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from deliverability.evidence.event import LogTime
from deliverability.evidence.exhibit import LogLine
from deliverability.protocols.export_rows import MAX_TEXT, Row, address, addresses

BODIES = ("message", "message_data")
"""Columns with the text of the notice: passwords may stand in it, and no claim rests on it."""

_ACCOUNT = re.compile(r"[1-9]\d{0,17}\Z")
_PARTS = re.compile(r"[,;]")
_YES = frozenset({"1", "true", "yes"})


@dataclass(frozen=True, slots=True)
class Notice:
    """One row: an e-mail that WHMCS made."""

    number: str
    """WHMCS's id of the row."""
    account: str | None
    """The client's id; ``None`` for mail to staff or to nobody who is a client."""
    to: tuple[str, ...]
    copies: tuple[str, ...]
    """``cc`` and ``bcc``: often the company's own, so they say nothing of the customer's address."""
    subject: str | None
    at: LogTime | None
    state: str
    """``pending``, or ``failed`` and why; empty when the row says neither."""


def fits(row: Row) -> bool:
    """Whether the columns are those of ``tblemails``."""
    return row.has("id", "userid", "subject", "date", "to") and not row.has("sendunixtime")


def read_notice(row: Row) -> Notice | None:
    """The row as a notice; ``None`` where it is of another table or has no id."""
    number, account = row.text("id"), row.text("userid")
    if not fits(row) or not _ACCOUNT.match(number):
        return None
    return Notice(
        number=number,
        account=account if _ACCOUNT.match(account) else None,
        to=_mailboxes(row.whole("to")),
        copies=tuple(dict.fromkeys(_mailboxes(row.whole("cc")) + _mailboxes(row.whole("bcc")))),
        subject=row.text("subject") or None,
        at=row.time("date"),
        state=_state(row),
    )


def _state(row: Row) -> str:
    if row.text("failed").lower() in _YES:
        return f"failed: {row.text('failure_reason')}".rstrip(": ")
    return "pending" if row.text("pending").lower() in _YES else ""


def _mailboxes(text: str) -> tuple[str, ...]:
    """A list of addresses, with or without display names; empty unless all of it can be read."""
    bare = addresses(text, ",;")
    if bare or not text:
        return bare
    if '"' in text:  # a display name may hold the separator: one mailbox, or nobody knows
        one = address(text) if text.count("@") == 1 else None
        return (one,) if one else ()
    found = [address(part) for part in _PARTS.split(text) if part.strip()]
    return tuple(dict.fromkeys(f for f in found if f)) if all(found) else ()


def without_body(line: LogLine, row: Row) -> LogLine:
    """The line with the notice's text taken out, and its length in its place."""
    kept = dict(zip(row.columns, (_shown(name, row) for name in row.columns), strict=True))
    return replace(line, raw=json.dumps(kept, ensure_ascii=False).encode("utf-8", "replace"))


def _shown(name: str, row: Row) -> object:
    value = row.values.get("_table") if name == "_table" else row.text(name)
    if name.strip("\ufeff").lower() in BODIES and value:
        return f"({len(row.whole(name))} characters, not kept)"
    return value[:MAX_TEXT] if isinstance(value, str) else value


def notices(found: Iterator[Row]) -> Iterator[Notice]:
    """The rows that are notices."""
    for row in found:
        notice = read_notice(row)
        if notice is not None:
            yield notice
