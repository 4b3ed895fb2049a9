"""cPanel's own delivery records: Exim's ids, no more than the transport tells, replies only where they stand."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from deliverability.capture.decoders import database
from deliverability.correlate import Query, TimeHints, resolve_times, tell
from deliverability.evidence.event import Action, DeliveryEvent, Result, Transport
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.names import Mailbox
from deliverability.ingest import eximstats, whm_mail_delivery
from deliverability.protocols import idclock
from deliverability.protocols.eximstats_rows import by_transport, exim_id

CASES = Path(__file__).parents[1] / "cases" / "ingest"
REPORT = CASES / "whm-mail-delivery" / "mail-delivery-report.log"
ROWS = CASES / "eximstats" / "eximstats_db.log"


def read(module: Any, raw: list[bytes]) -> list[DeliveryEvent]:
    return list(module.FORMAT.parse(LogLine(Place("", "x", n, 0), line) for n, line in enumerate(raw, 1)))


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")


def outcomes(found: list[DeliveryEvent]) -> dict[str, tuple[Any, ...]]:
    return {e.recipient: (e.action, e.result, e.transport) for e in found if e.recipient}


def test_the_database_itself_gives_the_same_events() -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript((CASES / "eximstats" / "eximstats_db.sql").read_text("utf-8"))
    made = list(database.rows(connection.serialize(), "eximstats_db.sqlite3"))
    connection.close()
    told = [said(e) for e in read(eximstats, made)]
    assert len(told) == 8
    assert sorted(told) == sorted(said(e) for e in read(eximstats, lines(ROWS)))


def said(event: DeliveryEvent) -> str:
    fields = ("action", "at", "queue_id", "recipient", "original_recipient", "result", "transport", "relay", "reply")
    return repr([getattr(event, name) for name in (*fields, "session", "size", "text", "route")])


def test_eximstats() -> None:
    found = read(eximstats, lines(ROWS))
    assert outcomes(found) == {
        "anna@corp.example": (Action.ATTEMPTED, Result.SENT, Transport.SMTP),
        "u1@hosting.example": (Action.ATTEMPTED, Result.SENT, Transport.MAILBOX),
        "odd@hosting.example": (Action.ATTEMPTED, Result.SENT, None),
        "nouser@corp.example": (Action.ATTEMPTED, Result.FAILED, Transport.SMTP),
        "y@hosting.example": (Action.REJECTED, Result.FAILED, Transport.NONE),
        "bob@corp.example": (Action.ATTEMPTED, Result.UNCERTAIN, Transport.SMTP),
    }
    by_recipient = {e.recipient: e for e in found}
    anna = by_recipient["anna@corp.example"]
    assert anna.reply and anna.reply.code == 250
    assert (anna.remote_queue_id, str(anna.relay)) == ("67C76FB008F8", "mx.corp.example [203.0.113.25]")
    assert by_recipient["u1@hosting.example"].original_recipient == "info@hosting.example"
    assert by_recipient["u1@hosting.example"].relay is None
    assert all(e.queue_id is None or idclock.exim(e.queue_id) for e in found)
    assert all(e.reverse_path is None for e in found)


def test_its_id_is_exims_and_ties_it_to_exims_log() -> None:
    found = resolve_times(read(eximstats, lines(ROWS)), TimeHints({}))
    (message,) = tell(found, Query(recipients=(Mailbox.parse("anna@corp.example"),)))
    assert message.queue_ids == ("1xV0AS-0003D8-01",)
    assert [a.reply.code for a in message.deliveries[0].attempts if a.reply] == [250]


def test_mail_delivery_report() -> None:
    found = read(whm_mail_delivery, lines(REPORT))
    assert outcomes(found) == {
        "anna@corp.example": (Action.ATTEMPTED, Result.SENT, Transport.SMTP),
        "lena@corp.example": (Action.ATTEMPTED, Result.SENT, Transport.SMTP),
        "bob@corp.example": (Action.ATTEMPTED, Result.DEFERRED, Transport.SMTP),
        "nouser@corp.example": (Action.ATTEMPTED, Result.FAILED, Transport.SMTP),
        "u1@hosting.example": (Action.ATTEMPTED, Result.SENT, Transport.MAILBOX),
        "u2@hosting.example": (Action.ATTEMPTED, Result.SENT, None),  # filtered: into a folder or away
        "y@hosting.example": (Action.REJECTED, Result.FAILED, Transport.NONE),
    }
    replies = {e.recipient: e.reply.code for e in found if e.reply}
    assert replies == {"lena@corp.example": 250, "bob@corp.example": 450, "nouser@corp.example": 550}
    assert {e.text for e in found if e.recipient == "anna@corp.example"} == {"Accepted"}
    assert any(e.recipients == ("x@corp.example",) for e in found)


def test_the_clock_in_exims_id_tells_day_from_month() -> None:
    found = {e.line.place.line: e for e in read(whm_mail_delivery, lines(REPORT)) if e.recipient}
    decided = found[3].at  # 11/12/2026, and the id is of 12 November
    assert (decided.local.isoformat(), decided.unclear, decided.instant) == ("2026-11-12T13:31:13", False, None)
    assert found[9].at.unclear  # 11/12/2026 again, without an id


@pytest.mark.parametrize(
    ("name", "remote", "expected"),
    [
        ("dkim_remote_smtp", None, Transport.SMTP),
        ("own_name", True, Transport.SMTP),
        ("own_name", False, None),
        ("own_name", None, None),
        ("", None, None),
        ("remote_smtp", False, None),
        ("dovecot_delivery", True, None),
        ("virtual_address_pipe", False, Transport.PIPE),
    ],
)
def test_a_transport_says_no_more_than_its_name(name: str, remote: bool | None, expected: Transport | None) -> None:
    assert by_transport(name, remote) is expected


@pytest.mark.parametrize("text", ["", "1xV0AS", "1xV0AS-0003D8-01 ", "x1xV0AS-0003D8-01", "zzzzzz-zzzzzz-zz"])
def test_what_is_no_id_of_exim(text: str) -> None:
    assert exim_id(text) is None


def test_a_code_in_words_of_our_own_server_is_no_reply() -> None:
    row = {"_table": "failures", "sendunixtime": 1795325472, "msgid": "1xV0DM-0003DB-04", "email": "a@corp.example"}
    (event,) = read(eximstats, [json.dumps(row | {"message": "550 No Such User Here"}).encode()])
    assert (event.reply, event.text) == (None, "550 No Such User Here")
