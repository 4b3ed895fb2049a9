"""Log lines to stories: no more is claimed than what the lines of one message show, whoever wrote their text."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import ip_network

import pytest

from deliverability.correlate import Query, TimeHints, resolve_times, tell
from deliverability.evidence.bundle import Own
from deliverability.evidence.event import DeliveryEvent, Result
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.names import Mailbox
from deliverability.evidence.story import Delivery, Message, State, Tie
from deliverability.ingest import exim, postfix

NOW = datetime(2027, 1, 20, tzinfo=UTC)
FROM = "renewals@hosting.example"


def parsed(text: str, log: str, file: str) -> list[DeliveryEvent]:
    lines, offset = [], 0
    for number, line in enumerate(text.strip("\n").split("\n"), 1):
        lines.append(LogLine(Place(log, file, number, offset), line.encode()))
        offset += len(line.encode()) + 1
    fmt = postfix.FORMAT if postfix.FORMAT.sniff(text.encode()) else exim.FORMAT
    return list(fmt.parse(lines))


def events(logs: str | Sequence[str] | Mapping[str, str]) -> list[DeliveryEvent]:
    """One file, several files of one host, or logs by name."""
    files = {"": logs} if isinstance(logs, str) else logs
    if isinstance(files, Mapping):
        found = [e for name, text in files.items() for e in parsed(text, name, f"{name}.log")]
    else:
        found = [e for number, text in enumerate(files) for e in parsed(text, "", f"{number}.log")]
    return resolve_times(found, TimeHints({}, UTC, NOW))


def ask(logs: str | Sequence[str] | Mapping[str, str], *to: str, own: Own | None = None) -> tuple[Message, ...]:
    return tell(events(logs), Query(recipients=tuple(Mailbox.parse(a) for a in to)), own)


def one(logs: str | Sequence[str] | Mapping[str, str], to: str, own: Own | None = None) -> tuple[Message, Delivery]:
    messages = ask(logs, to, own=own)
    assert len(messages) == 1, [m.queue_ids for m in messages]
    (delivery,) = messages[0].deliveries
    return messages[0], delivery


def state(logs: str | Sequence[str] | Mapping[str, str], to: str, own: Own | None = None) -> State:
    return one(logs, to, own)[1].state


def at(clock: str, host: str, program: str, words: str) -> str:
    day, _, time = clock.rpartition(" ")
    return f"{day or '2026-11-22'}T{time}+00:00 {host} postfix/{program}: {words}"


def arrival(
    queue_id: str,
    clock: str = "05:00:00",
    *,
    host: str = "out1",
    client: str = "web1[192.0.2.7]",
    message_id: str = "INV-1@hosting.example",
    nrcpt: int = 1,
    subject: str | None = None,
    more: str = "",
) -> str:
    lines = [
        at(clock, host, "smtpd[1]", f"{queue_id}: client={client}{more}"),
        at(clock, host, "cleanup[2]", f"{queue_id}: message-id=<{message_id}>"),
        at(clock, host, "qmgr[3]", f"{queue_id}: from=<{FROM}>, size=500, nrcpt={nrcpt} (queue active)"),
    ]
    if subject is not None:
        words = f"{queue_id}: info: header Subject: {subject} from {client}; from=<{FROM}> to=<anna@corp.example> proto=ESMTP helo=<web1>"
        lines.insert(1, at(clock, host, "cleanup[2]", words))
    return "\n".join(lines) + "\n"


def attempt(
    queue_id: str,
    clock: str,
    words: str,
    *,
    to: str = "anna@corp.example",
    status: str = "sent",
    relay: str = "mx.corp.example[198.51.100.10]:25",
    program: str = "smtp[4]",
    host: str = "out1",
    original: str | None = None,
) -> str:
    orig_to = f" orig_to=<{original}>," if original else ""
    shown = f"to=<{to}>,{orig_to} relay={relay}, delay=1, delays=0/0/0/1, dsn=2.0.0, status={status} ({words})"
    return at(clock, host, program, f"{queue_id}: {shown}") + "\n"


def removed(queue_id: str, clock: str, host: str = "out1") -> str:
    return at(clock, host, "qmgr[3]", f"{queue_id}: removed") + "\n"


OK = "250 2.0.0 Ok: queued as 67C76FB008F8"
REFUSAL = "host mx.corp.example[198.51.100.10] said: 550 5.1.1 unknown (in reply to RCPT TO command)"
A, B, C, D = "4jXH3k4rZ3zLhRd", "4jXH3l3T3hzLhST", "4jXH3l3Xj3zLhSW", "4jXH3l0QvczLhSW"  # 2026-11-22 05:01:38 and :39
LATER = "05:01:40"
FILTER = "127.0.0.1[127.0.0.1]:10024"
BACK = "localhost[127.0.0.1]"


def joined(*lines: str) -> str:
    return "\n".join(lines)


# --- what is no delivery ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "words", "expected"),
    [
        ("lmtp[4]", "250 2.1.5 Ok", State.HANDED_OVER),
        ("lmtp[4]", f"250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as {B}", State.HANDED_OVER),
        ("lmtp[4]", "250 2.0.0 Ok: queued as 67C76FB008F8", State.HANDED_OVER),
        ("lmtp[4]", "250 OK id=1xV0Ah-0000000Db-0a", State.HANDED_OVER),
        ("lmtp[4]", "250 2.6.0 Message accepted for delivery", State.HANDED_OVER),
        ("lmtp[4]", "250 2.7.0 Ok, discarded, id=27514-08 - spam", State.CANCELLED),
        ("lmtp[4]", "250 2.5.0 OK (C0FFEE0000000001)", State.HANDED_OVER),  # Proxmox Mail Gateway, spam it keeps too
        ("smtp[4]", "250 2.7.0 Ok, discarded, id=27514-08 - spam", State.CANCELLED),
        ("smtp[4]", "250 2.5.0 Ok, id=03491-01, DISCARD(bounce.suppressed)", State.CANCELLED),
        ("smtp[4]", "250 2.5.0 Ok, id=03491-01-2, BOUNCE", State.CANCELLED),
        ("smtp[4]", "250 2.5.0 Ok, id=03491-01, BOUNCE of rubber", State.HANDED_OVER),
        ("smtp[4]", f"250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as {B}", State.HANDED_OVER),
    ],
)
def test_a_filter_is_no_mailbox(program: str, words: str, expected: State) -> None:
    log = arrival(A, "05:01:38") + attempt(A, LATER, words, relay=FILTER, program=program)
    assert state(log, "anna@corp.example") is expected


@pytest.mark.parametrize("words", ["250 2.0.0 <anna@corp.example> BjNjKHgtdl7NLBFsMz9g Saved", "250 2.1.5 Ok"])
@pytest.mark.parametrize("relay", ["127.0.0.1[127.0.0.1]:24", "store[private/dovecot-lmtp]", "mbox[10.0.0.9]:7025"])
def test_a_store_is_a_mailbox(relay: str, words: str) -> None:
    log = arrival(A, "05:01:38") + attempt(A, LATER, words, relay=relay, program="lmtp[4]")
    assert state(log, "anna@corp.example") is State.DELIVERED


@pytest.mark.parametrize("relay", ["127.0.0.1[127.0.0.1]:8024", "mailman-core[172.19.199.2]:8024"])
def test_a_list_manager_is_no_mailbox(relay: str) -> None:
    log = arrival(A, "05:01:38") + attempt(A, LATER, "250 Ok", relay=relay, program="lmtp[4]")
    assert state(log, "anna@corp.example") is State.HANDED_OVER


def test_a_strangers_word_discarded_is_an_acceptance() -> None:
    log = arrival(A, "05:01:38") + attempt(A, LATER, "250 2.7.0 Ok, discarded, id=1-08 - spam")
    assert state(log, "anna@corp.example") is State.HANDED_OVER


def test_forwarded_into_our_own_queue_is_nowhere_until_followed() -> None:
    words = "forwarded as 7C1A02B3F4"
    log = arrival("6AAAAAAAAA") + attempt("6AAAAAAAAA", "05:00:01", words, relay="local", program="local[5]")
    assert state(log, "anna@corp.example") is State.UNKNOWN


@pytest.mark.parametrize(("reply", "expected"), [(OK, State.HANDED_OVER), (None, State.REFUSED)])
def test_forwarded_mail_is_followed_though_it_has_no_line_of_arrival(reply: str | None, expected: State) -> None:
    first, second = "6AAAAAAAAA", "7C1A02B3F4"
    log = arrival(first)
    log += at("05:00:01", "out1", "cleanup[2]", f"{second}: message-id=<INV-1@hosting.example>") + "\n"
    log += attempt(first, "05:00:01", f"forwarded as {second}", relay="local", program="local[5]")
    log += at("05:00:01", "out1", "qmgr[3]", f"{second}: from=<{FROM}>, size=600, nrcpt=1 (queue active)") + "\n"
    log += attempt(
        second, "05:00:02", reply or REFUSAL, to="home@isp.example", original="anna@corp.example",
        status="sent" if reply else "bounced",
    )  # fmt: skip
    message, delivery = one(log, "anna@corp.example")
    assert message.queue_ids == (first, second)
    assert delivery.state is expected
    assert delivery.forward_paths == ("home@isp.example",)


def test_an_operators_mark_is_no_delivery() -> None:
    log = joined(
        "2026-11-22 05:31:27 1xV0Ah-000000000Db-0aag <= a@hosting.example U=root P=local S=5 for anna@corp.example",
        "2026-11-22 05:31:28 1xV0Ah-000000000Db-0aag address <anna@corp.example> marked delivered by root",
        "2026-11-22 05:31:28 1xV0Ah-000000000Db-0aag Completed",
    )
    assert state(log, "anna@corp.example") is State.CANCELLED
    unlisted = log.replace(" for anna@corp.example", "")
    assert state(unlisted, "anna@corp.example") is State.CANCELLED


def test_an_automatic_reply_beside_the_mailbox_is_not_the_message() -> None:
    log = joined(
        "2026-11-22 05:31:27 1xV0Ah-000000000Db-0aag <= a@hosting.example U=root P=local S=5 for anna@corp.example",
        "2026-11-22 05:31:28 1xV0Ah-000000000Db-0aag => >a@hosting.example <anna@corp.example> R=userautoreply T=address_reply",
        "2026-11-22 05:31:28 1xV0Ah-000000000Db-0aag => anna <anna@corp.example> R=localuser T=mail_spool",
        "2026-11-22 05:31:28 1xV0Ah-000000000Db-0aag Completed",
    )
    _, delivery = one(log, "anna@corp.example")
    assert delivery.state is State.DELIVERED


def test_blackhole_is_no_delivery() -> None:
    log = joined(
        "2026-11-22 05:31:27 1xV0Ah-000000000Db-0aag <= a@hosting.example U=root P=local S=5 for anna@corp.example",
        "2026-11-22 05:31:28 1xV0Ah-000000000Db-0aag => :blackhole: <anna@corp.example> R=system_aliases",
        "2026-11-22 05:31:28 1xV0Ah-000000000Db-0aag Completed",
    )
    assert state(log, "anna@corp.example") is State.CANCELLED


def test_a_notice_about_the_message_is_not_the_message() -> None:
    log = arrival(A, "05:01:38") + attempt(A, LATER, REFUSAL, status="bounced")
    log += at(LATER, "out1", "cleanup[2]", f"{B}: message-id=<bounce@out1>") + "\n"
    log += at(LATER, "out1", "bounce[9]", f"{A}: sender non-delivery notification: {B}") + "\n"
    log += at(LATER, "out1", "qmgr[3]", f"{B}: from=<>, size=900, nrcpt=1 (queue active)") + "\n"
    log += attempt(B, LATER, OK, to=FROM) + removed(A, LATER) + removed(B, LATER)
    message, delivery = one(log, "anna@corp.example")
    assert (message.queue_ids, delivery.state, delivery.notices) == ((A,), State.REFUSED, (B,))
    notice, delivered = one(log, FROM)
    assert (notice.reverse_path, delivered.state) == ("", State.HANDED_OVER)


# --- expiry -----------------------------------------------------------------------------------------------------------


def test_expired_for_those_who_were_left() -> None:
    log = arrival(A, "05:01:38", nrcpt=3)
    log += attempt(A, LATER, OK)
    log += attempt(A, LATER, REFUSAL, to="bob@corp.example", status="bounced")
    log += attempt(A, LATER, "connect to mx.corp.example[198.51.100.10]:25: Connection refused", to="eve@corp.example",
                   status="deferred", relay="none")  # fmt: skip
    log += at("2026-11-27 05:01:40", "out1", "qmgr[3]", f"{A}: from=<{FROM}>, status=expired, returned to sender")
    states = {name: state(log, f"{name}@corp.example") for name in ("anna", "bob", "eve")}
    assert states == {"anna": State.HANDED_OVER, "bob": State.REFUSED, "eve": State.EXPIRED}


def test_the_expiry_of_one_entry_does_not_end_what_was_handed_on() -> None:
    log = arrival(A, "05:01:38", nrcpt=2) + arrival(B, "05:01:39", client=BACK)
    log += attempt(A, LATER, f"250 2.0.0 Ok: queued as {B}", relay=FILTER)
    log += attempt(A, LATER, "connect to 127.0.0.1[127.0.0.1]:10024: Connection refused", to="eve@corp.example",
                   status="deferred", relay="none")  # fmt: skip
    log += at("2026-11-27 05:01:40", "out1", "qmgr[3]", f"{A}: from=<{FROM}>, status=expired, returned to sender")
    assert state(log, "anna@corp.example") is State.QUEUED
    assert state(log, "eve@corp.example") is State.EXPIRED


# --- reused and equal ids ---------------------------------------------------------------------------------------------

SHORT = "7C1A02B3F4"


def test_a_reused_id_credits_nobody_with_anothers_delivery() -> None:
    log = arrival(SHORT, message_id="first@x") + attempt(SHORT, "05:00:01", REFUSAL, status="bounced")
    log += removed(SHORT, "05:00:02")
    log += arrival(SHORT, "06:00:00", message_id="second@x") + attempt(SHORT, "06:00:01", OK, to="bob@corp.example")
    message, delivery = one(log, "anna@corp.example")
    assert (message.message_id, delivery.state) == ("first@x", State.REFUSED)
    assert one(log, "bob@corp.example")[0].message_id == "second@x"


def test_a_reused_id_without_a_line_of_arrival_is_another_message() -> None:
    """Notices and forwarded mail come from inside: Postfix logs no client for them."""
    log = arrival(SHORT, message_id="first@x") + attempt(SHORT, "05:00:01", REFUSAL, status="bounced")
    log += removed(SHORT, "05:00:02")
    log += at("06:00:00", "out1", "cleanup[2]", f"{SHORT}: message-id=<notice@out1>") + "\n"
    log += at("06:00:00", "out1", "qmgr[3]", f"{SHORT}: from=<>, size=500, nrcpt=1 (queue active)") + "\n"
    log += attempt(SHORT, "06:00:01", OK)
    first, second = ask(log, "anna@corp.example")
    assert [m.deliveries[0].state for m in (first, second)] == [State.REFUSED, State.HANDED_OVER]
    assert [m.message_id for m in (first, second)] == ["first@x", "notice@out1"]


def test_a_log_that_begins_within_a_message_lends_it_nothing_of_the_next() -> None:
    log = attempt(SHORT, "04:59:59", REFUSAL, status="bounced")
    log += arrival(SHORT, message_id="second@x", subject="Invoice") + attempt(SHORT, "05:00:01", OK)
    first, second = ask(log, "anna@corp.example")
    assert (first.message_id, first.subject, first.deliveries[0].state) == (None, None, State.REFUSED)
    assert (second.message_id, second.deliveries[0].state) == ("second@x", State.HANDED_OVER)


def test_rotated_files_given_newest_first() -> None:
    older = arrival(SHORT, message_id="first@x", subject="First")
    older += attempt(SHORT, "05:00:01", "connect to a[198.51.100.10]:25: timeout", status="deferred", relay="none")
    newer = attempt(SHORT, "05:30:00", REFUSAL, status="bounced") + removed(SHORT, "05:30:00")
    newer += arrival(SHORT, "06:00:00", message_id="second@x")
    newer += attempt(SHORT, "06:00:01", OK, to="bob@corp.example")
    for files in ((older, newer), (newer, older)):
        message, delivery = one(files, "anna@corp.example")
        assert (message.subject, delivery.state, len(delivery.attempts)) == ("First", State.REFUSED, 2)


def test_one_short_id_on_two_hosts_of_one_syslog() -> None:
    log = arrival(SHORT, message_id="first@x") + arrival(SHORT, host="out2", message_id="second@x")
    log += attempt(SHORT, "05:00:01", OK, host="out2", to="bob@corp.example")
    log += attempt(SHORT, "05:00:01", REFUSAL, status="bounced")
    message, delivery = one(log, "anna@corp.example")
    assert (message.message_id, delivery.state) == ("first@x", State.REFUSED)


def test_one_id_in_two_logs_is_two_messages() -> None:
    logs = {
        "a": arrival(SHORT, message_id="first@x") + attempt(SHORT, "05:00:01", REFUSAL, status="bounced"),
        "b": arrival(SHORT, message_id="second@x") + attempt(SHORT, "05:00:01", OK, to="bob@corp.example"),
    }
    assert state(logs, "anna@corp.example") is State.REFUSED
    assert [m.message_id for m in ask(logs, "anna@corp.example")] == ["first@x"]


def test_two_copies_of_a_log_with_a_reused_id() -> None:
    log = arrival(SHORT, message_id="first@x") + attempt(SHORT, "05:00:01", REFUSAL, status="bounced")
    log += removed(SHORT, "05:00:02")
    log += (
        arrival(SHORT, "06:00:00", message_id="second@x") + attempt(SHORT, "06:00:01", OK) + removed(SHORT, "06:00:02")
    )
    told = [(m.message_id, len(m.deliveries[0].attempts)) for m in ask((log, log, log), "anna@corp.example")]
    assert told == [("first@x", 1), ("second@x", 1)]


def test_a_mail_to_very_many_in_two_copies_of_a_log_is_told_once() -> None:
    log = arrival(SHORT, nrcpt=200)
    log += "".join(attempt(SHORT, "05:00:01", OK, to=f"user{n}@corp.example") for n in range(200))
    log += removed(SHORT, "05:00:01")
    assert len(one((log, log), "user7@corp.example")[1].attempts) == 1


def test_the_same_refusal_twice_in_one_file_happened_twice() -> None:
    once = attempt(SHORT, "05:00:01", "connect to a[198.51.100.10]:25: x", status="deferred", relay="none")
    log = arrival(SHORT) + once + once.replace("smtp[4]", "smtp[5]")
    assert len(one((log, log), "anna@corp.example")[1].attempts) == 2


# --- hand-over between our own queues ---------------------------------------------------------------------------------


def filtered(
    *, back_from: str = BACK, relay: str = FILTER, message_id: str = "INV-1@hosting.example", **more: str
) -> str:
    log = arrival(A, "05:01:38") + arrival(B, "05:01:39", client=back_from, message_id=message_id)
    log += attempt(A, LATER, f"250 2.0.0 Ok: queued as {B}", relay=relay) + removed(A, LATER)
    return log + attempt(B, "05:01:41", REFUSAL, status="bounced", **more) + removed(B, "05:01:41")


def test_a_filters_word_gives_way_to_what_came_of_it() -> None:
    message, delivery = one(filtered(), "anna@corp.example")
    assert [s.tie for s in message.stays] == [Tie.FIRST, Tie.QUEUED_AS]
    assert delivery.state is State.REFUSED


def test_a_filter_on_another_machine_of_our_network() -> None:
    log = filtered(relay="filter[10.0.0.5]:10024", back_from="filter[10.0.0.5]")
    assert state(log, "anna@corp.example") is State.REFUSED


def test_a_filter_with_a_public_address_is_believed_where_configuration_names_it() -> None:
    log = filtered(relay="filter.hosting.example[203.0.113.5]:25", back_from="filter.hosting.example[203.0.113.5]")
    own = Own(networks=(ip_network("203.0.113.0/24"),))
    assert [m.queue_ids for m in ask(log, "anna@corp.example")] == [(A,), (B,)]
    assert state(log, "anna@corp.example", own) is State.REFUSED


def test_a_receiver_cannot_point_at_another_message_of_ours() -> None:
    """Its owner knows the Message-ID, can send us a message with the same one, and may answer what he likes."""
    log = filtered(relay="mx.corp.example[198.51.100.10]:25", back_from="mx.corp.example[198.51.100.10]")
    message, delivery = ask(log, "anna@corp.example")[0], ask(log, "anna@corp.example")[0].deliveries[0]
    assert message.queue_ids == (A,)
    assert delivery.state is State.HANDED_OVER


def test_a_receiver_cannot_lend_the_notice_to_others() -> None:
    log = filtered(
        relay="mx.corp.example[198.51.100.10]:25", back_from="mx.corp.example[198.51.100.10]", to="victim@gmail.example"
    )
    (message,) = ask(log, "victim@gmail.example")
    assert message.queue_ids == (B,)


def test_a_hand_over_is_of_one_recipient() -> None:
    """What came back from the filter was for somebody else."""
    log = filtered(to="victim@gmail.example")
    assert state(log, "anna@corp.example") is State.HANDED_OVER
    assert [m.queue_ids for m in ask(log, "victim@gmail.example")] == [(B,)]


def test_another_message_id_is_another_message() -> None:
    first, second = ask(filtered(message_id="other@hosting.example"), "anna@corp.example")
    assert [first.deliveries[0].state, second.deliveries[0].state] == [State.HANDED_OVER, State.REFUSED]


def test_one_arrival_has_one_hand_over() -> None:
    """A receiver names the queue id that a message of his own got: its true hand-over names it too."""
    log = {
        "a": arrival(A, "05:01:38")
        + attempt(A, "05:01:42", f"250 2.0.0 Ok: queued as {C}")
        + arrival(B, "05:01:39")
        + attempt(B, LATER, f"250 2.0.0 Ok: queued as {C}", relay="relay2.hosting.example[203.0.113.27]:25"),
        "b": arrival(C, "05:01:39", host="relay2", client="out1.hosting.example[203.0.113.25]")
        + attempt(C, "05:01:43", REFUSAL, status="bounced", host="relay2"),
    }
    assert {m.queue_ids: m.deliveries[0].state for m in ask(log, "anna@corp.example")} == {
        (A,): State.HANDED_OVER,
        (B,): State.HANDED_OVER,
        (C,): State.REFUSED,
    }


def two_hosts(client: str, *, when: str = "05:01:39", host: str = "out1") -> dict[str, str]:
    return {
        "a": arrival(A, "05:01:38", host=host)
        + attempt(A, LATER, f"250 2.0.0 Ok: queued as {B}", relay="relay2.hosting.example[203.0.113.27]:25", host=host),
        "b": arrival(B, when, host="relay2", client=client)
        + attempt(B, "05:01:43", REFUSAL, status="bounced", host="relay2"),
    }


@pytest.mark.parametrize("host", ["out1", "out1.hosting.example"])
def test_the_second_hosts_log_goes_on_with_the_story(host: str) -> None:
    message, delivery = one(two_hosts("out1.hosting.example[203.0.113.25]", host=host), "anna@corp.example")
    assert message.queue_ids == (A, B)
    assert [s.log for s in message.stays] == ["a", "b"]
    assert delivery.state is State.REFUSED
    assert delivery.attempts[0].followed_to == B


@pytest.mark.parametrize(
    ("client", "host"),
    [
        ("mail.stranger.example[198.51.100.66]", "out1"),
        ("unknown[198.51.100.66]", "out1"),
        ("out1.stranger.example[198.51.100.66]", "out1.hosting.example"),
    ],
)
def test_a_second_host_that_had_it_from_a_stranger(client: str, host: str) -> None:
    told = {m.queue_ids for m in ask(two_hosts(client, host=host), "anna@corp.example")}
    assert told == {(A,), (B,)}


def test_a_second_host_long_after() -> None:
    told = {
        m.queue_ids for m in ask(two_hosts("out1.hosting.example[203.0.113.25]", when="06:01:39"), "anna@corp.example")
    }
    assert told == {(A,), (B,)}


def test_a_foreign_id_that_equals_one_of_ours() -> None:
    log = arrival("6AAAAAAAAA") + attempt("6AAAAAAAAA", "05:00:01", f"250 2.0.0 Ok: queued as {SHORT}")
    log += arrival(SHORT, "05:00:00", message_id="other@x") + attempt(
        SHORT, "05:00:05", REFUSAL, to="bob@corp.example", status="bounced"
    )
    message, delivery = one(log, "anna@corp.example")
    assert (message.queue_ids, delivery.state) == (("6AAAAAAAAA",), State.HANDED_OVER)


def test_requeued_twice() -> None:
    wait = "connect to mx.corp.example[198.51.100.10]:25: Connection refused"
    log = arrival(A, "05:01:38") + attempt(A, LATER, wait, status="deferred", relay="none")
    log += at("05:02:00", "out1", "postsuper[8]", f"{A}: requeued") + "\n"
    for old, new in ((A, B), (B, C)):
        log += at("05:02:01", "out1", "pickup[6]", f"{new}: uid=106 from=<{FROM}> orig_id={old}") + "\n"
        log += at("05:02:01", "out1", "cleanup[2]", f"{new}: message-id=<INV-1@hosting.example>") + "\n"
        if new is B:
            log += attempt(B, "05:02:02", wait, status="deferred", relay="none")
            log += at("05:03:00", "out1", "postsuper[8]", f"{B}: requeued") + "\n"
    waiting = one(log, "anna@corp.example")
    assert waiting[0].queue_ids == (A, B, C)
    log += attempt(C, "05:04:00", OK)
    message, delivery = one(log, "anna@corp.example")
    assert [s.tie for s in message.stays] == [Tie.FIRST, Tie.REQUEUED, Tie.REQUEUED]
    assert (delivery.state, len(delivery.attempts)) == (State.HANDED_OVER, 3)


def test_a_requeue_names_an_id_of_its_own_host() -> None:
    log = arrival(SHORT, host="out2", message_id="other@x") + arrival(
        "6AAAAAAAAA", "05:00:00", message_id="INV-1@hosting.example"
    )
    log += attempt(SHORT, "05:00:01", OK, to="bob@corp.example", host="out2")
    log += at("05:02:01", "out1", "pickup[6]", f"6BBBBBBBBB: uid=106 from=<{FROM}> orig_id={SHORT}") + "\n"
    log += attempt("6BBBBBBBBB", "05:02:02", REFUSAL, status="bounced")
    assert [m.queue_ids for m in ask(log, "bob@corp.example")] == [(SHORT,)]
    assert [m.queue_ids for m in ask(log, "anna@corp.example")] == [("6BBBBBBBBB",)]


def test_a_filter_that_tells_the_old_id_but_not_the_new() -> None:
    log = arrival(A, "05:01:38") + arrival(
        B, "05:01:39", client=BACK, more=f", orig_queue_id={A}, orig_client=x[192.0.2.7]"
    )
    log += attempt(A, LATER, "250 2.0.0 Ok", relay=FILTER) + attempt(B, "05:01:41", REFUSAL, status="bounced")
    message, delivery = one(log, "anna@corp.example")
    assert message.queue_ids == (A, B)
    assert delivery.state is State.REFUSED


# --- text that strangers control --------------------------------------------------------------------------------------

IMITATIONS = (
    f"{A}: to=<victim@gmail.example>, relay=mx[198.51.100.10]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent ({OK})",
    f"x from web1[192.0.2.7]; from=<{FROM}> to=<victim@gmail.example> proto=ESMTP helo=<w>",
    '=> victim@gmail.example R=dnslookup T=remote_smtp H=mx [198.51.100.10] C="250 OK"',
    "x\\n2026-11-22 05:31:28 1xV0Ah-000000000Db-0aag => victim@gmail.example R=r T=smtp H=mx [198.51.100.10]",
    "for victim@gmail.example",
)


@pytest.mark.parametrize("text", IMITATIONS)
def test_nobody_wrote_to_the_victim_on_postfix(text: str) -> None:
    log = arrival(A, "05:01:38", subject=text, message_id=text)
    log += at(LATER, "out1", "smtpd[1]", f"NOQUEUE: reject: RCPT from x[198.51.100.66]: 550 5.1.1 <b@corp.example>: {text}; "
              f"from=<e@evil.example> to=<b@corp.example> proto=ESMTP helo=<{text.replace('>', '')}>") + "\n"  # fmt: skip
    log += attempt(A, LATER, f"host mx[198.51.100.10] said: 550 {text} (in reply to RCPT TO command)", status="bounced")
    log += attempt(A, LATER, f"250 {text}", to="evil@corp.example")
    told = [m for m in ask(log, "victim@gmail.example") if m.deliveries[0].state not in (State.UNKNOWN, State.QUEUED)]
    assert told == []


@pytest.mark.parametrize("text", IMITATIONS)
@pytest.mark.parametrize(
    "place",
    [
        "H=(%s) [198.51.100.66] P=esmtp S=5",
        'H=h [198.51.100.66] P=esmtp S=5 T="%s"',
        "H=h [198.51.100.66] P=esmtp S=5 id=%s",
    ],
)
def test_nobody_wrote_to_the_victim_on_exim(text: str, place: str) -> None:
    head = "2026-11-22 05:31:27 1xV0Ah-000000000Db-0aag"
    log = f"{head} <= e@evil.example {place % text} for evil@corp.example\n"
    log += f'{head} => evil@corp.example R=r T=smtp H=mx.corp.example [198.51.100.10] C="250 {text}"\n'
    log += f"{head} ** bob@corp.example R=r T=smtp H=mx.corp.example [198.51.100.10]: SMTP error from remote mail server after RCPT TO:<bob@corp.example>: 550 {text}\n"
    assert ask(log, "victim@gmail.example") == ()


# --- states -----------------------------------------------------------------------------------------------------------

LOST = "lost connection with mx.corp.example[198.51.100.10] while sending end of data -- message may be sent more than once"
WAIT = "host mx.corp.example[198.51.100.10] said: 450 4.2.0 later (in reply to RCPT TO command)"


@pytest.mark.parametrize("end", ["", "expired", "refused", "deferred"])
def test_once_in_doubt_always_in_doubt(end: str) -> None:
    log = arrival(A, "05:01:38") + attempt(A, LATER, LOST, status="deferred")
    if end == "refused":
        log += attempt(A, "05:10:00", REFUSAL, status="bounced") + removed(A, "05:10:00")
    elif end:
        log += attempt(A, "05:10:00", WAIT, status="deferred")
    if end == "expired":
        log += at("2026-11-27 05:01:40", "out1", "qmgr[3]", f"{A}: from=<{FROM}>, status=expired, returned to sender")
    assert state(log, "anna@corp.example") is State.UNKNOWN


def test_in_doubt_then_accepted() -> None:
    log = arrival(A, "05:01:38") + attempt(A, LATER, LOST, status="deferred") + attempt(A, "05:10:00", OK)
    assert state(log, "anna@corp.example") is State.HANDED_OVER


def test_doubt_is_of_those_who_were_in_the_transaction() -> None:
    log = arrival(A, "05:01:38", nrcpt=3)
    log += attempt(A, LATER, REFUSAL, status="bounced")
    log += at(LATER, "out1", "smtp[4]", f"{A}: {LOST}") + "\n"
    log += attempt(A, LATER, WAIT, to="eve@corp.example", status="deferred")
    log += attempt(A, LATER, WAIT, to="bob@other.example", status="deferred", program="smtp[5]")
    states = [state(log, a) for a in ("anna@corp.example", "eve@corp.example", "bob@other.example")]
    assert states == [State.REFUSED, State.UNKNOWN, State.DEFERRED]


def test_accepted_then_a_notice_of_ours_about_another() -> None:
    log = (
        arrival(A, "05:01:38", nrcpt=2)
        + attempt(A, LATER, OK)
        + attempt(A, LATER, REFUSAL, to="bob@corp.example", status="bounced")
    )
    log += at(LATER, "out1", "bounce[9]", f"{A}: sender non-delivery notification: {B}") + "\n" + removed(A, LATER)
    assert state(log, "anna@corp.example") is State.HANDED_OVER


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("", State.QUEUED),
        (removed(A, LATER), State.UNKNOWN),
        (attempt(A, LATER, WAIT, status="deferred"), State.DEFERRED),
        (attempt(A, LATER, WAIT, status="deferred") + removed(A, "05:10:00"), State.UNKNOWN),
        (at(LATER, "out1", "postsuper[8]", f"{A}: removed"), State.CANCELLED),
        (at(LATER, "out1", "postsuper[8]", f"{A}: placed on hold"), State.QUEUED),
        (attempt(A, LATER, "delivers to command: /usr/bin/x", status="deliverable"), State.QUEUED),
    ],
)
def test_without_an_outcome(lines: str, expected: State) -> None:
    log = arrival(A, "05:01:38", subject="Invoice") + lines
    if "deliverable" in lines:
        assert ask(log, "anna@corp.example") == ()  # a probe is no message
        return
    _, delivery = one(log, "anna@corp.example")
    assert delivery.state is expected
    assert delivery.held is ("hold" in lines)


@pytest.mark.parametrize(("client", "held"), [("web1[192.0.2.7]", True), ("other[192.0.2.8]", False)])
def test_a_rule_that_holds_speaks_before_there_is_an_id(client: str, held: bool) -> None:
    hold = f"NOQUEUE: hold: RCPT from {client}: <anna@corp.example>: Recipient address triggers HOLD action; from=<{FROM}> to=<anna@corp.example> proto=ESMTP helo=<w>"
    log = at("05:01:38", "out1", "smtpd[1]", hold) + "\n" + arrival(A, "05:01:38", subject="Invoice")
    _, delivery = one(log, "anna@corp.example")
    assert (delivery.state, delivery.held) == (State.QUEUED, held)


def test_a_message_that_a_rule_threw_away_before_it_had_an_id_is_one_story() -> None:
    words = f"NOQUEUE: discard: RCPT from web1[192.0.2.7]: <anna@corp.example>: Recipient address triggers DISCARD action; from=<{FROM}> to=<anna@corp.example> proto=ESMTP helo=<w>"
    rule = at("05:01:38", "out1", "smtpd[1]", words) + "\n"
    message, delivery = one(rule + arrival(A, "05:01:38"), "anna@corp.example")
    assert (message.queue_ids, delivery.state) == ((A,), State.CANCELLED)
    message, delivery = one(rule, "anna@corp.example")
    assert (message.queue_ids, delivery.state) == ((), State.CANCELLED)


def test_on_hold_nothing_is_tried_again() -> None:
    log = arrival(A, "05:01:38") + attempt(A, LATER, WAIT, status="deferred")
    hold = at("05:02:00", "out1", "postsuper[8]", f"{A}: placed on hold") + "\n"
    _, delivery = one(log + hold, "anna@corp.example")
    assert (delivery.state, delivery.held) == (State.QUEUED, True)
    release = at("05:03:00", "out1", "postsuper[8]", f"{A}: released from hold")
    _, delivery = one(log + hold + release, "anna@corp.example")
    assert (delivery.state, delivery.held) == (State.DEFERRED, False)


def test_a_log_that_begins_after_the_arrival() -> None:
    message, delivery = one(attempt(A, LATER, OK) + removed(A, LATER), "anna@corp.example")
    assert (message.message_id, message.arrived, delivery.state) == (None, None, State.HANDED_OVER)


def test_lines_that_contradict_their_own_id_carry_no_claim() -> None:
    """The id was made on 22 November: a line of the 20th that says it was sent has been edited, or is another's."""
    log = arrival(A, "05:01:38") + attempt(A, "2026-11-20 05:01:40", OK)
    _, delivery = one(log, "anna@corp.example")
    assert delivery.state is State.UNKNOWN
    assert delivery.decisive and delivery.decisive.at.contradicted == A
    assert state(log + attempt(A, LATER, OK), "anna@corp.example") is State.HANDED_OVER


