"""What single providers and programs do in a header that no rule for all would tell, and why each may be believed.

Names and addresses of one owner; servers that name nobody though the message came from their own; and fields that the
receiving side wrote below the line by which the message entered.  What makes such a field theirs stands at each function.
"""

import re
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from typing import Final

from deliverability.protocols.hop_fields import names_field, readable
from deliverability.protocols.hop_hosts import is_address, is_private, network
from deliverability.protocols.mail import Field, Mail
from deliverability.protocols.received import Hop

_MICROSOFT: Final = ("outlook.com", "office365.com", "exchangelabs.com", "microsoft.com", "hotmail.com")
OWNERS: Final = (
    # Names of one owner; and addresses that only its own servers have among themselves.
    (("google.com", "googlemail.com", "gmail.com"), ()),
    (_MICROSOFT, (ip_network("2603:1000::/24"),)),
    (("yahoo.com", "yahoodns.net", "yahoo.net", "aol.com"), ()),
    (("icloud.com", "apple.com", "me.com", "mac.com"), ()),
)
_MICROSOFT_ENTRY: Final = ".protection.outlook.com"
_MICROSOFT_WRITES: Final = ("x-forefront-antispam-report", "x-microsoft-antispam", "x-ms-exchange-organization-scl")
_CIP: Final = re.compile(r"\bCIP: {0,4}([0-9A-Fa-f.:]{3,45})\s{0,4};")
_APPLE_GATEWAY: Final = re.compile(r"p\d{1,5}-mailgateway-smtp\b")
_RAN_ON: Final = re.compile(r"\brunning on the system \"([^\"\s]{1,253})\"")
WRAPPER_WRITES: Final = ("x-spam-*",)
"""Fields of SpamAssassin."""


def of_microsoft(fields: Sequence[Field], entry: Hop) -> frozenset[int]:
    """Exchange Online writes its verdict below the message's own header, after the entry in every copy that was seen.

    What came with the message under the same name it calls ``-Untrusted``.  Believed is a report that stands alone and
    names the very address that connected to Microsoft's server, and with it what it counts there, if that stands alone too.
    """
    if not (entry.by or "").endswith(_MICROSOFT_ENTRY) or entry.client_ip is None:
        return frozenset()
    names = [field.name.lower() for field in fields]
    alone = {name for name in _MICROSOFT_WRITES if names.count(name) == 1}
    report = next((readable(field) for field in fields if field.name.lower() == _MICROSOFT_WRITES[0]), "")
    told = _CIP.search(report)
    if _MICROSOFT_WRITES[0] not in alone or told is None or network(told[1]) != network(entry.client_ip):
        return frozenset()
    return frozenset(number for number, name in enumerate(names) if name in alone)


def of_exim(fields: Sequence[Field], is_own: Callable[[str], bool], entry: Hop) -> frozenset[int]:
    """Exim adds the fields of its ACLs below the message's own header, as on cPanel those of SpamAssassin.

    Believed only where they mark the message as spam, which nobody does with his own, and where SpamAssassin's report says
    that it ran on the receiving side: another host may have marked the message before it forwarded it.
    """
    own = [number for number, field in enumerate(fields) if names_field(field.name, WRAPPER_WRITES)]
    names = [fields[number].name.lower() for number in own]
    said = {name: readable(fields[number]) for name, number in zip(names, own, strict=True)}
    ran = _RAN_ON.search(said.get("x-spam-report", ""))
    marked = said.get("x-spam-status", "")[:3].lower() == "yes" and len(set(names)) == len(names)
    if "(Exim" not in entry.text or not marked or ran is None or not is_own(ran[1].lower()):
        return frozenset()
    return frozenset(own)


def is_wrap(hop: Hop) -> bool:
    """Whether SpamAssassin wrote the line, around a message that it took for spam."""
    return (hop.protocol or "").lower() == "spamassassin" and hop.helo == "localhost"


def is_wrapped(mail: Mail, hops: Sequence[Hop]) -> bool:
    """Whether the message is SpamAssassin's own report around the original (``report_safe``, its default).

    Its ``Received`` line then stands above all others, its marks anywhere below; what a sender brought is in the
    attachment.  Below any other ``Received`` line the same words came with the message.
    """
    return bool(hops) and is_wrap(hops[0]) and sum(field.name.lower() == "received" for field in mail.fields) == 1


def is_apple_gateway(hop: Hop) -> bool:
    """The store of iCloud takes mail from Apple's own servers alone, and names the one only by what it called itself."""
    return _APPLE_GATEWAY.match(hop.by or "") is not None and "(mailgateway " in hop.text


def is_yahoo_within(hop: Hop) -> bool:
    """Yahoo's store takes mail from its own servers over HTTP, and names no client but by an address of a closed network."""
    within = hop.client_name is None and is_address(hop.helo or "") and is_private(hop.helo or "")
    return within and (hop.protocol or "").upper() in ("HTTP", "HTTPS") and (hop.by or "").endswith(".yahoo.com")
