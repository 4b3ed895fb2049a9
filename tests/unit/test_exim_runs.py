"""Exim's lines of one delivery run are held together: one address is one delivery, whatever its lines call it."""

from datetime import UTC, datetime

from deliverability.correlate import Query, TimeHints, resolve_times, tell
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.names import Mailbox
from deliverability.evidence.story import Message, State
from deliverability.ingest import exim

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ID = "1xVHzA-00002r-2N"
ARRIVED = f"2026-11-23 08:32:44 +0800 {ID} <= r@sender.example H=(client.example) [203.0.113.10] P=esmtp S=549 id=m@billing.example"
MX = "R=lookuphost T=remote_smtp H=mx.corp.example [198.51.100.70]"
FULL = "SMTP error from remote mail server after RCPT TO:<anna@corp.example>: 452 4.2.2 mailbox full"


def log(*lines: str) -> str:
    return "\n".join([ARRIVED, *(f"2026-11-23 08:32:45 +0800 {ID} {words}" for words in lines)])


def told(text: str, to: str | None = None) -> Message:
    lines, offset = [], 0
    for number, line in enumerate(text.encode().split(b"\n"), 1):
        lines.append(LogLine(Place("", "mainlog", number, offset), line))
        offset += len(line) + 1
    events = resolve_times(list(exim.FORMAT.parse(lines)), TimeHints({}, UTC, NOW))
    query = Query(recipients=(Mailbox.parse(to),)) if to else Query(message_id="m@billing.example")
    (message,) = tell(events, query)
    return message


def state(text: str, to: str) -> State:
    (delivery,) = told(text, to).deliveries
    return delivery.state


GIVEN_UP = log(
    f"== anna@corp.example <team@alias.example> {MX} defer (-44): {FULL}",
    "** anna@corp.example <staff@alias.example>: retry timeout exceeded",
    "Completed",
)


def test_the_last_line_may_name_another_alias_on_the_way() -> None:
    """Where Exim gives up it names the alias right before the address; in the lines before, the first of all."""
    for to in ("team@alias.example", "staff@alias.example", "anna@corp.example"):
        assert state(GIVEN_UP, to) is State.EXPIRED


def test_an_alias_on_the_way_is_no_recipient_of_its_own() -> None:
    assert [d.recipient for d in told(GIVEN_UP).deliveries] == ["team@alias.example"]


def test_two_mailboxes_of_one_name_stay_two() -> None:
    text = log(
        "=> box <box@one.example> R=mailbox T=local_maildir",
        "** box <box@two.example> R=mailbox T=local_maildir: mailbox is full",
        "Completed",
    )
    assert state(text, "box@one.example") is State.DELIVERED
    assert state(text, "box@two.example") is State.FAILED


LOST = "H=mx.corp.example [198.51.100.70]: Remote host closed connection in response to end of data"


def test_a_recipient_with_an_answer_of_its_own_was_not_in_the_transaction_that_broke() -> None:
    """Exim tries a host once in each run, so the two lines tell of one session."""
    refused = FULL.replace("452 4.2.2 mailbox full", "550 5.1.1 no such user")
    text = log(
        LOST,
        f"** anna@corp.example {MX}: {refused}",
        f"== berta@corp.example {MX} defer (-18): Remote host closed connection in response to end of data",
    )
    assert state(text, "anna@corp.example") is State.REFUSED
    assert state(text, "berta@corp.example") is State.UNKNOWN


def test_an_answer_of_another_host_leaves_it_open() -> None:
    elsewhere = f"R=lookuphost T=remote_smtp H=mx2.corp.example [198.51.100.71] defer (-44): {FULL}"
    assert state(log(LOST, f"== anna@corp.example {elsewhere}"), "anna@corp.example") is State.UNKNOWN


def test_a_store_answers_for_each_recipient_after_the_data() -> None:
    """RFC 2033 §4.2: of several, one had its answer before the connection broke."""
    route = "R=store T=store_lmtp H=127.0.0.1 [127.0.0.1]"
    text = log(
        "H=127.0.0.1 [127.0.0.1]: Remote host closed connection in response to end of data",
        f"** anna@corp.example {route}: LMTP error after DATA: 554 5.7.1 no",
        f"== berta@corp.example {route} defer (-18): Remote host closed connection in response to end of data",
    )
    assert state(text, "anna@corp.example") is State.REFUSED
    assert state(text, "berta@corp.example") is State.UNKNOWN


def test_a_broken_transaction_is_of_the_recipients_that_tell_of_it_again() -> None:
    """All addresses of one transaction go on to the same hosts: one that ended elsewhere was in another."""
    text = log(
        LOST,
        "** carol@other.example R=lookuphost T=remote_smtp H=mx.other.example [198.51.100.9]:"
        " SMTP error from remote mail server after DATA: 554 5.7.1 no",
        f"== berta@corp.example {MX} defer (-18): Remote host closed connection in response to end of data",
    )
    assert state(text, "carol@other.example") is State.REFUSED
    assert state(text, "berta@corp.example") is State.UNKNOWN


def test_what_went_on_to_another_host_stays_open_for_all() -> None:
    answer = "R=lookuphost T=remote_smtp H=mx2.corp.example [198.51.100.71]: SMTP error from remote mail server after DATA: 554 5.7.1 no"
    text = log(LOST, f"** anna@corp.example {answer}", f"** berta@corp.example {answer}")
    assert state(text, "anna@corp.example") is State.UNKNOWN
    assert state(text, "berta@corp.example") is State.UNKNOWN


def test_a_local_part_made_ascii_on_the_way_is_the_same_recipient() -> None:
    """``utf8_downconvert``: for a server without SMTPUTF8 (RFC 6531) Exim sends the local part as an A-label."""
    text = log(
        f"== xn--jrg-sna@corp.example <j\u00f6rg@corp.example> {MX} defer (-46): SMTP error from remote mail server"
        " after end of data: 451 4.3.2 later",
        f'=> j\u00f6rg@corp.example {MX} C="250 2.0.0 Ok: queued as B00108C0DE"',
        "Completed",
    )
    (delivery,) = told(text, "j\u00f6rg@corp.example").deliveries
    assert delivery.state is State.HANDED_OVER
    assert delivery.parts == ()
    assert [d.recipient for d in told(text).deliveries] == ["j\u00f6rg@corp.example"]
