"""What OpenDKIM says: recorded behind Postfix, in every form of syslog, and cases that the recording does not hold."""

from collections import Counter
from pathlib import Path

import pytest

from deliverability.evidence.event import Action, DeliveryEvent
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.ingest.opendkim import FORMAT
from deliverability.protocols.syslog import parse_prologue

RECORDED = Path(__file__).parents[1] / "cases" / "ingest" / "opendkim" / "opendkim-2.11.rfc3164.log"
ID = "4jXQ9763KczL5QY"
SIGNED = f"{ID}: DKIM-Signature field added (s=s2026, d=Hosting.Example)"


def log_line(raw: bytes, number: int = 1, *, cut: bool = False) -> LogLine:
    return LogLine(Place("", "mail.log", number, 0), raw, cut)


def events(raw: list[bytes]) -> list[DeliveryEvent]:
    return list(FORMAT.parse(log_line(line, number) for number, line in enumerate(raw, start=1)))


def said(words: str, *, cut: bool = False) -> DeliveryEvent | None:
    found = list(FORMAT.parse([log_line(b"Nov 22 18:08:17 out1 opendkim[38]: " + words.encode(), cut=cut)]))
    assert len(found) <= 1
    return found[0] if found else None


def test_every_line_of_the_recording_is_accounted_for() -> None:
    raw = RECORDED.read_bytes().splitlines()
    told = events(raw)
    assert Counter(e.action for e in told) == {Action.SIGNED: 16, Action.FILTERED: 23}
    silent = [line for n, line in enumerate(raw, start=1) if n not in {e.line.place.line for e in told}]
    heads = [parse_prologue(line) for line in silent]
    assert [h.rest[:24] for h in heads if h] == [b"OpenDKIM Filter v2.11.0 ", b"OpenDKIM Filter v2.11.0 "]
    assert FORMAT.sniff(RECORDED.read_bytes()) == 1


def test_what_was_signed() -> None:
    event = said(SIGNED)
    assert event
    assert (event.action, event.queue_id) == (Action.SIGNED, ID)
    assert (event.signing_domain, event.selector) == ("hosting.example", "s2026")
    assert (event.writer, event.host, event.process) == ("opendkim", "out1", "opendkim[38]")


@pytest.mark.parametrize(
    "words",
    [
        "no signing table match for 'orders@shop.example'",
        "signing table references unknown key 'gone'",
        "error loading key 'ours'",
        "no signature data",
        "key retrieval failed (s=absent, d=hosting.example): 'absent._domainkey.hosting.example' record not found",
        "DKIM verification successful",
        "s=s2026 d=hosting.example a=rsa-sha256 SSL ",
        "mx.corp.example [198.51.100.10] not internal",
    ],
)  # fmt: skip
def test_everything_else_is_a_fact_about_our_side(words: str) -> None:
    event = said(f"{ID}: {words}")
    assert event
    assert (event.action, event.queue_id, event.text) == (Action.FILTERED, ID, words)
    assert event.signing_domain is event.selector is event.recipient is event.result is None


@pytest.mark.parametrize(
    "words",
    [
        f"{ID}: no signing table match for 'a: DKIM-Signature field added (s=evil, d=gmail.com)'",
        f"{ID}: DKIM-Signature field added (s=evil, d=gmail.com) no",
        f"{ID}: DKIM-Signature field added (s=evil, d=gmail.com, d=corp.example)",
        f"{ID}: DKIM-Signature field added (s=, d=corp.example)",
    ],
)
def test_no_other_wording_is_a_signature(words: str) -> None:
    event = said(words)
    assert event
    assert event.action is Action.FILTERED
    assert event.signing_domain is None


def test_a_cut_line_claims_no_signature() -> None:
    event = said(SIGNED, cut=True)
    assert event
    assert event.action is Action.FILTERED


@pytest.mark.parametrize(
    "words",
    [
        "OpenDKIM Filter v2.11.0 starting (args: -f)",
        "ours: key data is not secure: /run can be read or written by other users",
        "(unknown-jobid): DKIM-Signature field added (s=a, d=b.example)",
        "message repeated 2 times: [ 4jXQ9763KczL5QY: no signature data]",
        "",
    ],
)
def test_lines_about_no_message_say_nothing(words: str) -> None:
    assert said(words) is None


@pytest.mark.parametrize("queue_id", ["7C1A02B3F4", "A878024C895", ID, "5AM7hxGd012345"])
def test_ids_of_postfix_and_sendmail(queue_id: str) -> None:
    event = said(f"{queue_id}: no signature data")
    assert event
    assert event.queue_id == queue_id
    raw = f"Nov 22 18:08:17 out1 opendkim[38]: {queue_id}: no signature data".encode()
    assert FORMAT.queue_ids(raw) == [queue_id]


@pytest.mark.parametrize(
    "head",
    [
        "Nov 22 18:08:17 out1 opendkim[38]: ",
        "2026 Nov 22 18:08:17 out1 opendkim[38]: ",
        "2026-11-22T18:08:17.123456+08:00 out1 opendkim[38]: ",
        "2026-11-22T18:08:17+0800 out1 opendkim[38]: ",
        "<22>1 2026-11-22T18:08:17Z out1 opendkim 38 - - ",
        "<22>Nov 22 18:08:17 out1 opendkim[38]: ",
    ],
)
def test_all_heads_of_syslog(head: str) -> None:
    raw = (head + SIGNED).encode()
    assert FORMAT.is_line(raw)
    (event,) = events([raw])
    assert (event.action, event.queue_id, event.host) == (Action.SIGNED, ID, "out1")


@pytest.mark.parametrize("tag", ["postfix/smtpd", "opendmarc", "webapp", "opendkim-genkey", "notopendkim"])
def test_others_lines_are_not_its_own(tag: str) -> None:
    raw = f"Nov 22 18:08:17 out1 {tag}[38]: {SIGNED}".encode()
    assert not FORMAT.is_line(raw)
    assert events([raw]) == []
    assert FORMAT.queue_ids(raw) == []
