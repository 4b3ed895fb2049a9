"""Every story of the recorded logs comes out as it was played: recipient → state, host, reply.

The logs in ``tests/cases/logs`` were written by Postfix 3.10 and Exim 4.96 and 4.98 on loopback, against receiving
servers with provider-shaped behaviour.
"""

from pathlib import Path

import pytest

from deliverability.api.requests import Request
from deliverability.api.tracing import read_logs
from deliverability.evidence.event import TimeBasis
from deliverability.evidence.story import Delivery, Message, State, Tie

LOGS = Path(__file__).parents[1] / "cases" / "logs"
POSTFIX = ("postfix/postfix-3.10.iso8601.log", "postfix/postfix-3.10.rfc3164.log")
EXIM = ("exim/4.96/mainlog", "exim/4.98-cpanel/mainlog", "exim/4.96/syslog", "exim/4.98-cpanel/syslog")
ALL = POSTFIX + EXIM

H, D, R, F, X, U, L, C = (
    State.HANDED_OVER,  # what a log alone can say of a 250 from another host
    State.DEFERRED,
    State.REFUSED,
    State.FAILED,
    State.EXPIRED,
    State.UNKNOWN,
    State.DELIVERED,
    State.CANCELLED,
)

# recipient: state by Postfix, state by Exim, code and enhanced code of the decisive reply
STORIES: dict[str, tuple[State, State, int | None, str | None]] = {
    "jo32@corp.example": (H, H, 250, "2.0.0"),
    "lena94@gmail.example": (H, H, 250, "2.0.0"),
    "gita20@outlook.example": (H, H, 250, "2.6.0"),
    "carlos21@qq.example": (H, H, 250, None),
    "ml@multiline.example": (H, H, 250, "2.0.0"),
    "y@slow.example": (H, H, 250, "2.0.0"),
    "x@fallback.example": (H, H, 250, "2.0.0"),
    "hi@hinet.example": (H, H, 250, "2.0.0"),
    "hi2@hinet.example": (H, H, 250, "2.0.0"),
    "throttle@outlook.example": (H, H, 250, "2.6.0"),
    "tss04@yahoo.example": (H, H, 250, None),
    "g1@greylist.example": (H, H, 250, "2.0.0"),
    "g2@greylist.example": (H, H, 250, "2.0.0"),
    "overquota@gmail.example": (D, X, 452, "4.2.2"),
    "nouser1@gmail.example": (R, R, 550, "5.1.1"),
    "bad1@partial.example": (R, R, 550, "5.1.1"),
    "gbk@qq.example": (R, R, 550, None),
    "unauth@gmail.example": (R, R, 550, "5.7.26"),
    "dmarc515@outlook.example": (R, R, 550, "5.7.515"),
    "s3150@outlook.example": (R, R, 550, "5.7.1"),
    "cs01@icloud.example": (R, R, 554, "5.7.1"),
    "spam@qq.example": (R, R, 550, None),
    "utfq@qq.example": (R, R, 550, None),
    "verify@eximhost.example": (R, R, 550, None),
    "ok1@partial.example": (H, H, 250, "2.0.0"),
    "ok@gmail.example": (H, H, 250, "2.0.0"),
    "c@corp.example": (H, H, 250, "2.0.0"),
    "billing@alias.example": (H, H, 250, "2.0.0"),
    "u1@hosting.example": (L, L, 250, "2.0.0"),
    "u2@hosting.example": (L, L, 250, "2.0.0"),
    "jörg@noutf8.example": (F, H, None, None),
    "info@bücher.example": (H, H, 250, "2.0.0"),
    '"odd name"@corp.example': (H, H, 250, "2.0.0"),
    "o'neil+tag=1@corp.example": (H, H, 250, "2.0.0"),
    "percent%x@corp.example": (H, H, 250, "2.0.0"),
    "never@corp.example": (H, H, 250, "2.0.0"),
    "evil@corp.example": (H, H, 250, "2.0.0"),
    "evil2@corp.example": (H, H, 250, "2.0.0"),
    "x@nosuchdomain.example": (F, F, None, None),
    "x@nullmx.example": (F, F, None, None),
    "x@missingmx.example": (F, F, None, None),
    "x@dropdata.example": (U, U, None, None),
    "blocked@corp.example": (R, R, 550, "5.7.1"),
    "held@corp.example": (H, H, 250, "2.0.0"),
    # Never reached: Postfix still tries where its log ends, Exim's retry rules were short.
    "x@refused.example": (D, X, None, None),
    "x@servfail.example": (D, X, None, None),
    "x@tlsbad.example": (H, X, 250, "2.0.0"),  # Postfix then sent it without TLS, and it was taken
    "x@banner554.example": (D, R, 554, None),  # Postfix takes a 554 greeting for temporary (smtp_skip_5xx_greeting)
    "oq@hosting.example": (D, X, 452, "4.2.2"),
    "full1@partial.example": (D, X, 452, "4.2.2"),
    "ok2@partial.example": (H, H, 250, "2.0.0"),
    "nouser@gmail.example": (R, R, 550, "5.1.1"),
    "disabled@yahoo.example": (R, R, 554, None),
    "hme1@icloud.example": (R, R, 550, "5.7.1"),
    # In Exim's run an operator marked it as delivered after two deferrals: that proves no delivery.
    "rate@gmail.example": (H, C, 250, "2.0.0"),
    "用户@utf8.example": (H, H, 250, "2.0.0"),
    "dsn@corp.example": (H, H, 250, "2.0.0"),
    "dsn@gmail.example": (H, H, 250, "2.0.0"),
    "bounceme@gmail.example": (H, H, 250, "2.0.0"),
    "nouser2@gmail.example": (R, R, 550, "5.1.1"),
}


