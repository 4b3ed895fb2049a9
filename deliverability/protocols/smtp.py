"""SMTP replies as text (RFC 5321 §4.2, RFC 2034 §4): code, enhanced code, and the receiver's queue id."""

import re

from deliverability.evidence.smtp import Reply

MAX_REPLY = 8192  # characters; logs cut replies far earlier

_CODE = re.compile(r"([2-5]\d\d)(?:[ -]|\Z)")
_ENHANCED = re.compile(r"[ -]#?([245]\.\d{1,3}\.\d{1,3})(?=[\s;:,.\\]|\Z)")
_SEVERAL = re.compile(r"([2-5]\d\d)-(?:([245]\.\d{1,3}\.\d{1,3})(?= |\Z))?")
_BREAK = re.compile(r"(?:\\[rn]|\s)+")
_QUEUE_ID = (
    # Postfix and its likes say: Ok, queued as 4jXH3k3V2zzLhRZ
    re.compile(r"\bqueued as[: ]+<?([A-Za-z0-9][A-Za-z0-9._-]{4,63})", re.IGNORECASE),
    # Exim says OK and its id
    re.compile(r"\bid=([A-Za-z0-9][A-Za-z0-9._-]{4,63})"),
    # Gmail gives the second, then its id, then - gsmtp
    re.compile(r"\bOK +\d{9,10} ([A-Za-z0-9._-]{6,80}) - gsmtp\b"),
    # Exchange gives an InternalId and a host name
    re.compile(r"\[InternalId=(\d{4,20})"),
    # Dovecot LMTP gives a session id before the word Saved; later transactions and recipients of a session have a suffix
    re.compile(r"> ([A-Za-z0-9+/_-]{8,40}(?::T\d{1,6})?(?::R\d{1,6})?) Saved\b"),
    # Sendmail begins with its id, OpenSMTPD with eight hexadecimal digits
    re.compile(r"\b([A-Za-z0-9]{12,20}|[0-9a-f]{8}) Message accepted for delivery"),
    # Amazon SES says Ok and the id that its events bear, and that it puts into Message-ID in place of the sender's:
    # <id@email.amazonses.com> in us-east-1, elsewhere <id@REGION.amazonses.com>
    re.compile(r"\bOk ([0-9a-f]{16}-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}-\d{6})(?![\w-])"),
    # Proxmox Mail Gateway's filter says OK and its id in brackets
    re.compile(r"\b2\.5\.0 OK \(([0-9A-F]{10,32})\)"),
    # qmail gives the second and a process number
    re.compile(r"\bok \d{9,10} (qp \d{1,10})\b"),
)


def parse_reply(text: str) -> Reply:
    r"""Read a reply as a log kept it: on one line, several lines joined by blanks or written ``\n``.

    Total: any text gives a :class:`Reply`; what is not there is ``None``.
    """
    text = text[:MAX_REPLY].strip()
    match = _CODE.match(text)
    if not match:
        return Reply(None, None, text)
    enhanced = _ENHANCED.match(text, match.end(1))
    # RFC 2034 §4: the class digit of the enhanced code equals the first digit of the reply code.
    code = enhanced.group(1) if enhanced and enhanced.group(1)[0] == text[0] else None
    return Reply(int(match.group(1)), code, text)


def on_one_line(text: str) -> str:
    r"""A reply of several lines as one, its codes once and at the head; any other text as it is.

    Logs join the lines by blanks, or by ``\\n`` spelled out.  Each line but the last begins with the code and a hyphen
    (RFC 5321 §4.2.1), and most servers repeat the enhanced code behind it (RFC 2034 §4).
    """
    flat = _BREAK.sub(" ", text[:MAX_REPLY]).strip()
    head = _SEVERAL.match(flat)
    if head is None:
        return text
    code, status = head[1], head[2] or ""
    *lines, last = flat[len(code) + 1 :].split(f" {code}-")
    # What begins the last line of the reply: both codes, or the code alone where the words hold that only there.
    whole, alone = f" {code} {status} ", f" {code} "
    ends = whole if status and whole in f"{last} " else alone
    lines += f"{last} ".split(ends) if ends is whole or last.count(ends) == 1 else [last]
    said = [line.strip() for line in lines]
    if status:
        said = [line[len(status) :].strip() if f"{line} ".startswith(f"{status} ") else line for line in said]
    return " ".join(filter(None, (code, status, *said)))


def remote_queue_id(text: str) -> str | None:
    """The id under which the receiving server says it keeps the message, if its reply tells one.

    The receiver's word, in the receiver's own form: a lead for its postmaster, not proof.
    """
    text = text[:MAX_REPLY]
    for pattern in _QUEUE_ID:
        match = pattern.search(text)
        if match:
            return match.group(1).rstrip(".")
    return None
