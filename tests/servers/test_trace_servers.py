"""What ``deliverability trace`` says of real servers' logs, against what was really sent and really answered."""

from itertools import groupby
from typing import Any

import pytest

pytestmark = pytest.mark.server

STATUS = {
    "delivered": 0, "accepted": 0, "refused": 1, "failed": 1, "bounced": 1, "expired": 1, "cancelled": 1,
    "handed-over": 3, "deferred": 3, "queued": 3, "unknown": 4, "not-found": 4,
}  # fmt: skip
LEVEL = {"delivered": "L3", "accepted": "L2", "handed-over": "L1"}
OTHER_FORMS = {"postfix": ("rfc3164",), "exim": ("rfc3164", "iso8601")}
IN_OTHER_FORMS = (
    "gmail",
    "greylisted",
    "no-such-user",
    "multi-line",
    "lmtp",
    "requeued",
    "expired",
    "dropped-after-dot",
)
LOGGED_ONCE = {("exim", "several")}
"""Exim asks again in the session it already has when one of several recipients is deferred, and logs it once."""
TURNED_AWAY = {"greeting-421": (None,)}
"""Stories whose host says something before any recipient is named."""


def asked(sent: dict[str, Any], recipient: str) -> list[str]:
    """The question about one recipient of one message; what our own server refused has no Message-ID in a log."""
    return ["--to", recipient] + ([] if sent["refused_here"] else ["--message-id", sent["message_id"]])


def only_delivery(answer: dict[str, Any]) -> dict[str, Any]:
    assert len(answer["messages"]) == 1, [m["message_id"] for m in answer["messages"]]
    deliveries = answer["messages"][0]["deliveries"]
    assert len(deliveries) == 1, [d["recipient"] for d in deliveries]
    return deliveries[0]


def all_attempts(delivery: dict[str, Any]) -> list[dict[str, Any]]:
    """Its attempts, and those of the addresses that an alias led to."""
    return [*delivery["attempts"], *(a for part in delivery.get("parts") or [] for a in all_attempts(part))]


def reached_receiver(attempt: dict[str, Any], record: dict[str, Any]) -> bool:
    return bool(attempt["relay"]) and attempt["relay"]["ip"] == record["ip"]


def says(attempt: dict[str, Any], record: dict[str, Any], mta: str) -> None:
    """The attempt, as the log told it, is what the receiving server recorded."""
    assert attempt["relay"]["ip"] == record["ip"]
    if mta == "postfix":
        assert attempt["relay"]["port"] == record["port"]
    elif attempt["local_ip"] is not None or record["code"] == 250:
        assert attempt["local_ip"] == record["peer"]
    reply = attempt["reply"]
    if record["code"] == 0:  # the connection was dropped without a word
        assert reply is None
        assert attempt["result"] == "uncertain"
        return
    assert reply["code"] == record["code"]
    assert (reply["enhanced_status_code"] or "") == record["status"]
    for line in record["text"].split("\n"):
        if record["port"] != 2424:  # LMTP names the recipient in each of its replies
            assert line in " ".join(reply["text"]) if isinstance(reply["text"], list) else line in reply["text"]
    # Exim writes no X= on a deferral, so the absence of TLS says nothing there.
    if mta == "postfix" or record["code"] != 450:
        assert bool(attempt["tls"]) == bool(record["tls"])
    if record["code"] == 250 and not record["host"].startswith("gmail"):
        assert attempt["remote_queue_id"] == record["remote"]


def test_story(world, key):
    """The state of every recipient, the exit status, and the last word of the receiving side."""
    sent = world.sent(key)
    for recipient, state in sent["expect"].items():
        log = (world.main_log, f"relay2={world.log('relay2')}") if key == "second-host" else ()
        status, answer = world.trace(*asked(sent, recipient), log=log)
        delivery = only_delivery(answer)
        assert delivery["state"] == state
        assert status == STATUS[state]
        assert delivery.get("level") == LEVEL.get(state)
        assert delivery["recipient"] == recipient
        if not sent["refused_here"]:
            message = answer["messages"][0]
            assert message["message_id"] == sent["message_id"]
            assert message["subject"] == sent["subject"]
            assert message["queue_ids"]
        records = world.records(sent["sink_rcpt"].get(recipient, recipient))
        if records:
            attempts = [a for a in all_attempts(delivery) if reached_receiver(a, records[-1])]
            says(attempts[-1], records[-1], world.mta)


