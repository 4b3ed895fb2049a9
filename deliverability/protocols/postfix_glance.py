"""The plainest lines of Postfix at a glance: what most of what it says of a message comes to, without a model object each.

A line is told here only where :mod:`deliverability.protocols.postfix_reading` would say of it the same and nothing more
that decides how a message stands; of every other line nothing is said.
"""

import re
from datetime import UTC, datetime

from deliverability.evidence.event import Action
from deliverability.evidence.log_format import Glance
from deliverability.protocols.postfix_names import QUEUE_ID
from deliverability.protocols.syslog import YEAR

_PLAIN = re.compile(
    rb"(?P<at>%(year)s-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)) "
    rb"(?P<host>[0-9A-Za-z][0-9A-Za-z._-]{0,253}) postfix[0-9A-Za-z._-]{0,32}/(?:"
    rb"smtpd\[\d{1,10}\]: (?P<arrived>%(id)s): client=[0-9A-Za-z._-]{1,255}\[[0-9A-Fa-f.:]{1,45}\]"
    rb"|cleanup\[\d{1,10}\]: (?P<described>%(id)s): (?:message-id=<(?P<mail>[!-;=?-~]{1,998})>|info: header Subject: [^\n]*+)"
    rb"|qmgr\[\d{1,10}\]: (?P<taken>%(id)s): from=<[^<>\s]*+>, size=\d{1,18}, nrcpt=\d{1,9} \(queue active\)"
    rb"|qmgr\[\d{1,10}\]: (?P<removed>%(id)s): removed"
    rb")\Z" % {b"year": YEAR, b"id": QUEUE_ID}
)
_ACTIONS = {
    "arrived": Action.ARRIVED,
    "described": Action.DESCRIBED,
    "mail": Action.DESCRIBED,
    "taken": Action.DESCRIBED,
    "removed": Action.REMOVED,
}


def glance(raw: bytes) -> Glance | None:
    """What a whole line of the plainest kind says; ``None`` for all others.  Never raises, linear time."""
    match = _PLAIN.match(raw)
    if match is None:
        return None
    try:
        at = datetime.fromisoformat(match["at"].decode("ascii"))
    except ValueError:  # a leap second, or a day that is none
        return None
    kind = match.lastgroup or ""
    mail = match["mail"]
    queue_id = match["described"] if mail else match[kind]
    told = None if mail is None else mail.decode("ascii")
    host, local = match["host"].decode("ascii"), at.replace(tzinfo=None)
    return Glance(_ACTIONS[kind], queue_id.decode("ascii"), host, told, at.astimezone(UTC), local)