def tell(log: str, to: str, **more: str) -> tuple[Message, ...]:
    trace, _ = read_logs(Request(logs=(str(LOGS / log),), to=(to,), **more))
    assert trace.coverage.unread == 0
    return trace.messages


def the_one(log: str, to: str) -> tuple[Message, Delivery]:
    messages = tell(log, to)
    assert len(messages) == 1, [m.queue_ids for m in messages]
    (delivery,) = messages[0].deliveries
    return messages[0], delivery


@pytest.mark.parametrize("log", ALL)
@pytest.mark.parametrize("recipient", STORIES)
def test_state_and_reply(log: str, recipient: str) -> None:
    by_postfix, by_exim, code, enhanced = STORIES[recipient]
    _, delivery = the_one(log, recipient)
    assert delivery.state is (by_postfix if log in POSTFIX else by_exim)
    reply = delivery.decisive.reply if delivery.decisive else None
    if log in EXIM and delivery.state in (State.EXPIRED, State.CANCELLED):
        return  # the last line says only that it was given up; the attempts before it hold the replies
    if code is None and log in EXIM and recipient == "jörg@noutf8.example":
        return  # Exim 4.9x sends it down-converted
    if log in EXIM and recipient == "blocked@corp.example":
        code = enhanced = None  # Exim logs the words of its own refusal, not its code
    assert (reply.code if reply else None) == code
    assert (reply.enhanced_status_code if reply else None) == enhanced


@pytest.mark.parametrize("log", ALL)
def test_nobody_wrote_to_the_victim(log: str) -> None:
    assert tell(log, "victim@gmail.example") == ()


@pytest.mark.parametrize("log", POSTFIX)
def test_a_probe_is_no_notice(log: str) -> None:
    assert tell(log, "verifyonly@corp.example") == ()


@pytest.mark.parametrize("log", ALL)
def test_one_message_id_twice_is_two_messages(log: str) -> None:
    first, second = tell(log, "dup@corp.example")
    assert first.message_id == second.message_id
    assert first.queue_ids != second.queue_ids


@pytest.mark.parametrize("log", POSTFIX)
@pytest.mark.parametrize("recipient", ["f0@gmail.example", "g5@corp.example"])
def test_the_filters_word_is_not_the_recipients(log: str, recipient: str) -> None:
    message, delivery = the_one(log, recipient)
    assert [s.tie for s in message.stays] == [Tie.FIRST, Tie.QUEUED_AS]
    through, out = delivery.attempts
    assert through.relay and through.relay.port == 10024
    assert through.followed_to == message.queue_ids[1]
    assert delivery.decisive is out
    assert out.relay and out.relay.name and out.relay.name.startswith(("gmail-smtp-in", "mx.corp"))


@pytest.mark.parametrize("log", POSTFIX)
@pytest.mark.parametrize("recipient", ["rate@gmail.example", "g1@greylist.example", "hi@hinet.example"])
def test_requeued_under_a_new_id(log: str, recipient: str) -> None:
    message, delivery = the_one(log, recipient)
    assert [s.tie for s in message.stays] == [Tie.FIRST, Tie.REQUEUED]
    assert [a.result.value for a in delivery.attempts][-1] == "sent"
    assert {a.result.value for a in delivery.attempts[:-1]} == {"deferred"}


@pytest.mark.parametrize("log", ALL)
def test_aliases_tell_each_address(log: str) -> None:
    _, delivery = the_one(log, "all@alias.example")
    assert delivery.recipient == "all@alias.example"
    assert sorted(delivery.forward_paths) == ["a1@corp.example", "a2@gmail.example", "a3@partial.example"]
    assert {p.recipient for p in delivery.parts} == set(delivery.forward_paths)


