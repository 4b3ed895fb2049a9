"""Who writes to whom in the server tests, what receives it, the names in between, and what must be found out.

A story's expectation is written down here before any log exists; what the receiving side answered is recorded
by the sink while it happens.  Neither is read from the logs that are under test.
"""

from dataclasses import dataclass, field

from sink import Manner

OWN_IP = "203.0.113.25"
OWN_IP6 = "2001:db8:25::25"
OWN_HOST = "out1.hosting.example"
SUBMIT_IP = "203.0.113.10"
SMARTHOST_IP = "203.0.113.26"
SECOND_IP = "203.0.113.27"
NAMESERVER_IP = "203.0.113.53"
SENDER = "renewals@hosting.example"
SELECTOR = "s2026"
LMTP_PORT = 2424
FILTER_PORT = 10024
REINJECT_PORT = 10025

MANNERS = [
    Manner("mx.corp.example", "198.51.100.10"),
    Manner("server7.eximhost.example", "198.51.100.11", style="exim", tls=True),
    Manner("mx.multiline.example", "198.51.100.12", style="multiline"),
    Manner("mx.banner421.example", "198.51.100.13", greeting_421=1),
    Manner("mx.banner554.example", "198.51.100.14", greeting_554=True),
    Manner("mx.utf8.example", "198.51.100.16", smtputf8=True, tls=True),
    Manner("gmail-smtp-in.l.google.com", "198.51.100.26", style="gmail", tls=True),
    Manner("gmail-smtp-in.l.gmail.example", "198.51.100.27", style="gmail", tls=True),
    Manner("msr1.hinet.net", "198.51.100.31", style="sendmail"),
    Manner("msr1.hinet.example", "198.51.100.32", style="sendmail"),
    Manner("mx.v6.example", "2001:db8:51::10", tls=True),
    Manner("relay1.hosting.example", SMARTHOST_IP),
    Manner("store.hosting.example", "127.0.0.1", LMTP_PORT, lmtp=True),
]
FILTER = Manner("filter.hosting.example", "127.0.0.1", FILTER_PORT, reinject=("127.0.0.1", REINJECT_PORT))
NO_LISTENER_IP = "198.51.100.15"
GONE_IP = "198.51.100.17"
"""No listener either; an address of its own, because Exim remembers failures by address."""

MX = {
    "corp.example": ["mx.corp.example"],
    "eximhost.example": ["server7.eximhost.example"],
    "multiline.example": ["mx.multiline.example"],
    "banner421.example": ["mx.banner421.example"],
    "banner554.example": ["mx.banner554.example"],
    "utf8.example": ["mx.utf8.example"],
    "gmail.com": ["gmail-smtp-in.l.google.com"],
    "gmail.example": ["gmail-smtp-in.l.gmail.example"],
    "hinet.net": ["msr1.hinet.net"],
    "hinet.example": ["msr1.hinet.example"],
    "v6.example": ["mx.v6.example"],
    "fallback.example": ["mx.down.example", "mx.corp.example"],
    "refused.example": ["mx.down.example"],
    "expired.example": ["mx.gone.example"],
    "smart.example": ["mx.corp.example"],
    "twohop.example": ["mx.corp.example"],
    "filtered.example": ["mx.corp.example"],
    "missingmx.example": ["nowhere.missingmx.example"],
    "hosting.example": ["out1.hosting.example"],
}

BROKEN_ZONE = "servfail.example"


def addresses() -> dict[str, str]:
    """Host names and their one address."""
    hosts = {m.name: m.ip for m in MANNERS if m.ip != "127.0.0.1"}
    hosts["mx.down.example"] = NO_LISTENER_IP
    hosts["mx.gone.example"] = GONE_IP
    hosts[OWN_HOST] = OWN_IP
    hosts["whmcs.hosting.example"] = SUBMIT_IP
    hosts["relay2.hosting.example"] = SECOND_IP
    hosts["ns.hosting.example"] = NAMESERVER_IP
    return hosts


def reverse_name(ip: str) -> str:
    return ".".join(reversed(ip.split("."))) + ".in-addr.arpa."


def dkim_strings(public_key: str) -> str:
    """The key record in character-strings of at most 255 octets (RFC 7208 §3.3 tells how they are joined)."""
    text = f"v=DKIM1; k=rsa; p={public_key}"
    return " ".join(f'"{text[n : n + 200]}"' for n in range(0, len(text), 200))


