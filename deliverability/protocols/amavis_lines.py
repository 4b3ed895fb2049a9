r"""The grammar of the line that amavis writes about each message it checked (``$log_templ``, the short form).

Read from the left, each field only where amavis puts it, and only as far as amavis itself bounds it.  What senders
choose stands in quoted local parts, in the name of a banned file and in the Message-ID; amavis writes ``\`` twice and
control characters as escapes, which is undone before the grammar is applied.  Everything here is total and takes
linear time.

Wordings: amavis 2.13 (Debian's amavisd-new), its built-in templates and its own lines behind Postfix; older versions
have fewer fields, in the same order.
"""

import re
from dataclasses import dataclass

MAX_ENTRY = 262_144
"""Octets of one entry, all its lines together: some thousand recipients."""

TASK = re.compile(rb"(?:\(!{1,2}\))?\((\d{5,8}-\d{2,6}(?:-\d{1,6})?)\) ")
"""The task id that every line about a message begins with; not unique for long."""

_ADDRESS = rb'<(?:"(?:[^"\\]|\\.)*+"(?:@[^<>\s",]{0,512})?|[^<>\s",]{0,1024})>'
_QUEUE_ID = rb"[0-9A-Za-z]{5,40}"
_ENTRY = re.compile(
    rb"(?P<verdict>Passed|Blocked) (?P<kind>OTHER|CLEAN|MTA-BLOCKED|OVERSIZED|BAD-HEADER(?:-\d)?|SPAMMY|SPAM"
    rb"|UNCHECKED(?:-ENCRYPTED)?|(?:BANNED|INFECTED) \((?P<named>.*)\))(?: \{(?P<actions>[A-Za-z,]{0,400})\})?,"
    rb'(?: [^\s<>\[\]"]{1,200}){0,2}(?: \[[0-9A-Fa-f.:IPv]{2,60}\](?::\d{1,5})?)?(?: \[[0-9A-Fa-f.:IPv]{2,60}\])?'
    rb"(?: [A-Z]{1,20}/[A-Z]{1,20})?"
    rb" (?P<sender>%(address)s) -> (?P<recipients>%(address)s(?:,%(address)s)*+)"
    rb"(?:, tls: [^\s,]{1,200})?"
    rb"(?:, quarantine: (?P<quarantine>[^\s,]{1,300}))?"
    rb"(?:, Queue-ID: (?P<queue_id>%(id)s))?"
    rb"(?:, Message-ID: <(?P<message_id>[^>]{0,2048})>)?(?:, Resent-Message-ID: <[^>]{0,2048}>)?"
    rb"(?:, mail_id: [\w+-]{4,40})?(?:, b: [\w+-]{1,40})?"
    rb"(?:, Hits: (?P<hits>[^\s,]{1,40}))?(?:, size: (?P<size>\d{1,18}))?(?:, pt: [^\s,]{1,40})?"
    rb"(?:, queued_as: (?P<queued_as>%(id)s(?:/%(id)s){0,63})(?=, ))?" % {b"address": _ADDRESS, b"id": _QUEUE_ID},
    re.DOTALL | re.ASCII,
)
_PAIRS = rb"[0-9A-Za-z._-]{1,255}:[0-9A-Za-z._-]{1,255}(?:,[0-9A-Za-z._-]{1,255}:[0-9A-Za-z._-]{1,255}){0,15}"
_END = re.compile(
    rb"(?:, Tests: \[[^\]]{0,4096}\])?(?:, dkim_sd=(?P<found>%(pairs)s))?(?:, dkim_new=(?P<added>%(pairs)s))?"
    rb", \d{1,9} ms\Z" % {b"pairs": _PAIRS}
)
_NAMED_END = re.compile(rb"\)(?: \{[A-Za-z,]{0,400}\})?, ")
_ONE_ADDRESS = re.compile(_ADDRESS, re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:([\\nrt])|x([0-9A-F]{2}))")
_CONTROLS = {b"\\": b"\\", b"n": b"\n", b"r": b"\r", b"t": b"\t"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What amavis did with a message, for the recipients that the line lists."""

    blocked: bool
    """Not passed on to these recipients: refused, thrown away, or kept in quarantine."""
    kind: str
    """``CLEAN``, ``SPAM``, ``BANNED``, …: what it took the message for."""
    actions: tuple[str, ...]
    """What was done with the message as a whole: ``RelayedOutbound``, ``DiscardedInbound``, ``Quarantined``."""
    reverse_path: str
    recipients: tuple[str, ...]
    quarantine: str | None
    queue_id: str | None
    """The id in the queue that handed the message to amavis (from Postfix by XFORWARD)."""
    message_id: str | None
    hits: str | None
    """The spam score, ``-`` where none was made."""
    size: int | None
    queued_as: tuple[str, ...]
    """Ids in the queue that took the message back, as that queue's reply told them."""
    found: tuple[tuple[str, str], ...]
    """Selector and domain of signatures that amavis found valid."""
    added: tuple[tuple[str, str], ...]
    """Selector and domain of signatures that amavis says it added."""

    @property
    def kept(self) -> bool:
        """Blocked with a 2yz to the mail server before it, which therefore believes that the message went on.

        Where the message was also refused or put off for somebody, the line does not say for whom: then unsaid.
        """
        done = {re.sub(r"(?:Inbound|Outbound|Internal|OpenRelay)\Z", "", action) for action in self.actions}
        return self.blocked and bool(done & {"Discarded", "Bounced", "NoBounce"}) and not done & _PUT_OFF

    @property
    def words(self) -> str:
        """The verdict in amavis's own words, without addresses."""
        told = f"{'Blocked' if self.blocked else 'Passed'} {self.kind}"
        told += f" {{{','.join(self.actions)}}}" if self.actions else ""
        told += f", quarantine: {self.quarantine}" if self.quarantine else ""
        told += f", Hits: {self.hits}" if self.hits else ""
        return told + (f", dkim_sd={','.join(':'.join(pair) for pair in self.found)}" if self.found else "")


_PUT_OFF = {"Rejected", "TempFailed", "Accepted", "Unknown"}


def parse_verdict(words: bytes) -> Verdict | None:
    """Read an entry without its task id; ``None`` for any other line, and where two readings are possible."""
    if not words.startswith((b"Passed ", b"Blocked ")) or len(words) > MAX_ENTRY:
        return None
    words = _plain(words)
    if words[7:16].lstrip().startswith((b"BANNED (", b"INFECTED (")) and len(_NAMED_END.findall(words)) != 1:
        return None  # the name of a file is its sender's, and may read like what follows it
    match = _ENTRY.match(words)
    if match is None or not (match["queue_id"] or match["message_id"]):
        return None  # a line for one recipient ($log_recip_templ) names no message
    end = _END.match(words, match.end())
    named = match["named"]
    kind = match["kind"].partition(b" (")[0] if named is not None else match["kind"]
    return Verdict(
        blocked=match["verdict"] == b"Blocked",
        kind=_text(kind),
        actions=tuple(a for a in _text(match["actions"] or b"").split(",") if a),
        reverse_path=_text(match["sender"][1:-1]),
        recipients=tuple(_text(a[1:-1]) for a in _ONE_ADDRESS.findall(match["recipients"])),
        quarantine=_text(match["quarantine"]) if match["quarantine"] else None,
        queue_id=_text(match["queue_id"]) if match["queue_id"] else None,
        message_id=_text(match["message_id"]) or None if match["message_id"] is not None else None,
        hits=_text(match["hits"]) if match["hits"] else None,
        size=int(match["size"]) if match["size"] else None,
        queued_as=tuple(_text(match["queued_as"]).split("/")) if match["queued_as"] else (),
        found=_pairs(end["found"] if end else None),
        added=_pairs(end["added"] if end else None),
    )


def _plain(words: bytes) -> bytes:
    return _ESCAPE.sub(lambda m: _CONTROLS[m[1]] if m[1] else bytes((int(m[2], 16),)), words)


def _pairs(told: bytes | None) -> tuple[tuple[str, str], ...]:
    if not told:
        return ()
    split = (_text(pair).partition(":") for pair in told.split(b","))
    return tuple((selector, domain.lower()) for selector, _, domain in split)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
