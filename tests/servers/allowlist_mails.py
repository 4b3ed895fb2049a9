"""The letters that allowlist files are tried with: genuine ones, and the forgeries that fooled simpler files.

Each goes through a real receiving server (Postfix with rspamd), from the address that its story says; what that server
delivers is what SpamAssassin, Amavis, Sieve and Exim are given.  ``STORED`` ones are as other servers, or broken ones,
would have delivered them.
"""

from dataclasses import dataclass

SENDER = "billing@host.example"
OURS, ESP, EVIL = "192.0.2.10", "203.0.113.77", "203.0.113.66"
SERVER = "mx.rcpt.example"
BODY = "Dear customer,\r\n\r\nyour domain renews on 2026-12-01.\r\n"
FROM = f"Example Host Billing <{SENDER}>"


@dataclass(frozen=True)
class Letter:
    """One message, and whether an allowlist for :data:`SENDER` may let it in."""

    name: str
    welcome: bool
    froms: tuple[str, ...] = (FROM,)
    """Values of From, one line each."""
    signers: tuple[str, ...] = ()
    """Domains whose keys sign it."""
    identity: bytes | None = None
    """``i=`` of the signature."""
    ip: str = EVIL
    helo: str = "x.evil.example"
    envelope: str = "bounce@evil.example"
    above: tuple[str, ...] = ()
    """Header lines that it arrives with, on top."""
    late_froms: tuple[str, ...] = ()
    """From lines that were put on top after it was signed."""
    body: str = BODY
    late_body: str = ""
    """Added after it was signed."""

    @property
    def head(self) -> str:
        rest = "To: customer@rcpt.example\r\nSubject: Renewal notice\r\nDate: Sun, 22 Nov 2026 10:00:00 +0800\r\n"
        return "".join(f"From: {one}\r\n" for one in self.froms) + (
            f"{rest}Message-ID: <{self.name}@host.example>\r\nX-Letter: {self.name}\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
        )


def genuine(name: str, **more: object) -> Letter:
    settings = {
        "signers": ("host.example",),
        "ip": OURS,
        "helo": "mail.host.example",
        "envelope": "bounce@host.example",
    }
    return Letter(name, True, **(settings | more))  # type: ignore[arg-type]


def forged(name: str, **more: object) -> Letter:
    return Letter(name, False, **more)  # type: ignore[arg-type]


def result(server: str, words: str) -> str:
    return f"Authentication-Results: {server}; {words}"