def zone_lines(public_key: str) -> list[str]:
    """Every record of the private name space, names absolute."""
    lines: list[str] = []
    for name, ip in addresses().items():
        kind = "AAAA" if ":" in ip else "A"
        lines.append(f"{name}. 300 IN {kind} {ip}")
        if kind == "A":
            lines.append(f"{reverse_name(ip)} 300 IN PTR {name}.")
    for domain, hosts in MX.items():
        lines += [f"{domain}. 300 IN MX {10 * (n + 1)} {host}." for n, host in enumerate(hosts)]
    lines += [
        "nullmx.example. 300 IN MX 0 .",
        f"mail.hosting.example. 300 IN CNAME {OWN_HOST}.",
        f"{OWN_HOST}. 300 IN AAAA {OWN_IP6}",
        f'{OWN_HOST}. 300 IN TXT "v=spf1 a -all"',
        f'hosting.example. 300 IN TXT "v=spf1 ip4:{OWN_IP} ip6:{OWN_IP6} -all"',
        '_dmarc.hosting.example. 300 IN TXT "v=DMARC1; p=quarantine; rua=mailto:dmarc@hosting.example"',
        f"{SELECTOR}._domainkey.hosting.example. 300 IN TXT {dkim_strings(public_key)}",
    ]
    return lines


@dataclass(frozen=True)
class Story:
    """One message, and what the logs must allow to say of each recipient."""

    key: str
    expect: dict[str, str]
    """Recipient → state; two states where the MTAs rightly differ: ``exim/postfix``."""
    only: str | None = None
    """The one MTA that this can be played on."""
    subject: bytes = b"Hosting renewal notice"
    decoded: str | None = None
    """The subject as a reader sees it, where it differs."""
    send_to: tuple[str, ...] = ()
    """Envelope recipients, if not the keys of :attr:`expect`."""
    sink_rcpt: dict[str, str] = field(default_factory=dict)
    """The address that the receiving server sees, where aliases change it."""
    level: str | None = None
    submit: str = "smtp"
    smtputf8: bool = False
    refused_here: bool = False
    invoice: int | None = None

    @property
    def recipients(self) -> tuple[str, ...]:
        return self.send_to or tuple(self.expect)


def _one(key: str, to: str, state: str, **more: object) -> Story:
    return Story(key, {to: state}, **more)  # type: ignore[arg-type]


SUBJECT = "Hosting renewal notice / 主機續約通知 INV-20411"
FORGED = b"status=sent (250 2.0.0 Ok) to=<victim@gmail.com>, relay=gmail-smtp-in.l.google.com[198.51.100.26]:25"