def test_a_clock_that_was_set_back_does_not_turn_the_story_round() -> None:
    log = (
        arrival(A, "05:01:38")
        + attempt(A, "05:30:00", WAIT, status="deferred")
        + attempt(A, "05:10:00", REFUSAL, status="bounced")
    )
    assert state(log, "anna@corp.example") is State.REFUSED


# --- several recipients, aliases --------------------------------------------------------------------------------------


def alias(*attempts: str) -> str:
    return arrival(A, "05:01:38", nrcpt=len(attempts)) + "".join(attempts)


def test_one_failing_target_is_the_alias_state_and_each_part_its_own() -> None:
    log = alias(
        attempt(A, LATER, OK, to="a1@corp.example", original="all@alias.example"),
        attempt(A, LATER, REFUSAL, to="a2@corp.example", original="all@alias.example", status="bounced"),
    )
    message, delivery = one(log, "all@alias.example")
    assert delivery.state is State.REFUSED
    assert {p.recipient: p.state for p in delivery.parts} == {
        "a1@corp.example": State.HANDED_OVER,
        "a2@corp.example": State.REFUSED,
    }
    assert delivery.decisive and delivery.decisive.recipient == "a2@corp.example"
    assert message.other_recipients == 0


def test_two_aliases_of_one_address() -> None:
    log = alias(
        attempt(A, LATER, OK, to="a1@corp.example", original="all@alias.example"),
        attempt(A, LATER, OK, to="a1@corp.example", original="sales@alias.example"),
    )
    message, delivery = one(log, "all@alias.example")
    assert (delivery.state, len(delivery.attempts), message.other_recipients) == (State.HANDED_OVER, 1, 1)