PASSED = "dkim=pass header.d=host.example; dmarc=pass (p=reject) header.from=host.example"
LETTERS = (
    genuine("genuine"),
    genuine("genuine-bare-address", froms=(SENDER,)),
    genuine("genuine-encoded-name", froms=(f"=?utf-8?b?5a6i5pyN5Lit5b+D?= <{SENDER}>",)),
    genuine("genuine-two-signatures", signers=("esp.example", "host.example")),
    genuine("genuine-own-return-path", envelope="bounce+customer=rcpt.example@host.example"),
    genuine("genuine-with-a-foreign-result", above=(result("relay.other.example", "dkim=none; dmarc=none"),)),
    forged("no-signature"),
    forged("no-signature-our-envelope", envelope="bounce@host.example"),
    forged("signed-by-another", signers=("evil.example",)),
    forged("signed-by-a-service", signers=("esp.example",), ip=ESP, helo="o.esp.example", envelope="b@esp.example"),
    forged("our-signature-another-from", froms=("Boss <boss@evil.example>",), signers=("host.example",)),
    forged("our-signature-our-server-another-from", froms=("Boss <boss@evil.example>",), signers=("host.example",),
           ip=OURS, helo="mail.host.example", envelope="bounce@host.example"),
    forged("second-result", above=(result(SERVER, PASSED),)),
    forged("second-result-signed-by-another", above=(result(SERVER, PASSED),) * 2, signers=("evil.example",)),
    forged("foreign-result", above=(result("evil.example", PASSED),)),
    forged("two-addresses", froms=(f"{SENDER}, x@evil.example",), signers=("evil.example",)),
    forged("two-addresses-ours-last", froms=(f"x@evil.example, {SENDER}",), signers=("evil.example",)),
    forged("two-from-lines", froms=(FROM, "x@evil.example"), signers=("evil.example",)),
    forged("two-from-lines-ours-last", froms=("x@evil.example", FROM), signers=("evil.example",)),
    forged("genuine-with-a-from-put-on-top", signers=("host.example",), late_froms=("Boss <boss@evil.example>",)),
    forged("quoted-local-part", envelope='"a; dmarc=pass header.from=host.example b"@evil.example'),
    forged("quoted-local-part-signed", envelope='"a; dmarc=pass header.from=host.example b"@evil.example',
           signers=("evil.example",)),
    forged("greeting-with-a-result", helo="a;dmarc=pass\theader.from=host.example;b", envelope=""),
    forged("identity-of-two-addresses", signers=("evil.example",), identity=b"x@host.example=20y@evil.example"),
    forged("identity-long", signers=("evil.example",), identity=b"x" * 9000 + b"@host.example=20y@evil.example"),
    forged("identity-with-a-result", signers=("evil.example",),
           identity=b"a=3B=20dmarc=3Dpass=20header.from=3Dhost.example=20b@evil.example"),
    forged("subdomain-of-another", froms=("Billing <billing@host.example.evil.example>",),
           signers=("host.example.evil.example",)),
    forged("subdomain-of-ours", froms=("Billing <billing@mail.host.example>",), signers=("evil.example",)),
    forged("look-alike", froms=("Billing <billing@host-example.example>",), signers=("host-example.example",)),
    forged("longer-name", froms=("Billing <billing@xhost.example>",), signers=("xhost.example",)),
    forged("display-name", froms=(f'"{SENDER}" <x@evil.example>',), signers=("evil.example",)),
    forged("display-name-in-brackets", froms=(f'"Billing <{SENDER}>" <x@evil.example>',), signers=("evil.example",)),
    forged("display-name-encoded", froms=("=?utf-8?q?=3Cbilling=40host=2Eexample=3E?= <x@evil.example>",),
           signers=("evil.example",)),
    forged("comment", froms=(f"x@evil.example ({SENDER})",), signers=("evil.example",)),
    forged("group", froms=(f"{SENDER}: x@evil.example;",), signers=("evil.example",)),
    forged("another-mailbox-of-the-domain", froms=("Anybody <anybody@host.example>",), signers=("host.example",),
           ip=OURS, helo="mail.host.example", envelope="anybody@host.example"),
    forged("body-changed", signers=("host.example",), late_body="and click here\r\n"),
)  # fmt: skip


def stored(name: str, welcome: bool, *above: str, froms: tuple[str, ...] = (FROM,)) -> Letter:
    return Letter(f"stored-{name}", welcome, froms, above=above)


