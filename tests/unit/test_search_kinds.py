"""What can be asked for besides an address: a domain, everybody, the receiver's id, a subject, a sender."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from deliverability.api.requests import Request
from deliverability.api.tracing import read_logs
from deliverability.errors import UsageError
from deliverability.evidence.story import Trace

LOGS = Path(__file__).parents[1] / "cases" / "logs"
POSTFIX = LOGS / "postfix" / "postfix-3.10.iso8601.log"
BSD = LOGS / "postfix" / "postfix-3.10.rfc3164.log"
EXIM = LOGS / "exim" / "4.98-cpanel" / "mainlog"
OLD_EXIM = LOGS / "exim" / "4.96" / "mainlog"
ALL = [POSTFIX, BSD, EXIM, OLD_EXIM]


def asked(log: Path, **question: object) -> Trace:
    return read_logs(Request(logs=(str(log),), **question))[0]  # type: ignore[arg-type]


def recipients(trace: Trace) -> set[str]:
    return {d.recipient for m in trace.messages for d in m.deliveries}


@pytest.mark.parametrize("log", ALL, ids=lambda p: p.parent.name + p.name)
@pytest.mark.parametrize("spelled", ["@partial.example", "*@Partial.Example", "@partial.example."])
def test_a_whole_domain_and_nobody_else(log: Path, spelled: str) -> None:
    found = recipients(asked(log, to=(spelled,)))
    assert {"ok1@partial.example", "ok2@partial.example", "bad1@partial.example", "full1@partial.example"} <= found
    # The alias is whom the sender wrote to; the address behind it is of the domain.
    assert {name.rpartition("@")[2] for name in found} == {"partial.example"}


@pytest.mark.parametrize("log", ALL, ids=lambda p: p.parent.name + p.name)
def test_each_recipient_of_a_domain_is_told_as_when_asked_for_alone(log: Path) -> None:
    together = {(d.recipient, d.state) for m in asked(log, to=("@outlook.example",)).messages for d in m.deliveries}
    for recipient in {name for name, _ in together}:
        alone = {(d.recipient, d.state) for m in asked(log, to=(recipient,)).messages for d in m.deliveries}
        assert alone == {pair for pair in together if pair[0] == recipient}


@pytest.mark.parametrize("spelled", ["@bücher.example", "@xn--bcher-kva.example", "@BÜCHER.example"])
@pytest.mark.parametrize("log", ALL, ids=lambda p: p.parent.name + p.name)
def test_a_domain_in_both_spellings(log: Path, spelled: str) -> None:
    assert recipients(asked(log, to=(spelled,))) == {"info@bücher.example"}


def test_a_domain_that_is_not_there_finds_nothing_and_not_everything() -> None:
    assert asked(POSTFIX, to=("@absent.example",)).messages == ()


@pytest.mark.parametrize("log", ALL, ids=lambda p: p.parent.name + p.name)
@pytest.mark.parametrize("evil", ["victim@gmail.example", "@victim.example"])
def test_text_that_imitates_a_line_makes_no_recipient(log: Path, evil: str) -> None:
    assert asked(log, to=(evil,)).messages == ()
    assert "victim@gmail.example" not in recipients(asked(log, to=("@gmail.example",)))


def test_the_receivers_id_names_the_message_and_its_recipient() -> None:
    trace = asked(POSTFIX, to=("jo32@corp.example",))
    (message,) = trace.messages
    attempt = message.deliveries[0].decisive
    assert attempt and attempt.remote_queue_id
    by_id = asked(POSTFIX, remote_id=attempt.remote_queue_id)
    assert by_id.messages == trace.messages
    assert asked(POSTFIX, remote_id=attempt.remote_queue_id[:-1]).messages == ()


@pytest.mark.parametrize("log", ALL, ids=lambda p: p.parent.name + p.name)
@pytest.mark.parametrize("words", ["INV-10001", "renewal notice INV-10001", "RENEWAL   notice  inv-10001"])
def test_a_subject_alone(log: Path, words: str) -> None:
    assert recipients(asked(log, subject=words)) == {"jo32@corp.example"}


def header(subject: str, queue_id: str) -> str:
    at = "2026-11-22T05:01:38.493166+00:00 out1 postfix/"
    return (
        f"{at}cleanup[623]: {queue_id}: info: header Subject: {subject} from localhost[127.0.0.1];"
        " from=<a@b.example> to=<mei@c.example> proto=ESMTP helo=<x>\n"
        f"{at}smtp[9]: {queue_id}: to=<mei@c.example>, relay=mx.c.example[192.0.2.1]:25, delay=1, dsn=2.0.0,"
        " status=sent (250 ok)\n"
    )


@pytest.mark.parametrize(
    "logged",
    [
        "=?utf-8?B?57qM57SE6YCa55+l?= 42",
        "=?big5?B?xPKs+bNxqr4=?= 42",
        "續約通知 42",
        "=?UTF-8?Q?=E7=BA=8C=E7=B4=84=E9=80=9A=E7=9F=A5?= 42",
    ],
)
def test_a_subject_as_logged_and_decoded(tmp_path: Path, logged: str) -> None:
    log = tmp_path / "mail.log"
    log.write_text(header(logged, "4jXH3k3V2zzLhRZ") + header("=?utf-8?B?5YW25LuW?= 42", "4jXH3k3V2zzLhRX"))
    for words in ("續約通知", "續約", "約通知 42"):
        assert [m.queue_ids for m in asked(log, subject=words).messages] == [("4jXH3k3V2zzLhRZ",)]
    assert asked(log, subject="退費").messages == ()


@pytest.mark.parametrize("log", ALL, ids=lambda p: p.parent.name + p.name)
def test_a_sender_alone(log: Path) -> None:
    trace = asked(log, sender="Renewals@hosting.example")
    assert "jo32@corp.example" in recipients(trace)
    assert {m.reverse_path for m in trace.messages} == {"renewals@hosting.example"}


@pytest.mark.parametrize("log", [POSTFIX, EXIM], ids=lambda p: p.parent.name)
def test_everybody_within_a_window(log: Path) -> None:
    whole = asked(log, to=("*",), since=datetime(2026, 11, 22, tzinfo=UTC))
    assert len(recipients(whole)) > 80
    first = min(m.arrived.instant for m in whole.messages if m.arrived and m.arrived.instant)
    some = asked(log, to=("*",), since=first, until=first)
    assert some.messages and {m.arrived.instant for m in some.messages if m.arrived} == {first}
    assert asked(log, to=("*",), sender="nobody@hosting.example").messages == ()


def test_everybody_needs_a_bound_and_a_question_needs_a_name() -> None:
    with pytest.raises(UsageError, match="--since"):
        asked(POSTFIX, to=("*",))
    for question in ({}, {"subject": "  "}, {"remote_id": "\x1b[31m"}):
        with pytest.raises(UsageError):
            asked(POSTFIX, **question)
