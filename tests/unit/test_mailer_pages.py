"""Pages from a mailer's records say nothing that only a server's log could show, in either language."""

from dataclasses import replace
from datetime import timedelta

import pytest
from ledger_records import AT, OUTCOME, intent

from deliverability.api.receipts import Receipt
from deliverability.api.requests import Network, Request
from deliverability.compose.by_mailer import _INSTEAD
from deliverability.compose.catalog import catalog
from deliverability.evidence.observation import DnsAnswer, DnsQuestion, Rcode, Record
from deliverability.evidence.recorder import Finish, Hop, Outcome
from deliverability.evidence.smtp import Host, Reply

INTENT = intent(1)
TAKEN = replace(OUTCOME, dispatch=INTENT.dispatch, local_ip="203.0.113.7", helo="out.hosting.example")
RELAYED = replace(TAKEN, relay=Host("smtp.esp.example", "192.0.2.25", 587))
MX = DnsAnswer(
    DnsQuestion("hinet.example", "MX"),
    Rcode.NOERROR,
    (Record("msr1.hinet.example", preference=10),),
    "hinet.example",
    300,
    "192.0.2.53:53",
    AT - timedelta(seconds=1),
)
OFFLINE = Request(network=Network(offline=True), now=AT + timedelta(hours=3))


def ended(finish: Finish, text: str = "", stage: str = "rcpt", **other: object) -> tuple[Outcome, ...]:
    reply = Reply(int(text[:3]), None, text) if text else None
    return (replace(TAKEN, finish=finish, stage=stage, reply=reply, remote_queue_id=None, **other),)  # type: ignore[arg-type]


SITUATIONS = {
    "accepted": (INTENT, (TAKEN,), "accepted this message on", "已收下"),
    "relay": (replace(INTENT, hop=Hop.RELAY), (RELAYED,), "We passed this message to", "smtp.esp.example"),
    "own relay": (
        replace(INTENT, hop=Hop.RELAY),
        (replace(TAKEN, relay=Host("localhost", "127.0.0.1", 25), local_ip="127.0.0.1"),),
        "passed this message to a server of ours, localhost",
        "交給我們自己的伺服器localhost",
    ),
    "deferred": (INTENT, ended(Finish.DEFERRED, "451 4.7.1 later"), "had not been accepted", "還沒有被收下"),
    "full": (INTENT, ended(Finish.DEFERRED, "452 4.2.2 mailbox full"), "had not been accepted", "還沒有被收下"),
    "unreached": (
        INTENT,
        ended(Finish.DEFERRED, stage="connect", detail="no connection"),
        "had not been accepted",
        "還沒有被收下",
    ),
    "refused": (INTENT, ended(Finish.REFUSED, "550 5.1.1 No such user"), "refused this message", "拒收這封信"),
    "failed": (
        INTENT,
        ended(Finish.FAILED, stage="connect", relay=None, detail="held back"),
        "could not be sent",
        "無法寄出",
    ),
    "crashed": (INTENT, (), "breaks off", "中途斷了"),
    "cut": (
        INTENT,
        ended(Finish.UNCERTAIN, stage="end-of-data", detail="the connection broke"),
        "We do not know whether",
        "msr1",
    ),
}
ONLY_A_LOG_SHOWS = {
    "en": (
        "our own mail server",
        "our mail server",
        "Our mail server",
        " our server",
        "log wrote",
        "log line",
        "Log line",
        "In our log",
        "in our log",
        "the log",
        "trying",
        "tries again",
        "tried again by",
        "Reached",
    ),
    "zh-Hant-TW": (
        "我們的郵件伺服器",
        "自己郵件伺服器",
        "我們的伺服器",
        "我們伺服器",
        "會自動再試",
        "會再試",
        "仍在嘗試",
    ),
}


@pytest.mark.parametrize("lang", ["en", "zh-Hant-TW"])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_nothing_that_only_a_log_could_show(situation: str, lang: str) -> None:
    sent, outcomes, *said = SITUATIONS[situation]
    receipt = Receipt(intents=(sent,), outcomes=outcomes, observations=(MX,))
    for edition in ("customer", "support"):
        page = receipt.report(lang, edition=edition, request=OFFLINE).decode()
        flat = " ".join(page.split()) if lang == "en" else "".join(page.split())
        assert said[lang != "en"] in flat
        assert [words for words in ONLY_A_LOG_SHOWS[lang] if words in flat] == []
        assert catalog(lang)("mailer.rung-taken-in") in flat


@pytest.mark.parametrize(("lang", "claim"), [("en", "ecorded before"), ("en", "Recorded by"), ("zh-Hant-TW", "寄出前")])
def test_what_was_not_recorded_is_not_said_to_have_been(lang: str, claim: str) -> None:
    receipt = Receipt(intents=(INTENT,), outcomes=(TAKEN,), observations=(MX,), recorded=False)
    for edition in ("customer", "support"):
        page = receipt.report(lang, edition=edition, request=OFFLINE).decode()
        assert claim not in (" ".join(page.split()) if lang == "en" else "".join(page.split()))


def test_what_is_replaced_and_what_replaces_it_are_there() -> None:
    for lang in ("en", "zh-Hant-TW"):
        assert not {*_INSTEAD, *_INSTEAD.values()} - set(catalog(lang).sentences)
