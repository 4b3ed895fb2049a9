"""A mailer's own list: it raises no claim, and stands beside a logged message only where one alone fits."""

from datetime import UTC, datetime, timedelta

import pytest

from deliverability.assess import claim_of
from deliverability.correlate import Query, tell
from deliverability.evidence.bundle import Evidence, Strength, Subject
from deliverability.evidence.event import Action, DeliveryEvent, LogTime, Result, Session, TimeBasis, Transport
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.names import Mailbox
from deliverability.evidence.observation import CouldNotLook, DnsQuestion, Observations, Obstacle
from deliverability.evidence.smtp import Host, Reply
from deliverability.evidence.story import Level, Message, Role, State, Tie

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TO = "chen@hinet.example"
ASKED = Query(recipients=(Mailbox.parse(TO),))


def at(seconds: float, zone: TimeBasis = TimeBasis.LOGGED) -> LogTime:
    instant = NOON + timedelta(seconds=seconds)
    return LogTime("", instant.replace(tzinfo=None), True, None, instant, TimeBasis.LOGGED, zone)


class Log:
    """Events with places of their own, as a file would give them."""

    def __init__(self, file: str, *, log: str = "", writer: str = "postfix/smtp", host: str | None = "out1") -> None:
        self.file, self.log, self.writer, self.host, self.count = file, log, writer, host, 0

    def event(self, action: Action, seconds: float, **facts: object) -> DeliveryEvent:
        self.count += 1
        line = LogLine(Place(self.log, self.file, self.count, self.count * 100), f"{self.file} {self.count}".encode())
        return DeliveryEvent(
            action=action,
            line=line,
            at=at(seconds),
            **{"writer": self.writer, "host": self.host, **facts},  # type: ignore[arg-type]
        )


def logged(log: Log, seconds: float = 0, queue_id: str = "ABC123", **more: object) -> list[DeliveryEvent]:
    reply = Reply(250, "2.0.0", "250 2.0.0 OK")
    facts: dict[str, object] = {"relay": Host("mx.hinet.example", "198.51.100.31"), "reply": reply}
    return [
        log.event(Action.ARRIVED, seconds, queue_id=queue_id),
        log.event(
            Action.DESCRIBED, seconds, queue_id=queue_id, message_id=f"{queue_id}@h", subject="Renewal", size=522
        ),
        log.event(
            Action.ATTEMPTED,
            seconds + 1,
            queue_id=queue_id,
            recipient=TO,
            result=Result.SENT,
            transport=Transport.SMTP,
            **{**facts, **more},
        ),
        log.event(Action.REMOVED, seconds + 1, queue_id=queue_id),
    ]


def row(seconds: float, subject: str = "Renewal", recipient: str = TO) -> DeliveryEvent:
    log = Log("tblemails.csv", writer="whmcs", host=None)
    return log.event(Action.RECORDED, seconds, recipient=recipient, subject=subject, account="4711")


def claim(message: Message) -> tuple[State, Level, Role, str]:
    evidence = Evidence(subject=Subject.DISPATCH, assessed_at=NOON, message=message, delivery=message.deliveries[0])
    made = claim_of(evidence)
    assert made
    return made.state, made.level, made.role, made.basis


def test_a_row_alone_is_recorded_and_no_more() -> None:
    (message,) = tell([row(0)], ASKED)
    assert message.account == "4711"
    assert claim(message) == (State.RECORDED, Level.RECORDED, Role.NONE, "mailers-list")


def test_a_row_stands_beside_the_one_message_that_fits() -> None:
    (message,) = tell([row(0), *logged(Log("mail.log"), 3)], ASKED)
    assert (message.account, len(message.recorded)) == ("4711", 1)
    assert message.deliveries[0].state is State.HANDED_OVER


@pytest.mark.parametrize(
    "odd", [row(-7200), row(7200), row(0, subject="Invoice"), row(0, recipient="other@hinet.example")]
)
def test_a_row_of_another_time_subject_or_recipient_is_another_notice(odd: DeliveryEvent) -> None:
    asked = Query(recipients=(Mailbox.parse(TO), Mailbox.parse("other@hinet.example")))
    found = tell([odd, *logged(Log("mail.log"), 0)], asked)
    assert sorted(m.deliveries[0].state for m in found) == [State.HANDED_OVER, State.RECORDED]


