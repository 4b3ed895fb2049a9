"""The plainest lines of Exim's main log at a glance: that a message came, and that Exim is done with it.

A line is told here only where :mod:`deliverability.protocols.exim_lines` would say of it the same and nothing more that
decides how a message stands; of every other line nothing is said.
"""

import re
from datetime import UTC, datetime, timedelta

from deliverability.evidence.event import Action
from deliverability.evidence.log_format import Glance
from deliverability.protocols.exim_fields import IP, MESSAGE_ID
from deliverability.protocols.syslog import YEAR

# Fields in the order of ARRIVAL_ORDER, each once; what may hold blanks, or what a stranger may have put between, has no
# place here but the subject, whose quotes Exim escapes.
_VALUE = rb"[^\s\"]{0,500}[^\s\":]"
_ADDRESS = rb"[0-9A-Za-z_.+=-]{1,64}@[0-9A-Za-z.-]{1,255}"
_PLAIN = re.compile(
    rb"(?P<at>%(year)s-\d\d-\d\d \d\d:\d\d:[0-5]\d(?:\.\d{3}(?:\d{3})?)?)(?: (?P<zone>[+-](?:0\d|1[0-4])[0-5]\d))?"
    rb" (?:\[\d{1,10}\] )?(?P<id>%(id)s) (?:(?P<removed>Completed(?: QT=[^\s]{1,40})?)"
    rb"|<= (?P<arrived>%(address)s)"
    rb"(?: H=(?:[^\s()\[\]]{1,255} )?(?:\([^()\s]{0,255}\) )?\[%(ip)s\](?::\d{1,5})?)?(?: I=\[%(ip)s\]:\d{1,5})?"
    rb"(?: U=%(value)s)? P=%(value)s(?: X=%(value)s)?(?: CV=%(value)s)?(?: SNI=(?:\"[^\s\"]{0,255}\"|%(value)s))?"
    rb"(?: A=%(value)s)?(?: S=\d{1,15})?(?: M8S=\d{1,9})?(?: DKIM=%(value)s)?(?: RT=%(value)s)?"
    rb"(?: id=(?P<mail>[!#-\[\]-~]{0,500}[!#-9;-\[\]-~]))?(?: T=\"(?:[^\"\\\n]|\\[^\n])*+\")?"
    rb"(?: from <[^<>\"\s]{0,320}>)?(?: for(?: %(address)s){1,100})?)\Z"
    % {
        b"year": YEAR,
        b"id": MESSAGE_ID.encode(),
        b"ip": IP.encode(),
        b"value": _VALUE,
        b"address": _ADDRESS,
    }
)


def glance(raw: bytes) -> Glance | None:
    """What a whole line of the plainest kind says; ``None`` for all others.  Never raises, linear time."""
    match = _PLAIN.match(raw)
    if match is None:
        return None
    try:
        local = datetime.fromisoformat(match["at"].decode("ascii"))
    except ValueError:  # a leap second, or a day that is none
        return None
    zone, mail = match["zone"], match["mail"]
    return Glance(
        Action.REMOVED if match["removed"] else Action.ARRIVED,
        match["id"].decode("ascii"),
        None,
        mail.decode("ascii") if mail else None,
        _instant(local, zone.decode("ascii")) if zone else None,
        local,
    )


def _instant(local: datetime, zone: str) -> datetime:
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:]))
    return local.replace(tzinfo=UTC) + (offset if zone[0] == "-" else -offset)
