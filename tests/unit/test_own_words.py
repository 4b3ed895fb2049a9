"""Why our own server did not get a message off, from the words of Exim, Postfix, Sendmail and OpenSMTPD."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.api import Request
from deliverability.api.summary import summarise
from deliverability.compose.catalog import catalog
from deliverability.compose.own_words import _RULES, why_own

EXIM = [
    ("== a@r.example R=dnslookup T=remote_smtp defer (110): Connection timed out", "connection"),
    (
        "== a@r.example R=dnslookup T=remote_smtp defer (111) H=mx.r.example [192.0.2.1]: Connection refused",
        "connection",
    ),
    ("== a@r.example R=dnslookup T=remote_smtp defer (113): No route to host", "connection"),
    ("== a@r.example R=dnslookup T=remote_smtp defer (104): Connection reset by peer", "connection"),
    (
        (
            "== a@r.example R=dnslookup T=remote_smtp defer (-18) H=mx.r.example [192.0.2.1]: Remote host closed connection"
            " in response to pipelined MAIL FROM:<x@host.example>"
        ),
        "connection",
    ),
    ("== a@r.example R=dnslookup defer (-1): host lookup did not complete", "dns"),
    ("== a@r.example R=dnslookup defer (-1): lowest numbered MX record points to local host", "no-way"),
    (
        "== a@r.example R=dnslookup T=remote_smtp defer (-53): retry time not reached for any host for 'r.example'",
        "not-tried",
    ),
    ("== a@r.example routing defer (-52): retry time not reached", "not-tried"),
    ("== a@r.example R=virtual_user T=address_directory defer (-22): mailbox is full", "quota"),
    ("== a@r.example R=virtual_user T=virtual_userdelivery defer (122): Disk quota exceeded", "quota"),
    ('== a@r.example R=x defer (-1): failed to expand "${lookup}": no such file', "own-trouble"),
    ("== a@r.example R=x defer (-1): something that nobody has read before", "not-tried"),
    ("== a@r.example R=x T=y defer (0): something that nobody has read before", "other"),
    (
        "== a@r.example R=x T=remote_smtp defer (-37) H=mx.r.example [192.0.2.1]: TLS session: (gnutls_handshake): alert",
        "tls",
    ),
    ("** a@r.example: Unrouteable address", "no-way"),
    ("** a@r.example R=dnslookup: all relevant MX records point to non-existent hosts", "no-domain"),
    ("** a@r.example R=dnslookup: an MX or SRV record indicated no SMTP service", "no-mail"),
    ("** a@r.example R=dnslookup T=remote_smtp: retry timeout exceeded", "retry-over"),
    (
        (
            "** a@r.example R=dnslookup T=remote_smtp: all hosts for 'r.example' have been failing for a long time (and"
            " retry time not reached)"
        ),
        "retry-over",
    ),
    (
        (
            "** a@r.example R=enforce_mail_permissions : Domain host.example has exceeded the max emails per hour (150/150"
            " (100%)) allowed.  Message discarded."
        ),
        "own-limit",
    ),
    (
        (
            "** a@r.example R=enforce_mail_permissions : Domain host.example has exceeded the max defers and failures per"
            " hour (5/5 (100%)) allowed.  Message discarded."
        ),
        "own-limit",
    ),
    ("** a@r.example R=virtual_aliases: No Such User Here", "no-mailbox-here"),
    ("** a@r.example R=x T=remote_smtp: message has lines too long for transport", "technical"),
]
POSTFIX = [
    ("none", "4.4.1", "deferred (connect to mx.r.example[192.0.2.1]:25: Connection timed out)", "connection"),
    (
        "none",
        "4.4.1",
        "deferred (delivery temporarily suspended: connect to mx.r.example[192.0.2.1]:25: Connection refused)",
        "not-tried",
    ),
    (
        "none",
        "4.4.3",
        "deferred (Host or domain name not found. Name service error for name=r.example type=MX: Host not found, try again)",
        "dns",
    ),
    (
        "none",
        "5.4.4",
        "bounced (Host or domain name not found. Name service error for name=r.example type=A: Host not found)",
        "no-domain",
    ),
    ("none", "4.3.0", "deferred (mail transport unavailable)", "own-trouble"),
    ("none", "5.4.6", "bounced (mail for r.example loops back to myself)", "no-way"),
    ("none", "5.1.0", "bounced (Domain r.example does not accept mail (nullMX))", "no-mail"),
    (
        "mx.r.example[192.0.2.1]:25",
        "4.4.2",
        "deferred (conversation with mx.r.example[192.0.2.1] timed out while sending RCPT TO)",
        "connection",
    ),
    ("mx.r.example[192.0.2.1]:25", "4.7.5", "deferred (Server certificate not trusted)", "tls"),
    ("none", "4.7.5", "deferred (TLSA lookup error for mx.r.example:25)", "tls"),
    (
        "mx.r.example[192.0.2.1]:25",
        "5.6.7",
        "bounced (SMTPUTF8 is required, but was not offered by host mx.r.example[192.0.2.1])",
        "technical",
    ),
    (
        "mx.r.example[192.0.2.1]:25",
        "5.3.4",
        "bounced (message size 30000000 exceeds size limit 20000000 of server mx.r.example[192.0.2.1])",
        "too-large",
    ),
    ("local", "5.1.1", 'bounced (unknown user: "a")', "no-mailbox-here"),
    (
        "local",
        "4.2.2",
        "deferred (cannot update mailbox /var/mail/a for user a. error writing message: Disk quota exceeded)",
        "quota",
    ),
    # Words that are not known: our own code tells it, unless another server took part, whose code it may be.
    ("none", "4.4.3", "deferred (words that nobody has read before)", "dns"),
    ("mx.r.example[192.0.2.1]:25", "4.4.3", "deferred (words that nobody has read before)", "other"),
]


def reason_of(path, line):
    path.write_text(line + "\n")
    (cause,) = summarise(Request(logs=(str(path),))).causes
    return cause.reason


@pytest.mark.parametrize(("words", "reason"), EXIM)
def test_exim(words, reason, tmp_path):
    assert reason_of(tmp_path / "mainlog", f"2026-11-20 10:00:01 1vMAbc-00000001abc-1XyZ {words}") == reason


@pytest.mark.parametrize(("relay", "dsn", "status", "reason"), POSTFIX)
def test_postfix(relay, dsn, status, reason, tmp_path):
    head = "2026-11-20T10:00:01.1+00:00 out1 postfix/" + ("local" if relay == "local" else "smtp")
    said = f"to=<a@r.example>, relay={relay}, delay=1, delays=0.1/0/0.1/0.8, dsn={dsn}, status={status}"
    assert reason_of(tmp_path / "maillog", f"{head}[1]: 4dxZKt3V2zzLhRZ: {said}") == reason


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("Deferred: Connection refused by mx.r.example.", "connection"),
        ("Deferred: mx.r.example.: No route to host", "connection"),
        ("Deferred: Name server: mx.r.example.: host name lookup failure", "dns"),
        ("Host unknown (Name server: r.example: host not found)", "no-domain"),
        ("Cannot send message for 5 days", "retry-over"),
        ("Network error on destination MXs", "connection"),
        ("No MX found for domain", "no-domain"),
        ("Temporary failure in MX lookup", "dns"),
        ("there is no domain r.example (NXDOMAIN)", "no-domain"),
        ("r.example does not accept mail (null MX)", "no-mail"),
    ],
)
def test_words_of_other_servers(words, reason):
    assert why_own(words) == reason


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("mail for nullmx.example loops back to myself", "no-way"),
        ("connect to mx.name-not-found.example[192.0.2.1]:25: No such thing", "connection"),
        ("all hosts for 'nxdomain.does-not-accept-mail.example' have been failing for a long time", "retry-over"),
        ("lost connection with mailbox-is-full.example[192.0.2.1] while sending RCPT TO", "connection"),
        ("Child process of x transport returned 1: host or domain name not found", "own-trouble"),
        ("a new sentence about mx.example: retry time not reached, mailbox is full, no such user here", "other"),
    ],
)
def test_what_a_stranger_names_decides_nothing(words, reason):
    """The names of domains and hosts, and what a program prints, are not our server's words."""
    assert why_own(words) == reason


REASONS = {reason for reason, _ in _RULES} | {"other"}


@given(st.text(max_size=400), st.from_regex(r"[245]\.\d{1,3}\.\d{1,3}|", fullmatch=True))
def test_any_words_have_a_reason(words, code):
    assert why_own(words, code) in REASONS


@pytest.mark.parametrize(
    "piece", ["connect to ", "x ", "unable to look up host ", "lookup of host ", "a: ", "all hosts for '"]
)
def test_long_words_take_no_long_time(piece):
    """Twenty times the words that are kept of a failure."""
    started = time.process_time()
    for start in ("", "remote host ", "lost connection with ", "maildir delivery failed: "):
        why_own(start + piece * (8000 // len(piece)))
    assert time.process_time() - started < 1


def test_each_reason_has_words_of_its_own_in_both_languages():
    for language in ("en", "zh-Hant-TW"):
        t = catalog(language)
        shown = {reason: t(f"summary.why.{reason}") for reason in REASONS}
        assert not [reason for reason, words in shown.items() if "summary.why" in words]
        assert len(set(shown.values())) == len(shown), json.dumps(shown, ensure_ascii=False)
