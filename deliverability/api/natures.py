"""Whether a file that is read for the first time is a mail log at all: what is none is not kept."""

import re
from collections.abc import Sequence
from functools import cache

from deliverability.api.archive_cuts import Cut
from deliverability.api.covering import NO_LOG, why_unread
from deliverability.protocols import syslog

NO_MAIL = "holds only lines of other programs so far; they are kept, for those of a mail server may follow"


class Nature:
    """What a file turns out to be, by as much of it as was read."""

    def __init__(self, *, known: bool) -> None:
        self.mail = known
        """Lines of a mail server stand in it, or none at all; or it was kept before."""
        self._log = known

    def may_be_kept(self, batch: Sequence[Cut]) -> bool:
        """Whether the next segments, or those before, may be of a mail log.

        Other programs' lines of syslog may stand before the first of a mail server, so they are kept.
        """
        self.mail = self.mail or _shows_mail(batch)
        self._log = self._log or self.mail or any(_syslog_line().search(cut.content) for cut in batch)
        return self._log


def is_void(batch: Sequence[Cut]) -> bool:
    """Whether nothing but NULs stands in segments: as before a log whose writer went on at its place when it was truncated."""
    return all(cut.content.count(b"\0") == len(cut.content) for cut in batch)


def not_kept(batch: Sequence[Cut]) -> str:
    """What is said of a file of which nothing was kept, by the segments that were looked through."""
    reasons = [why_unread(cut.found.scan) for cut in batch]
    return f"{next((reason for reason in reasons if reason != NO_LOG), NO_LOG)}; nothing of it was kept"


def _shows_mail(batch: Sequence[Cut]) -> bool:
    scans = [cut.found.scan for cut in batch]
    return any(scan.formats for scan in scans) or all(scan.blank for scan in scans)


@cache
def _syslog_line() -> re.Pattern[bytes]:
    return re.compile(syslog.HEAD, re.MULTILINE)
