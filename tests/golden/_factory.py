"""Assessments built by hand, one for each branch of the report."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from deliverability.compose.brand import Brand
from deliverability.evidence.bundle import Assessment, Claim, Evidence, Origin, Own, Sourced, Subject
from deliverability.evidence.event import LogTime, Result, TimeBasis, Transport
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import DnsAnswer, DnsQuestion, Observations, Rcode, Record
from deliverability.evidence.smtp import Host, Tls
from deliverability.evidence.story import (
    Attempt,
    Coverage,
    Delivery,
    FileCoverage,
    Gap,
    Level,
    Message,
    Role,
    State,
    Stay,
    Tie,
)
from deliverability.evidence.verdict import Finding, Outcome, Ruling, Verdict
from deliverability.protocols.smtp import parse_reply, remote_queue_id

SENT_AT = datetime(2026, 11, 22, 5, 1, 38, tzinfo=UTC)
MADE_AT = datetime(2026, 11, 25, 2, 30, tzinfo=UTC)
BRAND = Brand(
    name="Host Example",
    contact="02-5555-0100",
    action_url="https://my.host.example/renew",
    change_address_url="https://my.host.example/contact",
)
MESSAGE_ID = "20261122050137.4711@host.example"
SENDER = "billing@host.example"
SUBJECT = {"en": "Your hosting plan ends on 30 November", "zh-Hant-TW": "主機方案將於 11 月 30 日到期"}
STRANGER = "stranger@other.example"
GMAIL_OK = "250 2.0.0 OK  1795323698 bfe228f219e9-cb0eb53f1694si991014557cc.948 - gsmtp"
CLOCK = timedelta(hours=8)


def log_time(at=SENT_AT, **changes):
    local = (at + CLOCK).replace(tzinfo=None)
    time = LogTime(
        logged=f"{local:%Y-%m-%d %H:%M:%S} +0800",
        local=local,
        has_year=True,
        offset=CLOCK,
        instant=at,
        year_from=TimeBasis.LOGGED,
        zone_from=TimeBasis.LOGGED,
    )
    return replace(time, **changes)


def log_line(text, number=1204):
    return LogLine(Place("web1", "/var/log/exim_mainlog", number, 181_442 + number), text.encode())


def attempt(recipient, reply, *, relay=None, result=Result.SENT, at=SENT_AT, tls=True, lines=None, text="", **changes):
    relay = relay if relay is not None else Host("gmail-smtp-in.l.google.com", "192.0.2.27", 25)
    logged = f'{at + CLOCK:%Y-%m-%d %H:%M:%S} 1vM986-00000000Q9T-g59S => {recipient} H={relay} C="{reply}"'
    made = Attempt(
        at=log_time(at),
        queue_id="1vM986-00000000Q9T-g59S",
        log="web1",
        recipient=recipient,
        result=result,
        transport=Transport.SMTP,
        relay=relay or None,
        reply=parse_reply(reply) if reply else None,
        tls=Tls("TLS1.3", "TLS_AES_256_GCM_SHA384", True) if tls else None,
        local_ip="198.51.100.7",
        remote_queue_id=remote_queue_id(reply) if reply else None,
        stage="end-of-data",
        route="R=dnslookup T=remote_smtp",
        text=text,
        lines=lines if lines is not None else (log_line(logged),),
    )
    return replace(made, **changes)


def verdict(check, outcome, title_en, title_zh, en, zh, **parameters):
    return Verdict(
        check=check,
        citation="RFC 9989",
        title={"en": title_en, "zh-Hant-TW": title_zh},
        ruling=Ruling(outcome, Finding.of(f"{check}-{outcome}", **parameters)),
        templates={"en": en, "zh-Hant-TW": zh},
    )


def verdicts(*, dkim=Outcome.PASS, dmarc=Outcome.PASS, aligned=Outcome.PASS, enforced=Outcome.PASS, policy="reject"):
    return (
        verdict(
            "dkim-pass",
            dkim,
            "DKIM signature",
            "DKIM 簽章",
            "The signature of {domain} was checked: {result}.",
            "檢查了 {domain} 的簽章：{result}。",
            domain="host.example",
            result=dkim,
        ),
        verdict(
            "dkim-aligned",
            aligned,
            "DKIM alignment",
            "DKIM 對齊",
            "The signing domain was held against the From domain: {result}.",
            "比對了簽章網域與寄件網域：{result}。",
            result=aligned,
        ),
        verdict(
            "dmarc-pass", dmarc, "DMARC", "DMARC", "DMARC came to: {result}.", "DMARC 結果：{result}。", result=dmarc
        ),
        verdict(
            "dmarc-enforced",
            enforced,
            "DMARC policy",
            "DMARC 政策",
            "The published policy was read: {result}.",
            "讀取了公開的政策：{result}。",
            result=enforced,
            policy=policy,
        ),
    )


def coverage():
    first, last = SENT_AT - timedelta(days=7), SENT_AT + timedelta(days=2)
    file = FileCoverage(
        log="web1",
        file="/var/log/exim_mainlog",
        format="exim",
        size=4_220_114,
        lines=31_207,
        unread=2,
        first=log_time(first),
        last=log_time(last),
        records_subjects=True,
        gaps=(Gap("cut-line", log_line("2026-11-23 03:10:11 1vM", 29_001)),),
    )
    return Coverage((file,))


def observations():
    question = DnsQuestion("gmail.com", "MX")
    return Observations.of(
        [
            DnsAnswer(
                question=question,
                rcode=Rcode.NOERROR,
                records=(Record("gmail-smtp-in.l.google.com", preference=5),),
                canonical_name="gmail.com",
                ttl=3600,
                resolver="192.0.2.53:53",
                observed_at=MADE_AT,
                wire=b"\x00\x01",
            )
        ]
    )


def assessment(
    state=State.ACCEPTED,
    level=Level.ACCEPTED,
    role=Role.RECIPIENT_MX,
    *,
    lang="en",
    recipient="mei@gmail.com",
    provider="gmail",
    attempts=None,
    checked=None,
    subject=None,
    message=None,
    basis="mx-name",
    strength=None,
    **delivery,
):
    attempts = attempts if attempts is not None else (attempt(recipient, GMAIL_OK),)
    arrival = log_line(
        f"2026-11-22 13:01:37 1vM986-00000000Q9T-g59S <= {SENDER} S=2911 id={MESSAGE_ID} for {recipient} {STRANGER}",
        1201,
    )
    story = Delivery(
        recipient=recipient,
        forward_paths=delivery.pop("forward_paths", (recipient,)),
        state=state,
        attempts=attempts,
        decisive=attempts[-1] if attempts else None,
        **delivery,
    )
    stay = Stay("1vM986-00000000Q9T-g59S", "web1", Tie.FIRST, log_time(SENT_AT - timedelta(seconds=1)), ended=True)
    whole = Message(
        message_id=MESSAGE_ID,
        subject=subject if subject is not None else SUBJECT[lang],
        reverse_path=SENDER,
        size=2911,
        stays=(stay,),
        deliveries=(story,),
        lines=(arrival, *(line for a in attempts for line in a.lines)),
        other_recipients=1,
    )
    evidence = Evidence(
        subject=Subject.DISPATCH,
        assessed_at=MADE_AT,
        observations=observations(),
        own=Own(hosts=frozenset({"web1.host.example"})),
        message=message or whole,
        delivery=story,
        recipient_domain=Domain.parse(recipient.rpartition("@")[2]),
        author_domain=Sourced(Domain.parse("host.example"), Origin.DERIVED),
        reverse_path=Sourced(SENDER, Origin.LOG),
        client_ip=Sourced("198.51.100.7", Origin.LOG),
    )
    return Assessment(
        ruleset="2026.11",
        evidence=evidence,
        claim=Claim(state, level, role, basis, observed_later=role is Role.RECIPIENT_MX),
        verdicts=checked if checked is not None else verdicts(),
        coverage=coverage(),
        provider=provider,
        report_id="DR-7Q4M-K2XD",
    )


def _attempts(recipient, reply, *, times=1, result=Result.FAILED, **changes):
    return tuple(
        attempt(recipient, reply, result=result, at=SENT_AT + timedelta(minutes=30 * i), **changes)
        for i in range(times)
    )


def _gmail(reply, **changes):
    return _attempts("mei@gmail.com", reply, **changes)


def _notice(**changes):
    """A delivery status notification that came back two minutes later."""
    made = attempt(
        "mei@gmail.com",
        "550 5.1.1 The email account that you tried to reach does not exist.",
        result=Result.FAILED,
        at=SENT_AT + timedelta(minutes=2),
        tls=False,
        text="delivery status notification",
        lines=(log_line("2026-11-22 13:03:38 a notice came back for mei@gmail.com"),),
    )
    return replace(made, relay=None, transport=Transport.NONE, local_ip=None, **changes)


def _own_attempt():
    return (
        attempt(
            "info@shop.example",
            "250 2.1.5 OK id=1vM98A-00000000QAB-2xYz",
            relay=Host("web2.host.example", "203.0.113.9", 25),
        ),
    )


def _accepted_at(lang, recipient, provider, host, ip, reply, **changes):
    return assessment(
        lang=lang,
        recipient=recipient,
        provider=provider,
        attempts=(attempt(recipient, reply, relay=Host(host, ip, 25)),),
        **changes,
    )


def _observed_later(lang):
    """A key that was looked up afterwards and is not there: it may have been, then (DESIGN §4.2)."""
    checked = list(verdicts(dmarc=Outcome.INDETERMINATE, aligned=Outcome.INDETERMINATE))
    checked[0] = verdict(
        "dkim-pass",
        Outcome.INDETERMINATE,
        "DKIM signature",
        "DKIM 簽章",
        "The key of {domain} was looked up on {day}, after the message was sent, and is not there: it may have changed.",
        "{domain} 的金鑰在寄信之後（{day}）才查詢，查無此金鑰：可能已經更換。",
        domain="host.example",
        day="2026-11-25",
    )
    return assessment(lang=lang, checked=tuple(checked))


BRANCHES = {
    "accepted": lambda lang: assessment(lang=lang),
    "accepted-dns-later": _observed_later,
    "accepted-gateway": lambda lang: _accepted_at(
        lang,
        "wang@shop.example",
        "mimecast",
        "us-smtp-inbound-1.mimecast.com",
        "192.0.2.40",
        "250 SmtpThread-1795323698 [abcDEF123.us1]",
    ),
    "accepted-icloud": lambda lang: _accepted_at(
        lang, "mei@icloud.com", "icloud", "mx01.mail.icloud.com", "192.0.2.41", "250 2.0.0 Ok: queued as 4XyZ1234"
    ),
    "accepted-outlook": lambda lang: _accepted_at(
        lang,
        "mei@outlook.com",
        "outlook-com",
        "outlook-com.olc.protection.outlook.com",
        "192.0.2.42",
        "250 2.6.0 <20261122050137.4711@host.example> [InternalId=1, Hostname=X.prod.outlook.com] 9 bytes Queued mail"
        " for delivery -> 250 2.1.5",
    ),
    "accepted-caution": lambda lang: assessment(
        lang=lang,
        recipient="chen@ms12.hinet.net",
        provider="hinet",
        attempts=(attempt("chen@ms12.hinet.net", "250 ok", relay=Host("ms12.hinet.net", "192.0.2.88", 25)),),
        checked=verdicts(dkim=Outcome.INDETERMINATE, dmarc=Outcome.INDETERMINATE, aligned=Outcome.INDETERMINATE),
    ),
    "accepted-not-enforced": lambda lang: assessment(lang=lang, checked=verdicts(enforced=Outcome.FAIL)),
    "accepted-failed-check": lambda lang: assessment(
        lang=lang, checked=verdicts(dkim=Outcome.FAIL, dmarc=Outcome.FAIL, aligned=Outcome.FAIL)
    ),
    "accepted-own": lambda lang: assessment(
        role=Role.OWN_MX,
        lang=lang,
        recipient="info@shop.example",
        provider="own-server",
        attempts=_own_attempt(),
        basis="own-configuration",
        checked=verdicts(dkim=Outcome.NOT_APPLICABLE, dmarc=Outcome.NOT_APPLICABLE, aligned=Outcome.NOT_APPLICABLE),
    ),
    "delivered": lambda lang: assessment(
        State.DELIVERED,
        Level.DELIVERED,
        Role.NONE,
        lang=lang,
        recipient="info@shop.example",
        provider="own-server",
        attempts=(
            replace(_own_attempt()[0], relay=None, reply=None, tls=None, transport=Transport.MAILBOX, local_ip=None),
        ),
        basis="own-mailbox",
    ),
    "handed-over": lambda lang: assessment(
        State.HANDED_OVER,
        Level.HANDED_OVER,
        Role.UNCONFIRMED,
        lang=lang,
        recipient="mei@shop.example",
        provider="generic",
        attempts=(attempt("mei@shop.example", "250 ok", relay=Host("filter.elsewhere.example", "192.0.2.99", 25)),),
        basis="unconfirmed",
    ),
    "deferred": lambda lang: assessment(
        State.DEFERRED,
        Level.NONE,
        lang=lang,
        attempts=_gmail("451 4.7.1 Greylisted, try again in 5 minutes", times=7, result=Result.DEFERRED),
    ),
    "deferred-full": lambda lang: assessment(
        State.DEFERRED,
        Level.NONE,
        lang=lang,
        attempts=_gmail("452 4.2.2 The recipient's inbox is out of storage space", result=Result.DEFERRED),
    ),
    "accepted-forwarded": lambda lang: assessment(
        lang=lang,
        recipient="info@shop.example",
        provider=None,
        attempts=(attempt("mei@gmail.com", GMAIL_OK),),
        forward_paths=("mei@gmail.com",),
    ),
    "queued": lambda lang: assessment(State.QUEUED, Level.NONE, Role.NONE, lang=lang, attempts=()),
    "held": lambda lang: assessment(State.QUEUED, Level.NONE, Role.NONE, lang=lang, attempts=(), held=True),
    "refused-no-mailbox": lambda lang: assessment(
        State.REFUSED,
        Level.NONE,
        lang=lang,
        attempts=_gmail("550 5.1.1 The email account that you tried to reach does not exist."),
    ),
    "refused-policy": lambda lang: assessment(
        State.REFUSED,
        Level.NONE,
        lang=lang,
        recipient="wang@shop.example",
        provider="generic",
        attempts=_attempts(
            "wang@shop.example",
            "550 5.7.1 Message rejected due to local policy",
            relay=Host("mx.shop.example", "192.0.2.60", 25),
        ),
    ),
    "refused-unexplained": lambda lang: assessment(
        State.REFUSED,
        Level.NONE,
        lang=lang,
        recipient="wang@shop.example",
        provider="generic",
        attempts=_attempts("wang@shop.example", "554 Q7 nein danke", relay=Host("mx.shop.example", "192.0.2.60", 25)),
    ),
    "refused-own-mx": lambda lang: assessment(
        State.REFUSED,
        Level.NONE,
        Role.OWN_MX,
        lang=lang,
        recipient="info@shop.example",
        provider="own-server",
        attempts=_attempts(
            "info@shop.example",
            "550 5.1.1 <info@shop.example>: Recipient address rejected: User unknown in virtual mailbox table",
            relay=Host("web2.host.example", "203.0.113.9", 25),
        ),
        basis="own-configuration",
    ),
    "accepted-after-waiting": lambda lang: assessment(
        lang=lang,
        attempts=(
            *_gmail("450 4.7.1 Greylisted, try again in 5 minutes", times=2, result=Result.DEFERRED),
            attempt("mei@gmail.com", GMAIL_OK, at=SENT_AT + timedelta(hours=1)),
        ),
    ),
    "refused-full": lambda lang: assessment(
        State.REFUSED, Level.NONE, lang=lang, attempts=_gmail("552 5.2.2 The recipient's inbox is out of storage space")
    ),
    "refused-unauthenticated": lambda lang: assessment(
        State.REFUSED,
        Level.NONE,
        lang=lang,
        attempts=_gmail("550 5.7.26 This mail is unauthenticated"),
        checked=verdicts(dkim=Outcome.FAIL, dmarc=Outcome.FAIL),
    ),
    "refused-by-us": lambda lang: assessment(
        State.REFUSED,
        Level.NONE,
        Role.NONE,
        lang=lang,
        attempts=_gmail("550 Sender verify failed", relay=Host(None, None)),
        refused_by_us=True,
    ),
    "put-off-by-us": lambda lang: assessment(
        State.DEFERRED,
        Level.NONE,
        Role.NONE,
        lang=lang,
        attempts=_gmail("450 4.7.1 Greylisted", relay=Host(None, None)),
        refused_by_us=True,
    ),
    "refused-on-the-way": lambda lang: assessment(
        State.REFUSED,
        Level.NONE,
        Role.OWN_RELAY,
        lang=lang,
        attempts=_gmail("554 5.7.1 Relay access denied", relay=Host("out.host.example", "203.0.113.20")),
        basis="own-configuration",
    ),
    "failed-no-domain": lambda lang: assessment(
        State.FAILED,
        Level.NONE,
        Role.NONE,
        lang=lang,
        recipient="mei@gmial.example",
        provider="generic",
        attempts=(
            replace(
                _attempts("mei@gmial.example", "", tls=False)[0],
                relay=None,
                text="Host or domain name not found",
                lines=(log_line("2026-11-22 13:01:38 1vM986-00000000Q9T-g59S ** mei@gmial.example: domain not found"),),
            ),
        ),
    ),
    "expired": lambda lang: assessment(
        State.EXPIRED,
        Level.NONE,
        Role.UNCONFIRMED,
        lang=lang,
        attempts=_gmail("421 4.3.2 Service not available", times=3, result=Result.EXPIRED),
    ),
    "bounced": lambda lang: assessment(
        State.BOUNCED,
        Level.NONE,
        Role.NONE,
        lang=lang,
        basis="no-host",
        attempts=(attempt("mei@gmail.com", GMAIL_OK), _notice()),
    ),
    "bounced-passed-on": lambda lang: assessment(
        State.BOUNCED,
        Level.NONE,
        Role.NONE,
        lang=lang,
        basis="no-host",
        attempts=(
            attempt("mei@gmail.com", "250 ok", relay=Host("smtp.esp.example", "203.0.113.30", 587)),
            _notice(witness="ESP Example"),
        ),
    ),
    "cancelled": lambda lang: assessment(
        State.CANCELLED,
        Level.NONE,
        Role.NONE,
        lang=lang,
        attempts=_gmail("451 4.7.1 Greylisted", result=Result.DEFERRED),
    ),
    "unknown": lambda lang: assessment(
        State.UNKNOWN, Level.NONE, lang=lang, attempts=_gmail("", result=Result.UNCERTAIN)
    ),
}


def not_found():
    made = assessment()
    evidence = replace(made.evidence, message=None, delivery=None)
    return replace(made, evidence=evidence, claim=Claim(State.NOT_FOUND, Level.NONE, Role.NONE, "none"), verdicts=())