def test_an_original_in_another_case_is_no_alias() -> None:
    log = alias(attempt(A, LATER, OK, original="Anna@Corp.Example"))
    _, delivery = one(log, "anna@corp.example")
    assert (delivery.forward_paths, delivery.parts) == ((), ())


def test_a_recipient_delimiter_is_another_address() -> None:
    log = alias(attempt(A, LATER, OK, original="anna+bills@corp.example"))
    _, delivery = one(log, "anna+bills@corp.example")
    assert delivery.forward_paths == ("anna@corp.example",)
    assert state(log, "anna@corp.example") is State.HANDED_OVER


@pytest.mark.parametrize(
    "asked", [("a1@corp.example",), ("a1@corp.example", "all@alias.example"), ("bob@corp.example",)]
)
def test_others_are_counted_not_named(asked: tuple[str, ...]) -> None:
    log = alias(
        attempt(A, LATER, OK, to="a1@corp.example", original="all@alias.example"),
        attempt(A, LATER, OK, to="bob@corp.example"),
    )
    (message,) = ask(log, *asked)
    assert message.other_recipients == 1


def test_no_line_about_another_recipient_is_shown() -> None:
    head = "2026-11-22 05:31:27 1xV0Ah-000000000Db-0aag"
    log = joined(
        f"{head} <= a@hosting.example U=root P=local S=5",
        f"{head} H=mx.corp.example [198.51.100.10]: SMTP error from remote mail server after RCPT TO:<other@corp.example>: 451 later",
        f"{head} address <third@corp.example> marked delivered by root",
        f'{head} => anna@corp.example R=r T=smtp H=mx.corp.example [198.51.100.10] C="250 OK"',
        f"{head} == other@corp.example R=r T=smtp defer (-44) H=mx.corp.example [198.51.100.10]: SMTP error from remote mail server after RCPT TO:<other@corp.example>: 451 later",
    )
    message, _ = one(log, "anna@corp.example")
    assert not any(b"other@" in line.raw or b"third@" in line.raw for line in message.lines)
    assert len(message.lines) == 2