def test_every_answer_is_in_the_story(world, key):
    """No reply of the receiving side is lost, doubled or told out of order."""
    sent = world.sent(key)
    for recipient in sent["expect"]:
        if sent["sink_rcpt"] or not world.records(recipient):
            continue
        ip = world.records(recipient)[-1]["ip"]
        records = [
            r for r in world.truth["records"] if r["ip"] == ip and r["rcpt"] in (recipient, *TURNED_AWAY.get(key, ()))
        ]
        log = (world.main_log, f"relay2={world.log('relay2')}") if key == "second-host" else ()
        _, answer = world.trace(*asked(sent, recipient), log=log, dns=False)
        attempts = all_attempts(only_delivery(answer))
        told = [a["reply"]["code"] if a["reply"] else 0 for a in attempts if reached_receiver(a, records[-1])]
        answered = [r["code"] for r in records]
        if (world.mta, key) in LOGGED_ONCE:
            told, answered = [[code for code, _ in groupby(codes)] for codes in (told, answered)]
        assert told == answered


@pytest.mark.parametrize("key", IN_OTHER_FORMS)
def test_other_log_forms_tell_the_same(world, key):
    """Syslog with and without a year says what the main log says, and the times agree."""
    sent = world.sent(key)
    recipient, state = next(iter(sent["expect"].items()))
    _, main = world.trace(*asked(sent, recipient))
    for form in OTHER_FORMS[world.mta]:
        status, answer = world.trace(*asked(sent, recipient), log=(world.log(form),))
        delivery = only_delivery(answer)
        assert delivery["state"] == state, form
        assert status == STATUS[state]
        assert [a["reply"] for a in delivery["attempts"]] == [a["reply"] for a in only_delivery(main)["attempts"]]
        times = zip(delivery["attempts"], only_delivery(main)["attempts"], strict=True)
        assert all(second(a) - second(b) in {-1, 0, 1} for a, b in times), form


def second(attempt: dict[str, Any]) -> int:
    """The attempt's UTC second since the epoch."""
    from datetime import datetime

    return int(datetime.fromisoformat(attempt["at"]).timestamp())


def test_times_are_those_of_the_wall_clock(world):
    """The servers ran at Taipei time, the program at UTC: the zone comes from the log or from its ids."""
    sent = world.sent("accepted")
    _, answer = world.trace(*asked(sent, "ok-1@corp.example"))
    attempt = only_delivery(answer)["attempts"][-1]
    record = world.records("ok-1@corp.example")[-1]
    assert abs(second(attempt) - record["at"]) <= 2


@pytest.mark.parametrize("recipient", ["victim@gmail.com", "nobody@corp.example"])
def test_who_was_never_written_to_is_not_found(world, recipient):
    """A subject that imitates a log line makes no delivery (the message is that of ``imitates-a-line``)."""
    status, answer = world.trace("--to", recipient)
    assert status == STATUS["not-found"]
    assert all(d["state"] == "not-found" for m in answer["messages"] for d in m["deliveries"])
    assert answer["coverage"]["files"][0]["lines"] > 0


def test_without_names_nothing_is_accepted(world):
    """Whether a host is the recipient's MX is not in the log; offline, acceptance is a hand-over."""
    sent = world.sent("gmail")
    status, answer = world.trace(*asked(sent, "mei.lin@gmail.com"), dns=False)
    assert only_delivery(answer)["state"] == "handed-over"
    assert status == STATUS["handed-over"]