@pytest.mark.parametrize("log", ALL)
def test_seven_recipients_four_outcomes(log: str) -> None:
    states = {}
    for address in ("ok1", "ok2", "bad1", "full1"):
        states[address] = the_one(log, f"{address}@partial.example")[1].state
    states["nouser"] = the_one(log, "nouser@gmail.example")[1].state
    assert states["ok1"] is states["ok2"] is State.HANDED_OVER
    assert states["bad1"] is states["nouser"] is State.REFUSED
    assert states["full1"] is (State.DEFERRED if log in POSTFIX else State.EXPIRED)
    message, _ = the_one(log, "ok1@partial.example")
    # Other recipients' attempts are not among the lines; the arrival line names everyone, and is redacted when shown.
    arrival = {line.raw for line in message.lines if b" <= " in line.raw or b"Subject" in line.raw}
    assert not any(b"bad1@" in line.raw for line in message.lines if line.raw not in arrival)


@pytest.mark.parametrize("log", ["exim/4.98-cpanel/mainlog", *POSTFIX])
def test_our_own_server_refused_it(log: str) -> None:
    _, delivery = the_one(log, "blocked@corp.example")
    assert delivery.refused_by_us


@pytest.mark.parametrize(
    ("log", "basis"),
    [
        ("postfix/postfix-3.10.iso8601.log", TimeBasis.LOGGED),
        ("postfix/postfix-3.10.rfc3164.log", TimeBasis.QUEUE_ID),
        ("exim/4.96/mainlog", TimeBasis.QUEUE_ID),
        ("exim/4.98-cpanel/mainlog", TimeBasis.QUEUE_ID),
    ],
)
def test_year_and_zone_come_from_the_ids(log: str, basis: TimeBasis) -> None:
    _, delivery = the_one(log, "jo32@corp.example")
    assert delivery.decisive
    at = delivery.decisive.at
    assert at.zone_from is basis
    assert at.instant and at.instant.isoformat()[:10] == "2026-11-22" and at.instant.utcoffset().total_seconds() == 0


@pytest.mark.parametrize(
    "twins",
    [POSTFIX, ("exim/4.96/mainlog", "exim/4.96/syslog"), ("exim/4.98-cpanel/mainlog", "exim/4.98-cpanel/syslog")],
)
def test_twin_logs_tell_the_same(twins: tuple[str, str]) -> None:
    """Two copies of one log given together are one story, not two, in whichever order they are given."""
    for pair in (twins, twins[::-1]):
        request = Request(logs=tuple(str(LOGS / log) for log in pair), to=("jo32@corp.example",))
        (message,) = read_logs(request)[0].messages
        assert len(message.deliveries[0].attempts) == 1


@pytest.mark.parametrize("log", ALL)
def test_two_notices_to_one_address_in_another_script_stay_two(log: str) -> None:
    """In Postfix's run a second one went through the content filter."""
    found = tell(log, "jörg@utf8.example")
    assert len(found) == (2 if log in POSTFIX else 1)
    assert {d.state for m in found for d in m.deliveries} == {State.HANDED_OVER}


@pytest.mark.parametrize("log", POSTFIX)
@pytest.mark.parametrize("number", range(6))
def test_every_filtered_notice_is_told_by_its_last_hop(log: str, number: int) -> None:
    for address in (f"f{number}@gmail.example", f"g{number}@corp.example"):
        _, delivery = the_one(log, address)
        assert delivery.state is State.HANDED_OVER
        assert delivery.decisive
        assert delivery.decisive.relay
        assert delivery.decisive.relay.port == 25


@pytest.mark.parametrize("log", POSTFIX)
def test_a_header_rule_of_our_own_refused_it(log: str) -> None:
    _, delivery = the_one(log, "rej@corp.example")
    assert (delivery.state, delivery.refused_by_us) == (State.REFUSED, True)


@pytest.mark.parametrize("version", ["4.96", "4.98-cpanel"])
def test_a_message_refused_after_data_is_found_through_the_rejectlog(version: str) -> None:
    """Only the rejectlog names its recipient, on a line of its own; mainlog and rejectlog together tell it once."""
    folder = LOGS / "exim" / version
    request = Request(logs=(str(folder / "mainlog"), str(folder / "rejectlog")), to=("rej@corp.example",))
    (message,) = read_logs(request)[0].messages
    (delivery,) = message.deliveries
    assert (delivery.state, delivery.refused_by_us) == (State.REFUSED, True)


@pytest.mark.parametrize("version", ["4.96", "4.98-cpanel"])
def test_a_refusal_in_two_logs_is_one(version: str) -> None:
    folder = LOGS / "exim" / version
    request = Request(logs=(str(folder / "mainlog"), str(folder / "rejectlog")), to=("blocked@corp.example",))
    assert len(read_logs(request)[0].messages) == 1