def test_the_result_of_one_transaction_is_each_recipients_own() -> None:
    log = (
        arrival(A, "05:01:38", nrcpt=2)
        + attempt(A, LATER, OK)
        + attempt(A, LATER, WAIT, to="bob@corp.example", status="deferred")
    )
    message, delivery = one(log, "bob@corp.example")
    assert [a.result for a in delivery.attempts] == [Result.DEFERRED]
    assert message.other_recipients == 1
    assert all(b"anna@" not in line.raw for line in message.lines)


def test_the_zone_of_the_asker_is_no_part_of_the_story() -> None:
    """Ids of our own decide year and zone; what ``--tz`` says is only for logs without them."""
    found = parsed(arrival(A, "05:01:38") + attempt(A, LATER, OK), "", "x.log")
    told = [resolve_times(found, TimeHints({}, timezone(timedelta(hours=h)), NOW)) for h in (-8, 8)]
    assert told[0] == told[1]


def test_a_message_handed_to_our_other_host_is_one_story_when_the_logs_are_named() -> None:
    """Exim's mainlog names no host: the NAME of ``--log NAME=PATH`` does."""
    first = """
2026-11-22 15:28:26 1xV1zw-00000r-30 <= renewals@hosting.example U=whmcs P=local S=900 id=n1@hosting.example
2026-11-22 15:28:27 1xV1zw-00000r-30 => chen@hinet.net R=smarthost T=remote_smtp H=out1.hosting.example [203.0.113.25] C="250 OK id=1xV1zw-00001a-22"
2026-11-22 15:28:27 1xV1zw-00000r-30 Completed
"""
    second = """
2026-11-22 15:28:27 1xV1zw-00001a-22 <= renewals@hosting.example H=web1.hosting.example [203.0.113.10] P=esmtp S=1000 id=n1@hosting.example
2026-11-22 15:28:28 1xV1zw-00001a-22 => chen@hinet.net R=lookuphost T=remote_smtp H=msr1.hinet.net [198.51.100.31] C="250 2.0.0 Message accepted for delivery"
2026-11-22 15:28:28 1xV1zw-00001a-22 Completed
"""
    named = {"web1.hosting.example": first, "out1.hosting.example": second}
    found = tell(resolve_times(events(named), TimeHints({}, None, NOW)), Query((Mailbox.parse("chen@hinet.net"),)))
    (message,) = found
    assert message.queue_ids == ("1xV1zw-00000r-30", "1xV1zw-00001a-22")
    (delivery,) = message.deliveries
    assert delivery.decisive
    assert str(delivery.decisive.relay) == "msr1.hinet.net [198.51.100.31]"
    # Under other names nothing shows that the client was the first host: two messages, and no guess.
    other = {"a": first, "b": second}
    assert (
        len(tell(resolve_times(events(other), TimeHints({}, None, NOW)), Query((Mailbox.parse("chen@hinet.net"),))))
        == 2
    )