def test_the_second_host_is_not_the_recipient_on_postfix(world):
    """Our relay's 250 is a hand-over until the relay's own log is read too."""
    sent = world.sent("second-host")
    status, answer = world.trace(*asked(sent, "ok-32@twohop.example"))
    assert only_delivery(answer)["state"] == "handed-over"
    assert status == STATUS["handed-over"]


def test_the_second_hosts_own_log_is_enough_on_postfix(world):
    """Written by postlogd, in the traditional form, under the same queue id that the first host was told."""
    sent = world.sent("second-host")
    status, answer = world.trace(*asked(sent, "ok-32@twohop.example"), log=(world.log("relay2"),))
    assert only_delivery(answer)["state"] == "accepted"
    assert status == STATUS["accepted"]
    _, first = world.trace(*asked(sent, "ok-32@twohop.example"))
    assert answer["messages"][0]["queue_ids"] == [only_delivery(first)["attempts"][-1]["remote_queue_id"]]


def test_the_content_filter_is_followed_on_postfix(world):
    sent = world.sent("content-filter")
    _, answer = world.trace(*asked(sent, "ok-30@filtered.example"))
    assert len(answer["messages"][0]["queue_ids"]) == 2
    relays = [a["relay"]["ip"] for a in only_delivery(answer)["attempts"]]
    assert relays == ["127.0.0.1", "198.51.100.10"]


def test_a_requeued_message_is_one_message_on_postfix(world):
    sent = world.sent("requeued")
    _, answer = world.trace(*asked(sent, "later-1@corp.example"))
    assert len(answer["messages"][0]["queue_ids"]) == 2


def test_a_requeued_message_is_found_by_either_queue_id_on_postfix(world):
    sent = world.sent("requeued")
    _, answer = world.trace(*asked(sent, "later-1@corp.example"))
    for queue_id in answer["messages"][0]["queue_ids"]:
        status, found = world.trace("--to", "later-1@corp.example", "--queue-id", queue_id)
        assert only_delivery(found)["state"] == "accepted"
        assert status == STATUS["accepted"]


def test_the_address_behind_an_alias_is_found_too(world):
    sent = world.sent("alias")
    status, answer = world.trace(*asked(sent, "mei-50@gmail.example"))
    assert only_delivery(answer)["state"] == "accepted"
    assert status == STATUS["accepted"]


def test_a_domain_is_compared_without_case(world):
    sent = world.sent("accepted")
    status, _ = world.trace("--to", "ok-1@CORP.Example", "--message-id", sent["message_id"])
    assert status == STATUS["accepted"]


@pytest.mark.parametrize("word", ["續約通知 INV-20412", "續約通知 INV-20414"])
def test_a_decoded_subject_is_found(world, word):
    recipient = {"續約通知 INV-20412": "ok-72@corp.example", "續約通知 INV-20414": "ok-74@corp.example"}[word]
    status, answer = world.trace("--to", recipient, "--subject", word)
    assert status == STATUS["accepted"]
    assert answer["messages"][0]["subject"] == word


@pytest.mark.parametrize(("story", "to"), [("held", "held-1"), ("held-by-hand", "later-3")])
def test_a_held_message_says_so(world, story, to):
    sent = world.sent(story)
    _, answer = world.trace(*asked(sent, f"{to}@corp.example"))
    assert only_delivery(answer)["held"] is True


def test_a_refusal_of_ours_says_so(world):
    sent = world.sent("refused-by-us")
    _, answer = world.trace(*asked(sent, "blocked-1@corp.example"))
    assert only_delivery(answer)["refused_by_us"] is True


def test_other_recipients_are_not_shown(world):
    """One customer's trace of a message to four names none of the other three."""
    sent = world.sent("several")
    done = world.run(
        "trace", "--log", world.main_log, "--nameserver", world.truth["nameserver"], "--format", "json",
        *asked(sent, "ok-20@corp.example"),
    )  # fmt: skip
    text = done.stdout.decode()
    assert "ok-20@corp.example" in text
    for other in set(sent["recipients"]) - {"ok-20@corp.example"}:
        assert other not in text