def test_a_row_that_fits_two_messages_is_tied_to_neither() -> None:
    log = Log("mail.log")
    found = tell([row(0), *logged(log, 1), *logged(log, 30, "DEF456")], ASKED)
    assert [len(m.recorded) for m in found if m.stays[0].queue_id] == [0, 0]
    assert sum(m.deliveries[0].state is State.RECORDED for m in found) == 1


def test_two_records_of_one_attempt_are_one_attempt() -> None:
    main, base = Log("mainlog", writer="exim", host=None), Log("eximstats.db", writer="eximstats", host=None)
    events = logged(main, 0, "1wY4Bn-000000002Kj-1abc")
    twin = base.event(
        Action.ATTEMPTED,
        2,
        queue_id="1wY4Bn-000000002Kj-1abc",
        recipient=TO,
        result=Result.SENT,
        transport=Transport.SMTP,
    )
    (message,) = tell([twin, *events], ASKED)
    assert [a.reply is not None for a in message.deliveries[0].attempts] == [True]


def test_a_retry_in_one_log_is_not_taken_for_a_second_record() -> None:
    log = Log("mail.log")
    arrived, described = logged(log)[:2]
    tries = [
        log.event(
            Action.ATTEMPTED, s, queue_id="ABC123", recipient=TO, result=Result.DEFERRED, transport=Transport.SMTP
        )
        for s in (0.1, 0.6)
    ]
    (message,) = tell([arrived, described, *tries, *logged(log)[2:]], ASKED)
    assert len(message.deliveries[0].attempts) == 3


def test_the_word_of_a_service_is_a_third_partys_record() -> None:
    (message,) = tell(logged(Log("trace.csv", writer="microsoft-365"), witness="Microsoft 365"), ASKED)
    mx = DnsQuestion("hinet.example", "MX")
    evidence = Evidence(
        subject=Subject.DISPATCH,
        assessed_at=NOON,
        message=message,
        delivery=message.deliveries[0],
        observations=Observations.of([CouldNotLook(mx, Obstacle.OFFLINE, "", "", NOON)]),
    )
    made = claim_of(evidence)
    assert made
    assert (made.strength, made.level) == (Strength.THIRD_PARTY_RECORD, Level.HANDED_OVER)


def test_what_a_signer_logged_is_told_once() -> None:
    log = Log("mail.log")
    signed = [log.event(Action.SIGNED, 0, queue_id="ABC123", signing_domain="h.example", selector="s1") for _ in "12"]
    arrived, *rest = logged(log)
    (message,) = tell([arrived, *signed, *rest], ASKED)
    assert [(s.signing_domain, s.selector) for s in message.signings] == [("h.example", "s1")]


# --- one message in two queues whose replies name no id ---


def relayed(*, size: int = 900, client: str = "out1", message_id: str = "ABC123@h") -> list[DeliveryEvent]:
    there = Log("relay.log", log="relay", host="relay")
    session = Session(client=Host(client, "203.0.113.5"))
    return [
        there.event(Action.ARRIVED, 2, queue_id="FFF999", session=session),
        there.event(Action.DESCRIBED, 2, queue_id="FFF999", message_id=message_id, size=size),
        there.event(
            Action.ATTEMPTED,
            3,
            queue_id="FFF999",
            recipient=TO,
            result=Result.SENT,
            transport=Transport.SMTP,
            relay=Host("mx.hinet.example", "198.51.100.31"),
            reply=Reply(250, None, "250 ok"),
        ),
    ]


def first_hop() -> list[DeliveryEvent]:
    return logged(Log("out.log", log="out1"), relay=Host("relay", "10.0.0.9"))


def test_host_message_id_size_recipient_and_time_together_tie() -> None:
    (message,) = tell([*first_hop(), *relayed()], ASKED)
    assert [stay.tie for stay in message.stays] == [Tie.FIRST, Tie.SAME_MAIL]
    assert message.deliveries[0].decisive and message.deliveries[0].decisive.queue_id == "FFF999"


@pytest.mark.parametrize(
    "other",
    [
        relayed(size=522),  # a hop adds its Received line
        relayed(size=99_000),
        relayed(client="stranger.example"),
        relayed(message_id="other@h"),
    ],
)
def test_one_that_does_not_fit_is_another_message(other: list[DeliveryEvent]) -> None:
    assert len(tell([*first_hop(), *other], ASKED)) == 2


def test_two_that_fit_are_both_left_alone() -> None:
    twin = [DeliveryEvent(**{f: getattr(e, f) for f in e.__slots__} | {"queue_id": "EEE888"}) for e in relayed()]
    assert len(tell([*first_hop(), *relayed(), *twin], ASKED)) == 3
