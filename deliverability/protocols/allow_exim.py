r"""The conditions under which an Exim filter trusts a message: the recipient's own server saw DMARC pass for it.

Exim joins header lines of one name, so only the first element of the list ``$lh_…`` is looked at: the line that the
recipient's own server put on top.  Whatever a stranger can write into that line (a quoted local part, a comment, a
second result) makes the condition fail.
"""

from datetime import UTC, datetime, time, timedelta

from deliverability.errors import ParseError
from deliverability.evidence.sender_facts import SenderFacts
from deliverability.protocols.allow_text import QUOTES, exim_pattern, exim_string, pattern

TOP = "${listextract{1}{$lh_Authentication-Results:}}"


def conditions(facts: SenderFacts) -> str:
    """The text between ``if`` and ``then``; raises :class:`~deliverability.errors.ParseError` without authserv-id."""
    if facts.authserv_id is None:
        raise ParseError("an Exim filter needs the authserv-id of the recipient's own server")
    server, domain = pattern(facts.authserv_id), pattern(facts.author_domain)
    passed = (
        rf"(?is)^\s*{server}(?:\s+[0-9]+)?\s*;(?:.*;)?\s*dmarc\s*=\s*pass(?:\s[^;]*)?\sheader\.from={domain}(?![\w.-])"
    )
    twice = r"(?is)(?:dmarc\s*=.*dmarc\s*=|header\.from\s*=.*header\.from\s*=)"
    ended = datetime.combine(facts.expires_on + timedelta(days=1), time(), UTC)
    lines = [
        f"$tod_epoch is below {int(ended.timestamp())}",
        '${listcount:$lh_From:} is "1"',
        f'${{lc:${{address:$rh_From:}}}} is "{exim_string(facts.address.lower())}"',
        f'{TOP} matches "{exim_pattern(passed)}"',
        f'{TOP} matches "{exim_pattern(QUOTES)}"',
        f'{TOP} does not match "{exim_pattern(twice)}"',
        f'{TOP} does not match "{exim_pattern(r"[(][^)]*;")}"',
    ]
    return "\n   and ".join(lines)
