"""Single values of the configuration.

Each check returns the canonical form, or raises :class:`ValueError` with the end of a sentence that begins with the
value.
"""

import re
import unicodedata
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

IPNetwork = IPv4Network | IPv6Network

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z")
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,100}\Z")
_OFFSET = re.compile(r"[+-](?:0\d|1[0-4]):[0-5]\d\Z")  # UTC offsets in use: -12:00 to +14:00
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(?:/[A-Za-z0-9_+-]{1,32}){0,2}\Z")
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:-([A-Za-z]{4}))?(?:-([A-Za-z]{2}))?\Z")  # RFC 5646 §2.1, the usual part
_UNPRINTABLE = frozenset({"Cc", "Cs", "Co", "Zl", "Zp"})
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # Unicode UAX 9: they reorder what is shown


def domain_name(text: str) -> str:
    """Lower-case A-labels without trailing dot; :class:`ValueError` for what is no domain or host name."""
    if len(text) <= 254:
        bare = unicodedata.normalize("NFC", text).lower().removesuffix(".")
        labels = [_a_label(label) for label in bare.split(".")]
        name = ".".join(labels)
        if len(name) <= 253 and all(_LABEL.match(label) for label in labels) and not _is_address(name):
            return name
    raise ValueError("is not a domain or host name")


def _a_label(label: str) -> str:
    """RFC 5891 §4.4, for letters, marks, digits and hyphens; anything else stays, and is refused as no label."""
    if label.isascii() or not all(char == "-" or unicodedata.category(char)[0] in "LMN" for char in label):
        return label
    return "xn--" + label.encode("punycode").decode("ascii")


def selector_name(text: str) -> str:
    """A DKIM selector, lower-case; :class:`ValueError` for what is none."""
    # RFC 6376 §3.1: sub-domains of _domainkey, so labels; unlike a domain it may look like an address ("2026.1.1.1").
    name = text.lower()
    if len(name) <= 253 and all(_LABEL.match(label) for label in name.split(".")):
        return name
    raise ValueError("is not a DKIM selector")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def address(text: str) -> IPv4Address | IPv6Address:
    """An IP address without zone index; :class:`ValueError` for anything else."""
    try:
        found = ip_address(text)
    except ValueError:
        raise ValueError("is not an IP address") from None
    if isinstance(found, IPv6Address) and found.scope_id:
        raise ValueError("has a zone index, which means something on one host only; leave the part from '%' out")
    return found


def network(text: str) -> IPNetwork:
    """An IP network, or an address as the smallest one; :class:`ValueError` for anything else."""
    try:
        found = ip_network(text)
    except ValueError:
        try:
            meant = ip_network(text, strict=False)
        except ValueError:
            raise ValueError("is not an IP address or network, such as 192.0.2.0/24") from None
        raise ValueError(f"has bits set after the prefix; write {meant}") from None
    if not found.prefixlen:
        raise ValueError("is the whole Internet; name the networks that are yours")
    if "%" in str(found):
        raise ValueError("has a zone index; leave the part from '%' out")
    return found


def nameserver(text: str) -> str:
    """An address, or an address and port: ``192.0.2.1``, ``192.0.2.1:53``, ``[2001:db8::1]:53``."""
    host, bracket, port = text.removeprefix("[").partition("]") if text.startswith("[") else (text, "", "")
    if not bracket and text.count(":") == 1:
        host, _, port = text.partition(":")
        port = ":" + port
    ip = address(host)
    if not port:
        return str(ip)
    digits = port.removeprefix(":")
    if not port.startswith(":") or not re.fullmatch(r"[0-9]{1,5}", digits) or not 0 < int(digits) < 65536:
        raise ValueError("is not IP, IP:port or [IPv6]:port")
    return f"[{ip}]:{int(digits)}" if ip.version == 6 else f"{ip}:{int(digits)}"


def trust_anchor(text: str) -> str:
    """A DS record of the root: key tag, algorithm, digest type, digest (RFC 4034 §5.3)."""
    match = re.fullmatch(r"([0-9]{1,5}) ([0-9]{1,3}) ([0-9]{1,3}) (?:[0-9A-Fa-f]{2}){20,64}", text)
    if match and int(match[1]) < 1 << 16 and max(int(match[2]), int(match[3])) < 1 << 8:
        return text
    raise ValueError("is no DS record: write key tag, algorithm, digest type and digest, as IANA publishes them")


def helo_name(text: str) -> str:
    """What a host announces in EHLO: a name, or an address literal."""
    # RFC 5321 §4.1.3: a host without a name announces an address literal.
    if text.startswith("[") and text.endswith("]"):
        literal = text[1:-1]
        prefix = "IPv6:" if literal[:5].lower() == "ipv6:" else ""
        return f"[{prefix}{address(literal[len(prefix) :])}]"
    return domain_name(text)


def time_zone(text: str) -> str:
    """An IANA name or an offset; whether this machine knows the name is not looked at here."""
    if _OFFSET.match(text) or (_ZONE.match(text) and ".." not in text):
        return text
    raise ValueError("is no time zone; write an IANA name such as Asia/Taipei, or ±HH:MM such as +08:00")


def language(text: str) -> str:
    """A language tag in its usual case."""
    match = _LANGUAGE.match(text)
    if not match:
        raise ValueError("is no language tag, such as en or zh-Hant-TW")
    language, script, region = match.groups()
    parts = (language.lower(), script and script.title(), region and region.upper())
    return "-".join(part for part in parts if part)


def source_name(text: str) -> str:
    """The name of a log: the host that wrote it."""
    if _NAME.match(text):
        return text
    raise ValueError("is no name for a log: letters, digits and . _ : - only, at most 100")


def path(text: str) -> str:
    """A path, as written."""
    if not text or any(unicodedata.category(char) in _UNPRINTABLE for char in text):
        raise ValueError("is not a path")
    return text


def one_line(text: str) -> str:
    """One line that is shown to a reader as it stands."""
    shown = text.strip()
    if not shown or any(unicodedata.category(char) in _UNPRINTABLE or char in _BIDI for char in shown):
        raise ValueError("must be one line of visible text")
    return shown


def url(text: str) -> str:
    """A web address without a name or password in it."""
    if not re.match(r"https?://[^/?#\s@]", text) or re.search(r"[\s<>\"\\]", text):
        raise ValueError("is no web address that starts with https://")
    return one_line(text)


def colour(text: str) -> str:
    """A colour as ``#rrggbb``, lower-case."""
    if len(text) == 7 and text[0] == "#" and all(char in "0123456789abcdefABCDEF" for char in text[1:]):
        return text.lower()
    raise ValueError("is no colour; write #rrggbb, such as #0a5a85")