STORIES = [
    _one("accepted", "ok-1@corp.example", "accepted"),
    _one(
        "gmail",
        "mei.lin@gmail.com",
        "accepted",
        subject=b"=?utf-8?B?5Li75qmf57qM57SE6YCa55+l?=",
        decoded="主機續約通知",
    ),
    _one("gmail-shaped", "mei@gmail.example", "accepted"),
    _one("exim-shaped", "ok-2@eximhost.example", "accepted"),
    _one("multi-line", "ok-3@multiline.example", "accepted"),
    _one("ipv6", "ok-4@v6.example", "accepted"),
    _one("fallback-mx", "ok-5@fallback.example", "accepted"),
    _one("greeting-421", "ok-6@banner421.example", "accepted"),
    _one("greylisted", "grey-1@hinet.net", "accepted"),
    _one("no-such-user", "nouser-1@gmail.example", "refused"),
    _one("no-such-user-plain", "nouser-2@corp.example", "refused"),
    _one("policy-after-data", "policy-1@gmail.example", "refused"),
    _one("spam-after-data", "spam-1@corp.example", "refused"),
    _one("dropped-after-dot", "drop-1@corp.example", "unknown"),
    _one("connection-refused", "ok-7@refused.example", "deferred"),
    _one("greeting-554", "ok-8@banner554.example", "refused/deferred"),
    _one("null-mx", "ok-9@nullmx.example", "failed"),
    _one("nxdomain", "ok-10@nosuchdomain.example", "failed"),
    _one("mx-without-address", "ok-12@missingmx.example", "failed"),
    _one("servfail", "ok-11@servfail.example", "deferred"),
    _one("mailbox-full", "full-1@corp.example", "deferred"),
    Story(
        "several",
        {
            "ok-20@corp.example": "accepted",
            "nouser-20@corp.example": "refused",
            "full-20@corp.example": "deferred",
            "mei-20@gmail.example": "accepted",
        },
    ),
    _one("lmtp", "u1@hosting.example", "delivered"),
    _one("mailbox", "box@hosting.example", "delivered"),
    _one("smarthost", "ok-31@smart.example", "handed-over"),
    _one("content-filter", "ok-30@filtered.example", "accepted", only="postfix"),
    _one("second-host", "ok-32@twohop.example", "accepted", only="postfix"),
    _one("bounced-later", "bounce-1@eximhost.example", "accepted"),
    _one("expired", "ok-40@expired.example", "expired"),
    _one("held", "held-1@corp.example", "queued"),
    _one("requeued", "later-1@corp.example", "accepted"),
    _one("cancelled", "later-2@corp.example", "cancelled"),
    _one("held-by-hand", "later-3@corp.example", "queued"),
    _one("marked-delivered", "later-4@corp.example", "cancelled", only="exim"),
    _one("refused-by-us", "blocked-1@corp.example", "refused", refused_here=True),
    _one(
        "alias",
        "team@alias.example",
        "accepted",
        sink_rcpt={"team@alias.example": "ok-50@corp.example"},
    ),
    _one("smtputf8", "jörg@utf8.example", "accepted", smtputf8=True),
    _one("tagged", "o'neil+tag=1@corp.example", "accepted"),
    _one("command-line", "ok-60@corp.example", "accepted", submit="sendmail"),
    _one(
        "subject-b",
        "ok-71@corp.example",
        "accepted",
        subject=b"Hosting renewal notice / =?UTF-8?B?5Li75qmf57qM57SE6YCa55+l?= INV-20411",
        decoded=SUBJECT,
    ),
    _one(
        "subject-q",
        "ok-72@corp.example",
        "accepted",
        subject=b"=?utf-8?Q?=E7=BA=8C=E7=B4=84=E9=80=9A=E7=9F=A5?= INV-20412",
        decoded="續約通知 INV-20412",
    ),
    _one(
        "subject-raw",
        "ok-73@corp.example",
        "accepted",
        subject="續約通知 INV-20413".encode(),
        decoded="續約通知 INV-20413",
    ),
    _one(
        "subject-big5",
        "ok-74@corp.example",
        "accepted",
        subject=b"=?big5?B?xPKs+bNxqr4=?= INV-20414",
        decoded="續約通知 INV-20414",
    ),
    _one("imitates-a-line", "evil-1@corp.example", "accepted", subject=FORGED),
]
"""The greylisted and 421 hosts answer at the second attempt; ``later`` only when the driver releases it."""

SHORT_ID_STORIES = [
    _one("short-accepted", "ok-80@corp.example", "accepted", only="postfix"),
    _one("short-greylisted", "grey-80@hinet.net", "accepted", only="postfix"),
    _one("short-no-such-user", "nouser-80@gmail.example", "refused", only="postfix"),
]
"""Played while Postfix uses its short queue ids."""

ALIASES = {"team@alias.example": ["ok-50@corp.example", "mei-50@gmail.example"]}


def _demo(key: str, to: str, state: str, invoice: int) -> Story:
    subject = f"Hosting renewal notice / =?UTF-8?B?5Li75qmf57qM57SE6YCa55+l?= INV-{invoice}"
    decoded = f"Hosting renewal notice / 主機續約通知 INV-{invoice}"
    return Story(key, {to: state}, subject=subject.encode(), decoded=decoded, invoice=invoice)


DEMO = {
    "exim": [
        _demo("gmail", "mei.lin@gmail.com", "accepted", 20411),
        _demo("gmail-shaped", "mei@gmail.example", "accepted", 20412),
        _demo("greylisted", "chen@hinet.net", "accepted", 20413),
        _demo("no-such-user", "ting.huang@corp.example", "refused", 20414),
        _demo("mailbox-full", "wei.tsai@gmail.example", "deferred", 20415),
        _demo("own-mailbox", "office@hosting.example", "delivered", 20416),
        _demo("accepted", "ops@eximhost.example", "accepted", 20417),
    ],
    "postfix": [
        _demo("gmail", "ada.wu@gmail.com", "accepted", 30501),
        _demo("gmail-shaped", "jun@gmail.example", "accepted", 30502),
        _demo("greylisted", "hsu@hinet.example", "accepted", 30503),
        _demo("no-such-user", "sales@corp.example", "refused", 30504),
        _demo("mailbox-full", "lee@gmail.example", "deferred", 30505),
        _demo("own-mailbox", "accounts@hosting.example", "delivered", 30506),
    ],
}
DEMO_BEHAVIOUR = {
    "chen@hinet.net": "grey",
    "hsu@hinet.example": "grey",
    "ting.huang@corp.example": "nouser",
    "sales@corp.example": "nouser",
    "wei.tsai@gmail.example": "full",
    "lee@gmail.example": "full",
}
