"""WHMCS's list: what was made for whom, never that it was sent; its text is kept nowhere."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from deliverability.api.requests import Request
from deliverability.api.tracing import read_logs
from deliverability.evidence.event import Action, DeliveryEvent
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.ingest.whmcs import FORMAT
from deliverability.protocols.customers import Customers, accounts_of, addresses_at, customer_addresses
from deliverability.protocols.export_rows import parse_row, rows
from deliverability.protocols.whmcs_rows import notices, read_notice

LOG = Path(__file__).parents[1] / "cases" / "ingest" / "whmcs" / "tblemails.log"


def events() -> list[DeliveryEvent]:
    raw = LOG.read_bytes().split(b"\n")
    return list(FORMAT.parse(LogLine(Place("", "x", n, 0), line) for n, line in enumerate(raw, 1)))


def test_each_address_of_a_notice_is_on_record() -> None:
    assert [(e.account, e.recipient, e.text) for e in events()] == [
        ("412", "old@corp.example", "e-mail 65801"),
        ("412", "anna@corp.example", "e-mail 65846"),
        ("412", "accounts@corp.example", "e-mail 65846"),
        ("412", "archive@hosting.example", "e-mail 65846"),
        ("413", "lena@corp.example", "e-mail 65847 failed: SMTP Error: data not accepted."),
        ("413", "bob@corp.example", "e-mail 65847 failed: SMTP Error: data not accepted."),
        (None, "staff@hosting.example", "e-mail 65848 pending"),
        ("414", None, "e-mail 65849"),
    ]


def test_nothing_says_that_it_was_sent() -> None:
    for event in events():
        assert event.action is Action.RECORDED
        assert (event.result, event.transport, event.queue_id, event.reply) == (None, None, None, None)
        assert event.at.instant is None


def test_the_time_is_local_and_a_time_of_zeros_is_none() -> None:
    assert events()[1].at.local == datetime.fromisoformat("2026-11-22T13:31:09")
    assert not events()[1].at.unclear
    assert events()[-1].at.unclear


def test_the_text_of_the_notice_is_kept_nowhere() -> None:
    for event in events():
        assert "s3cret" not in repr(event)
        assert json.loads(event.line.raw)["message"] == "(57 characters, not kept)"


def test_a_subject_that_imitates_a_row_stays_a_subject() -> None:
    assert events()[-1].subject == '"}, {"userid": "412"'
    assert [e.line.raw for e in events() if e.account == "412" and "65849" in e.text] == []


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("a@x.example, b@x.example", ("a@x.example", "b@x.example")),
        ("Lena <a@x.example>", ("a@x.example",)),
        ('"Corp, Lena" <a@x.example>', ("a@x.example",)),
        ('"Corp, <b@x.example>" <a@x.example>', ()),
        ("a@x.example, somebody", ()),
        ("", ()),
    ],
)
def test_lists_of_recipients(to: str, expected: tuple[str, ...]) -> None:
    row = parse_row(json.dumps({"id": 1, "userid": 2, "subject": "", "date": "", "to": to}).encode())
    notice = read_notice(row) if row else None
    assert notice is not None and notice.to == expected


def customers(*made: dict[str, Any]) -> Customers:
    base = {"subject": "", "date": "2026-11-22 05:31:12", "to": "a@x.example"}
    lines = [json.dumps({"id": n, "userid": 7} | base | one).encode() for n, one in enumerate(made, 1)]
    return customer_addresses(notices(rows(lines)))


def test_addresses_of_a_customer_over_time() -> None:
    found = customer_addresses(notices(rows(LOG.read_bytes().split(b"\n"))))
    assert set(found) == {"412", "413"}
    assert [(u.address, u.notices) for u in found["412"]] == [("anna@corp.example", 1), ("old@corp.example", 1)]
    assert addresses_at(found["412"], datetime.fromisoformat("2026-11-01")) == ("old@corp.example",)
    assert addresses_at(found["412"], datetime.fromisoformat("2026-12-01")) == ("anna@corp.example",)
    assert addresses_at(found["412"], datetime.fromisoformat("2026-01-01")) == ()
    assert accounts_of(found, "ANNA@corp.example") == ("412",)
    assert accounts_of(found, "archive@hosting.example") == ()  # a copy says nothing of whose address it is
    assert accounts_of(found, "nobody") == ()


def test_spellings_are_one_address_and_a_row_counts_once() -> None:
    found = customers({"to": "A@x.example"}, {"to": "a@X.example", "date": "2026-11-23 05:31:12"}, {"id": 1})
    (use,) = found["7"]
    assert (use.address, use.notices) == ("a@X.example", 2)
    assert (use.first, use.last) == (
        datetime.fromisoformat("2026-11-22T05:31:12"),
        datetime.fromisoformat("2026-11-23T05:31:12"),
    )


def test_a_notice_without_a_time_counts_and_dates_nothing() -> None:
    (use,) = customers({"date": "11/12/2026 05:31"})["7"]
    assert (use.first, use.last, use.notices) == (None, None, 1)


def test_a_row_with_a_long_text_is_read(tmp_path: Path) -> None:
    """A line is read up to 64 KiB: the text of the notice, on which nothing rests, is left out of a longer one."""
    log = tmp_path / "tblemails.csv"
    body = "<p>" + "x" * 90_000 + "</p>"
    log.write_text(
        "id,userid,subject,message,date,to,cc,bcc\r\n"
        f'1,7,Renewal INV-1,"{body}",2026-11-22 05:01:38,anna@corp.example,,\r\n'
        f'2,8,Renewal INV-2,"{body}",2026-11-22 05:01:39,"{",".join(f"u{n}@corp.example" for n in range(6000))}",,\r\n'
    )
    trace, unread = read_logs(Request(logs=(str(log),), to=("anna@corp.example",)))
    (message,) = trace.messages
    assert (message.subject, message.account, unread) == ("Renewal INV-1", "7", ())
    # A list that does not fit is left out whole: no part of it may pass for all.
    assert read_logs(Request(logs=(str(log),), to=("u1@corp.example",)))[0].messages == ()