OWN_RESULT = (
    ("plain", True, PASSED),
    ("opendmarc", True, "dmarc=pass (p=reject dis=none) header.from=host.example"),
    ("microsoft", True, ("spf=pass (sender IP is 192.0.2.10) smtp.mailfrom=host.example;\r\n dkim=pass (signature was verified)"
     " header.d=host.example;dmarc=pass action=none\r\n header.from=host.example;compauth=pass reason=100")),
    ("quoted-signature", True, ('dkim=pass header.d=host.example header.s=s1 header.b="g/ISNVD9"; dmarc=pass (policy=reject)'
     " header.from=host.example")),
    ("quoted-return-path", True, ("dmarc=pass header.from=host.example; spf=pass (mx.rcpt.example: domain of"
     ' "b+c=rcpt.example@host.example" designates 192.0.2.10) smtp.mailfrom="b+c=rcpt.example@host.example"')),
    ("one-signature-broken", True, ('dkim=fail ("body hash did not verify") header.d=esp.example; dkim=pass'
     " header.d=host.example; dmarc=pass header.from=host.example")),
    ("upper-case", True, "DKIM=pass header.d=host.example; DMARC=Pass header.from=HOST.example"),
    ("failed", False, "dkim=none; dmarc=fail (p=reject) header.from=host.example"),
    ("nothing", False, "dmarc=none header.from=host.example"),
    ("softened", False, "dmarc=bestguesspass header.from=host.example"),
    ("other-domain", False, "dmarc=pass header.from=evil.example"),
    ("longer-domain", False, "dmarc=pass header.from=host.example.evil.example"),
    ("longer-word", False, "dmarc=pass header.from=host.example-evil.example"),
    ("dkim-alone", False, "dkim=pass header.d=host.example"),
    ("no-method", False, "none"),
    ("two-results", False, "dmarc=fail header.from=host.example; dmarc=pass header.from=host.example"),
    ("two-results-after", False, "dmarc=pass header.from=host.example; dmarc=fail header.from=host.example"),
    ("two-domains", False, "dmarc=pass policy.x=header.from=evil.example header.from=host.example"),
    ("quoted", False, ('spf=pass smtp.mailfrom="a; dmarc=pass header.from=host.example b"@evil.example;\r\n dmarc=fail'
     " header.from=host.example")),
    ("quoted-and-nothing-else", False, 'spf=pass smtp.mailfrom="a; dmarc=pass header.from=host.example b"@evil.example'),
    ("quoted-backslash", False, r'spf=pass smtp.mailfrom="x\" ; dmarc=pass header.from=host.example ; \"y@evil.example"'),
    ("quoted-half", False, 'spf=pass smtp.mailfrom="x; dmarc=pass header.from=host.example'),
    ("comment", False, "spf=pass (domain of a; dmarc=pass header.from=host.example ) smtp.mailfrom=evil.example"),
    ("comment-and-failed", False, ("spf=pass (x; dmarc=pass header.from=host.example ) smtp.mailfrom=evil.example;"
     " dmarc=temperror header.from=host.example")),
    ("unquoted", False, ("spf=pass smtp.mailfrom=a; dmarc=pass header.from=host.example b@evil.example; dmarc=fail"
     " header.from=host.example")),
    ("other-method", False, "x-dmarc=pass header.from=host.example"),
    ("in-a-value", False, "spf=pass smtp.helo=dmarc=pass header.from=host.example"),
)  # fmt: skip
STORED = (
    *(stored(name, welcome, result(SERVER, words)) for name, welcome, words in OWN_RESULT),
    stored("version", True, result(f"{SERVER} 1", PASSED)),
    stored("no-result", False),
    stored("longer-server", False, result(f"{SERVER}.evil.example", PASSED)),
    stored("server-like", False, result("mxxrcpt.example", PASSED)),
    stored("server-in-a-value", False, result(f"evil.example; x={SERVER}", PASSED)),
    stored("below-a-foreign-one", False, result("evil.example", PASSED), result(SERVER, PASSED)),
    stored("own-failed-above-forged", False, result(SERVER, "dmarc=fail header.from=host.example"), result(SERVER, PASSED)),
    stored("two-addresses", False, result(SERVER, PASSED), froms=(f"{SENDER}, x@evil.example",)),
    stored("two-from-lines", False, result(SERVER, PASSED), froms=(FROM, "x@evil.example")),
    stored("two-from-lines-ours-last", False, result(SERVER, PASSED), froms=("x@evil.example", FROM)),
    stored("another-mailbox", False, result(SERVER, PASSED), froms=("anybody@host.example",)),
    stored("longer-mailbox", False, result(SERVER, PASSED), froms=("xbilling@host.example",)),
    stored("display-name", False, result(SERVER, PASSED), froms=(f'"{SENDER}" <x@host.example>',)),
)  # fmt: skip

ODD = "a'b$c{d}|e^f*g?h%i&j!k#l/m=n+o`p~q@host.example"
"""Every sign that an address may hold without quotes."""
STORED_ODD = (
    stored("odd", True, result(SERVER, PASSED), froms=(f"Billing <{ODD}>",)),
    stored("odd-no-result", False, froms=(f"Billing <{ODD}>",)),
    stored("odd-shorter", False, result(SERVER, PASSED), froms=(f"Billing <{ODD[1:]}>",)),
    stored("odd-as-a-pattern", False, result(SERVER, PASSED), froms=(f"Billing <{ODD.replace('*', 'fff')}>",)),
    stored("odd-other", False, result(SERVER, PASSED)),
)