# --- which way round --------------------------------------------------------------------------------------------------


def test_an_export_with_its_newest_line_first_tells_the_same_story() -> None:
    log = (
        arrival(A, "05:01:38")
        + attempt(A, "05:02:00", WAIT, status="deferred")
        + attempt(A, "05:30:00", REFUSAL, status="bounced")
    )
    turned = "\n".join(reversed(log.strip("\n").split("\n")))
    assert state(turned, "anna@corp.example") is State.REFUSED
    message, delivery = one(turned, "anna@corp.example")
    assert [a.result for a in delivery.attempts] == [a.result for a in one(log, "anna@corp.example")[1].attempts]
    assert message.arrived == one(log, "anna@corp.example")[0].arrived


# --- our own rules ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("discard: header Subject: x from web1[192.0.2.7]; from=<a@b.example> to=<anna@corp.example> proto=ESMTP helo=<w>: quietly", State.CANCELLED),
        ("discard: body x from web1[192.0.2.7]; from=<a@b.example> to=<anna@corp.example> proto=ESMTP helo=<w>: quietly", State.CANCELLED),
        ("hold: body x from web1[192.0.2.7]; from=<a@b.example> to=<anna@corp.example> proto=ESMTP helo=<w>: look", State.QUEUED),
        ("reject: body x from web1[192.0.2.7]; from=<a@b.example> to=<anna@corp.example> proto=ESMTP helo=<w>: 5.7.1 no", State.REFUSED),
    ],
)  # fmt: skip
def test_what_a_rule_of_ours_did_is_found_by_the_recipient_it_names(words: str, expected: State) -> None:
    log = (
        at("05:01:38", "out1", "smtpd[1]", f"{A}: client=web1[192.0.2.7]")
        + "\n"
        + at("05:01:38", "out1", "cleanup[2]", f"{A}: {words}")
    )
    _, delivery = one(log, "anna@corp.example")
    assert delivery.state is expected
    assert delivery.held is (expected is State.QUEUED)


def test_retries_that_ran_out_are_an_expiry() -> None:
    log = joined(
        "2026-11-22 05:31:27 1xV0Ah-000000000Db-0aag <= a@hosting.example U=root P=local S=5 for anna@corp.example",
        "2026-11-26 05:31:28 1xV0Ah-000000000Db-0aag ** anna@corp.example R=dnslookup T=remote_smtp: retry time not reached for any host after a long failure period",
        "2026-11-26 05:31:28 1xV0Ah-000000000Db-0aag Completed   ",
    )
    assert state(log, "anna@corp.example") is State.EXPIRED
