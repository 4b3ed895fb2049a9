"""Receipts, the story that records tell, and later evidence: only what is proven to be the same message counts."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from ledger_records import AT, OUTCOME, intent

from deliverability.api.observe import blocking
from deliverability.api.receipt_pages import assess_records
from deliverability.api.receipt_records import records_of
from deliverability.api.receipt_story import from_records
from deliverability.api.receipts import (
    DeferredError,
    Receipt,
    RefusedError,
    UncertainError,
    raise_unless_taken,
)
from deliverability.api.requests import Network, Request
from deliverability.api.sending import Ended, Envelope, SessionFacts, begin
from deliverability.errors import CannotLookError, ParseError, RecordingError, UsageError
from deliverability.evidence.recorder import Finish, Hop, Intent, Later, Outcome, Record
from deliverability.evidence.smtp import Host, Reply
from deliverability.evidence.story import Level, Role, State
from deliverability.ledger.log import Ledger, recorder

INTENT = intent(1)
ACCEPTED = replace(OUTCOME, dispatch=INTENT.dispatch)
OFFLINE = Request(network=Network(offline=True))


def ending(finish: Finish, code: int | None = None) -> Outcome:
    reply = Reply(code, None, f"{code} words") if code else None
    return replace(ACCEPTED, finish=finish, reply=reply, remote_queue_id=None)


def later(**other: object) -> Later:
    facts = {"dispatch": INTENT.dispatch, "at": AT, "kind": "dsn", "finish": None, "level": None, "witness": None}
    return Later(**facts | other)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outcomes", "afterwards", "state"),
    [
        ([], [], State.UNKNOWN),
        ([ACCEPTED], [], State.HANDED_OVER),
        ([ending(Finish.DEFERRED, 451)], [], State.DEFERRED),
        ([ending(Finish.REFUSED, 550)], [], State.REFUSED),
        ([ending(Finish.FAILED)], [], State.FAILED),
        ([ending(Finish.UNCERTAIN)], [], State.UNKNOWN),
        ([ending(Finish.UNKNOWN)], [], State.UNKNOWN),
        ([ending(Finish.DEFERRED, 451), ACCEPTED], [], State.HANDED_OVER),
        ([ending(Finish.UNCERTAIN), ending(Finish.DEFERRED, 451)], [], State.UNKNOWN),
        ([ACCEPTED], [later(finish=Finish.REFUSED)], State.BOUNCED),
        ([ending(Finish.REFUSED, 550)], [later(finish=Finish.REFUSED)], State.REFUSED),
        ([ACCEPTED], [later(level="delivered", witness="mx")], State.DELIVERED),
        ([ending(Finish.UNCERTAIN)], [later(level="accepted", witness="SES")], State.HANDED_OVER),
    ],
)
def test_story_of_records(outcomes: list[Outcome], afterwards: list[Later], state: State) -> None:
    message = from_records(INTENT, outcomes, afterwards)
    assert message.deliveries[0].state is state
    assert len(message.lines) == 1 + len(outcomes) + len(afterwards)
    assert message.account == "4711"


def test_others_records_are_left_out() -> None:
    assert from_records(INTENT, [replace(ACCEPTED, dispatch="f" * 32)]).deliveries[0].state is State.UNKNOWN


def test_receipt_goes_to_json_and_back() -> None:
    receipt = Receipt(intents=(INTENT,), outcomes=(ACCEPTED,), sha256="ab" * 32, advice=("a: b",))
    assert Receipt.from_json(receipt.to_json()) == receipt
    value = receipt.to_dict()
    for spoilt in ({**value, "more": 1}, {**value, "schema_version": 2}, {**value, "intents": [1]}, [], "x", None):
        with pytest.raises(ParseError):
            Receipt.from_dict(spoilt)
    for text in ("", "[" * 100_000, "x" * (5 << 20), b"\xff"):
        with pytest.raises(ParseError):
            Receipt.from_json(text)


@pytest.mark.parametrize(
    ("finishes", "kind"),
    [
        ((Finish.REFUSED,), RefusedError),
        ((Finish.FAILED,), RefusedError),
        ((Finish.DEFERRED, Finish.REFUSED), DeferredError),
        ((Finish.UNCERTAIN, Finish.DEFERRED), UncertainError),
        ((Finish.ACCEPTED, Finish.REFUSED), None),
    ],
)
def test_what_is_raised(finishes: tuple[Finish, ...], kind: type[Exception] | None) -> None:
    intents = tuple(intent(n, forward_path=f"{n}@x.example") for n in range(len(finishes)))
    outcomes = tuple(replace(ending(f), dispatch=i.dispatch) for i, f in zip(intents, finishes, strict=True))
    receipt = Receipt(intents=intents, outcomes=outcomes)
    if kind is None:
        raise_unless_taken(receipt)
    else:
        with pytest.raises(kind):
            raise_unless_taken(receipt)
    assert set(receipt.retryable) == {
        i.forward_path for i, f in zip(intents, finishes, strict=True) if f is Finish.DEFERRED
    }


def test_an_outcome_that_is_missing_is_unknown_and_not_to_be_sent_again() -> None:
    receipt = Receipt(intents=(INTENT,))
    assert receipt.state is State.UNKNOWN
    assert receipt.level is Level.NONE
    assert receipt.retryable == ()


@pytest.mark.parametrize("lang", ["en", "zh-Hant-TW"])
def test_pages(lang: str) -> None:
    for outcomes in (
        (ACCEPTED,),
        (ending(Finish.REFUSED, 550),),
        (ending(Finish.DEFERRED, 451),),
        (ending(Finish.UNCERTAIN),),
        (),
    ):
        page = Receipt(intents=(INTENT,), outcomes=outcomes).report(lang, request=OFFLINE, edition="support").decode()
        assert "chen@hinet.example" in page
        assert "續約通知" in page
    with pytest.raises(UsageError, match="another"):
        Receipt(intents=(INTENT,)).report("en", message=b"Subject: other\r\n\r\n", request=OFFLINE)
    with pytest.raises(UsageError, match="recipient="):
        Receipt(intents=(INTENT, intent(2))).report("en", request=OFFLINE)


# --- logs that come later ---------------------------------------------------------------------------------------------


def log_of(
    tmp_path: Path, *, queue_id: str = "9A1B2C3D4E", message_id: str = "a@hosting.example", status: str, at: int = 2
) -> Request:
    when = (AT + timedelta(seconds=at)).isoformat(timespec="microseconds")
    head = f"{when} relay postfix"
    lines = [
        f"{head}/smtpd[11]: {queue_id}: client=web[192.0.2.9]",
        f"{head}/cleanup[12]: {queue_id}: message-id=<{message_id}>",
        f"{head}/qmgr[13]: {queue_id}: from=<renewals@hosting.example>, size=4711, nrcpt=1 (queue active)",
        (
            f"{head}/smtp[14]: {queue_id}: to=<chen@hinet.example>, relay=msr1.hinet.example[198.51.100.31]:25,"
            f" delay=1, delays=0/0/1/0, dsn=2.0.0, {status}"
        ),
        f"{head}/qmgr[13]: {queue_id}: removed",
    ]
    path = tmp_path / "mail.log"
    path.write_text("\n".join(lines) + "\n")
    return replace(OFFLINE, logs=(str(path),), configuration=replace(OFFLINE.configuration, routed_by_mx=True))


SENT = "status=sent (250 2.0.0 OK)"
BOUNCED = (
    "status=bounced (host msr1.hinet.example[198.51.100.31] said: 550 5.1.1 no such user (in reply to RCPT TO command))"
)
RELAYED = replace(
    ACCEPTED,
    relay=Host("smtp.esp.example", "198.51.100.7", 587),
    reply=Reply(250, "2.0.0", "250 2.0.0 Ok: queued as 9A1B2C3D4E"),
    remote_queue_id="9A1B2C3D4E",
)
THROUGH = replace(INTENT, hop=Hop.RELAY, next_hop="smtp.esp.example")


def state_with(records: list[Record], request: Request) -> tuple[State, Level]:
    assessment, _ = blocking(lambda: assess_records(records, request), "report")
    assert assessment.claim is not None
    return assessment.claim.state, assessment.claim.level


def test_a_relay_s_word_is_not_the_recipient_s() -> None:
    assert state_with([THROUGH, RELAYED], OFFLINE) == (State.HANDED_OVER, Level.HANDED_OVER)
    assessment, _ = blocking(lambda: assess_records([THROUGH, RELAYED], OFFLINE), "report")
    outcomes = {v.check: v.outcome.value for v in assessment.verdicts}
    assert outcomes["spf-pass"] == "not-applicable"


@pytest.mark.parametrize("address", ["192.0.2.25", "10.1.2.3", "2001:db8::25", "fd00::25", "::ffff:10.1.2.3"])
def test_a_relay_that_is_an_address_is_a_relay_all_the_same(address: str) -> None:
    """A name is not what makes a relay one: SPF is the same question behind either (DESIGN §4.8)."""
    records: list[Record] = [replace(THROUGH, next_hop=address), replace(RELAYED, relay=Host(None, address, 25))]
    assessment, _ = blocking(lambda: assess_records(records, OFFLINE), "report")
    outcomes = {v.check: v.outcome.value for v in assessment.verdicts}
    assert outcomes["spf-pass"] == "not-applicable"
    assert assessment.claim is not None
    assert (assessment.claim.state, assessment.claim.role) == (State.HANDED_OVER, Role.INTERMEDIARY)


def test_the_relay_s_log_raises_the_claim(tmp_path: Path) -> None:
    assert state_with([THROUGH, RELAYED], log_of(tmp_path, status=SENT)) == (State.ACCEPTED, Level.ACCEPTED)


def test_the_relay_s_log_lowers_the_claim(tmp_path: Path) -> None:
    assert state_with([THROUGH, RELAYED], log_of(tmp_path, status=BOUNCED)) == (State.REFUSED, Level.NONE)


def test_another_queue_id_or_message_id_proves_nothing(tmp_path: Path) -> None:
    for other in ({"queue_id": "0000000001"}, {"message_id": "b@hosting.example"}):
        request = log_of(tmp_path, status=BOUNCED, **other)
        assert state_with([THROUGH, RELAYED], request) == (State.HANDED_OVER, Level.HANDED_OVER)


def test_what_was_uncertain_is_told_by_the_log(tmp_path: Path) -> None:
    uncertain = replace(RELAYED, finish=Finish.UNCERTAIN, reply=None, remote_queue_id=None)
    assert state_with([THROUGH, uncertain], OFFLINE)[0] is State.UNKNOWN
    assert state_with([THROUGH, uncertain], log_of(tmp_path, status=SENT)) == (State.ACCEPTED, Level.ACCEPTED)
    assert state_with([THROUGH, uncertain], log_of(tmp_path, status=SENT, at=2 * 3600))[0] is State.UNKNOWN
    assert state_with([THROUGH], log_of(tmp_path, status=SENT))[0] is State.ACCEPTED


# --- where records are found ------------------------------------------------------------------------------------------


def test_records_from_spool_ledger_and_file(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    spool = recorder(folder)
    spool.record([INTENT])
    spool.record([ACCEPTED, *(r for r in (intent(2),))])
    assert records_of(INTENT.dispatch, folder) == ((INTENT, ACCEPTED),)
    with Ledger.create(folder, "test.example/log") as ledger:
        ledger.drain(AT)
    assert records_of(INTENT.dispatch, folder) == ((INTENT, ACCEPTED),)
    spool.close()
    with Ledger.open(folder, write=True) as ledger:
        ledger.drain(AT)
    assert records_of(INTENT.dispatch, folder) == ((INTENT, ACCEPTED),)
    (unknown,) = records_of(intent(2).dispatch, folder)
    assert isinstance(unknown[1], Outcome)
    assert unknown[1].finish is Finish.UNKNOWN
    file = tmp_path / "receipt.json"
    file.write_text(Receipt(intents=(INTENT,), outcomes=(ACCEPTED,)).to_json())
    assert records_of(str(file), None) == ((INTENT, ACCEPTED),)
    with pytest.raises(UsageError):
        records_of("0" * 31 + "f", folder)
    with pytest.raises(UsageError, match="--ledger"):
        records_of(INTENT.dispatch, None)
    with pytest.raises(CannotLookError):
        records_of(str(tmp_path / "none.json"), None)


# --- the core for other mailers ---------------------------------------------------------------------------------------


class Broken:
    def record(self, records: object) -> None:
        raise RecordingError("no room")


def test_core_for_other_mailers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    envelope = Envelope(reverse_path="a@b.example", recipients=("c@d.example",), next_hop="relay", hop=Hop.RELAY)
    content = b"Message-ID: <1@b>\r\nSubject: x\r\n\r\nbody\r\n"
    spool = recorder(tmp_path)
    begun = begin(content, envelope, spool)
    (records,) = records_of(begun.intents[0].dispatch, tmp_path)
    assert [type(r) for r in records] == [Intent]
    reply = Reply(250, None, "250 OK id=1vM4qg-0000000Abc-2XyZ")
    session = SessionFacts(relay=Host("relay", "192.0.2.1", 587))
    receipt = begun.conclude([Ended(finish=Finish.ACCEPTED, stage="end-of-data", reply=reply)], session)
    assert receipt.recorded
    assert receipt.outcomes[0].remote_queue_id == "1vM4qg-0000000Abc-2XyZ"
    assert [type(r) for r in records_of(receipt.ids[0], tmp_path)[0]] == [Intent, Outcome]
    with pytest.raises(RecordingError):
        begin(content, envelope, Broken(), on_recording_failure="hold")
    unrecorded = begin(content, envelope, Broken()).conclude([Ended(finish=Finish.ACCEPTED)])
    assert not unrecorded.recorded
    assert caplog.text.count("could not be recorded") == 3
