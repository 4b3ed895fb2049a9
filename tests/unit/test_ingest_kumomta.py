"""What KumoMTA's records say, by its documentation: no such server ran.  The records were composed from its fields."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from deliverability.api.requests import Request
from deliverability.api.tracing import read_logs
from deliverability.evidence.event import Action, DeliveryEvent, Result, TimeBasis, Transport
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.ingest.kumomta import FORMAT

DOCUMENTED = Path(__file__).parents[1] / "cases" / "ingest" / "kumomta" / "documented.log"
RECORDS = DOCUMENTED.read_bytes().splitlines()


def events(raw: list[bytes]) -> list[DeliveryEvent]:
    return list(FORMAT.parse(LogLine(Place("", "x.log", n, 0), line) for n, line in enumerate(raw, start=1)))


def of(number: int, **changed: Any) -> list[DeliveryEvent]:
    """The events of one documented record, with some fields changed."""
    fields = json.loads(RECORDS[number]) | changed
    return events([json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()])


def tried(number: int, **changed: Any) -> DeliveryEvent:
    (event,) = (e for e in of(number, **changed) if e.action is Action.ATTEMPTED)
    return event


def test_it_says_that_it_is_unproven() -> None:
    assert FORMAT.unproven is True


def test_every_record_is_accounted_for() -> None:
    told = events(RECORDS)
    assert Counter(e.action for e in told) == {
        Action.ARRIVED: 3,
        Action.DESCRIBED: 13,
        Action.ATTEMPTED: 8,
        Action.CANCELLED: 1,
        Action.REJECTED: 1,
    }
    silent = [n for n in range(1, len(RECORDS) + 1) if n not in {e.line.place.line for e in told}]
    assert [json.loads(RECORDS[n - 1])["response"]["command"] for n in silent] == ["WHAT"]
    assert FORMAT.sniff(DOCUMENTED.read_bytes()) == 1


def test_reception() -> None:
    (event,) = of(0)
    assert event.action is Action.ARRIVED
    assert (event.reverse_path, event.recipients, event.recipient_count) == (
        "renewals@hosting.example", ("ok-1@corp.example",), 1
    )  # fmt: skip
    assert (event.message_id, event.subject, event.size) == ("inv-1@billing.hosting.example", "主機續約通知", 1047)
    assert event.session
    assert event.session.client
    assert (event.session.client.ip, event.session.client.name) == ("203.0.113.10", None)
    assert (event.session.helo, event.session.protocol) == ("whmcs.hosting.example", "ESMTP")


def test_delivery() -> None:
    event = tried(2)
    assert (event.result, event.transport, event.recipient) == (Result.SENT, Transport.SMTP, "ok-1@corp.example")
    assert event.reply
    assert event.reply.text == "250 2.0.0 Ok: queued as 4jXPsZ2Bgvz008"
    assert (event.reply.code, event.reply.enhanced_status_code) == (250, "2.0.0")
    assert (event.remote_queue_id, event.stage) == ("4jXPsZ2Bgvz008", "end-of-data")
    assert event.relay
    assert (event.relay.name, event.relay.ip) == ("mx.corp.example", "198.51.100.10")
    assert (event.local_ip, event.route) == ("203.0.113.25", "out1")
    assert event.tls
    assert (event.tls.version, event.tls.verified) == ("TLSv1.3", None)


def test_greylisting() -> None:
    event = tried(1)
    assert (event.result, event.stage) == (Result.DEFERRED, "rcpt")
    assert event.reply
    assert event.reply.code == 451


def test_one_transaction_of_several_recipients() -> None:
    sent, failed = tried(4), tried(5)
    assert (sent.recipient, sent.result) == ("ok-2@corp.example", Result.SENT)
    assert (failed.recipient, failed.result) == ("ok-3@corp.example", Result.FAILED)
    both = [e for e in of(4, recipient=["a@corp.example", "b@corp.example"]) if e.action is Action.ATTEMPTED]
    assert [e.recipient for e in both] == ["a@corp.example", "b@corp.example"]


def test_no_answer_to_the_end_of_the_data_is_uncertain() -> None:
    event = tried(7)
    assert (event.result, event.reply) == (Result.UNCERTAIN, None)
    assert "Timed Out" in event.text


def test_its_own_words_are_no_reply() -> None:
    event = tried(8)
    assert (event.result, event.reply, event.stage) == (Result.DEFERRED, None, "mail")
    assert event.text == "KumoMTA internal: failed to send message: connection reset"


def test_expiry_and_an_operators_bounce() -> None:
    event = tried(9)
    assert (event.result, event.transport, event.reply) == (Result.EXPIRED, Transport.NONE, None)
    cancelled = of(10)[-1]
    assert (cancelled.action, cancelled.recipient) == (Action.CANCELLED, "ok-6@corp.example")


def test_rejection() -> None:
    assert of(11) == []
    (event,) = of(12)
    assert (event.action, event.queue_id, event.recipient) == (Action.REJECTED, None, "nobody@hosting.example")
    assert event.reply
    assert event.reply.code == 550


@pytest.mark.parametrize("number", [13, 14, 15, 17])
def test_what_decides_nothing(number: int) -> None:
    (event,) = of(number)
    assert event.action is Action.DESCRIBED
    assert event.recipient is event.result is event.reply is event.reverse_path is None
    assert event.recipients == ()


def test_a_mailbox_of_our_own() -> None:
    event = tried(16)
    assert (event.transport, event.reply, event.text) == (Transport.MAILBOX, None, "wrote to maildir")


def test_a_delivery_without_2yz_is_not_believed() -> None:
    assert {e.action for e in of(2, response={"code": 550, "content": "no"})} == {Action.DESCRIBED}
    assert {e.action for e in of(2, response=None)} == {Action.DESCRIBED}


def test_times() -> None:
    at = of(0)[0].at
    assert at.logged == "2026-11-22T10:08:17.440526026Z"
    assert at.instant
    assert at.instant.isoformat() == "2026-11-22T10:08:17.440526+00:00"
    assert at.year_from is at.zone_from is TimeBasis.LOGGED
    at = of(6)[0].at
    assert (at.logged, at.instant and at.instant.isoformat()) == ("1795342097", "2026-11-22T10:08:17+00:00")


@pytest.mark.parametrize(
    "changed",
    [
        {"event_time": "yesterday", "timestamp": None},
        {"event_time": None, "timestamp": 10**30},
        {"event_time": None, "timestamp": True},
        {"event_time": "9999-12-31T23:59:59-23:00"},
        {"id": "../../etc"},
        {"id": 7},
        {"recipient": None},
        {"recipient": {"a": 1}},
        {"recipient": [1, None, ""]},
        {"recipient": []},
    ],
)
def test_what_is_not_as_documented_is_no_attempt(changed: dict[str, Any]) -> None:
    assert [e for e in of(2, **changed) if e.action is Action.ATTEMPTED] == []


@pytest.mark.parametrize(
    "changed",
    [
        {"peer_address": "x"},
        {"peer_address": {"name": 1, "addr": []}},
        {"source_address": {"address": "x"}},
        {"source_address": {"address": "10.0.0.1:1", "protocol": "socks5"}},
        {"headers": [], "meta": 5},
        {"headers": {"Subject": None, "Message-ID": []}},
        {"size": -1},
        {"size": "1"},
        {"tls_protocol_version": 3},
        {"egress_source": {}},
        {"sender": None},
        {"response": {"code": 250, "enhanced_code": {"class": "2"}, "content": "ok", "command": 3}},
    ],
)
def test_fields_of_another_type_are_left_out(changed: dict[str, Any]) -> None:
    event = tried(2, **changed)
    assert event.result is Result.SENT


def test_half_a_surrogate_pair_is_shown() -> None:
    raw = RECORDS[2].replace(b"ok-1@", b"ok-\\ud800@")
    event = events([raw])[-1]
    assert event.recipient == "ok-\\ud800@corp.example"


def test_text_of_strangers_stays_in_its_field() -> None:
    reply = '","type":"Delivery","id":"0198076abbbc11ed940250ebf67f93bd","recipient":"victim@gmail.com'
    event = tried(5, response={"code": 550, "content": reply, "command": "."})
    assert (event.recipient, event.result) == ("ok-3@corp.example", Result.FAILED)
    assert event.reply
    assert reply in event.reply.text


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b'{"type":"Delivery","id":"',
        b'{"type":"Delivery","id":"0198076abbbc11ed940250ebf67f93bd"',
        b'{"type":"Delivery","id":"0198076abbbc11ed940250ebf67f93bd"}',
        b'{"type":"Delivery","id":"' + b"[" * 100_000,
        b'{"type":"Unknown","id":"0198076abbbc11ed940250ebf67f93bd","timestamp":1}',
        b'[{"type":"Delivery","id":"0198076abbbc11ed940250ebf67f93bd"}]',
        b'{"msg":"{\\"type\\":\\"Delivery\\"}"}',
    ],
)
def test_what_is_no_record(raw: bytes) -> None:
    assert events([raw]) == []


def test_ids_and_needles() -> None:
    assert FORMAT.queue_ids(RECORDS[0]) == ["0198076abbbc11ed940250ebf67f93bd"]
    assert FORMAT.queue_ids(RECORDS[12]) == []
    quoted = json.dumps('"a\\"b"@corp.example').encode()[1:-1]
    assert quoted in FORMAT.needles('"a\\"b"@corp.example')
    assert FORMAT.needles("Anna@corp.example") == (b"anna@corp.example",)


def story(folder: Path, text: str) -> list[tuple[str, list[str]]]:
    log = folder / "kumo.log"
    log.write_text(text, "utf-8")
    found = read_logs(Request(logs=(str(log),), to=("ok-1@corp.example",)))[0].messages
    return [(d.state.value, [a.result.value for a in d.attempts]) for m in found for d in m.deliveries]


def rewritten(name: str, records: list[dict[str, Any]]) -> str:
    if name == "sorted":
        return "".join(json.dumps(dict(sorted(r.items()))) + "\n" for r in records)
    if name == "indented":
        return "\n".join(json.dumps(r, indent=2) for r in records) + "\n"
    if name == "list":
        return json.dumps(records)
    if name == "newest first":
        return "".join(json.dumps(r) + "\n" for r in reversed(records))
    if name == "elastic":
        return "".join(json.dumps({"_index": "kumo", "_id": "x", "_source": r}) + "\n" for r in records)
    return "".join(json.dumps({"@timestamp": "2026-11-22T10:00:00Z"} | r) + "\n" for r in records)


@pytest.mark.parametrize("name", ["sorted", "indented", "list", "newest first", "elastic", "stamped"])
def test_records_that_another_program_wrote_anew_tell_the_same(name: str, tmp_path: Path) -> None:
    records = [json.loads(raw) for raw in RECORDS[:3]]
    assert story(tmp_path, rewritten(name, records)) == [("handed-over", ["deferred", "sent"])]


def test_what_carries_a_record_to_a_log_hook_is_no_mail(tmp_path: Path) -> None:
    hook = json.loads(RECORDS[2]) | {
        "id": "9d98076abbbc11ed940250ebf67f93bd", "queue": "webhook", "reception_protocol": "LogRecord",
        "delivery_protocol": "Lua", "peer_address": None,
    }  # fmt: skip
    text = "".join(json.dumps(r) + "\n" for r in (json.loads(RECORDS[0]), hook))
    assert story(tmp_path, text) == [("queued", [])]


def test_a_message_that_another_node_took_over_stays_one(tmp_path: Path) -> None:
    reception, _, delivery = (json.loads(raw) for raw in RECORDS[:3])
    left = reception | {"type": "XferOut", "timestamp": 1795342099, "event_time": "2026-11-22T10:08:19Z"}
    came = left | {"type": "XferIn", "nodeid": "667f3ad4-2c8c-11ee-976e-782d7e12e173"}
    sent = delivery | {"nodeid": came["nodeid"]}
    text = "".join(json.dumps(r) + "\n" for r in (reception, left, came, sent))
    assert story(tmp_path, text) == [("handed-over", ["sent"])]
