"""Every row of the fault table in docs/mailer.md, against a server that behaves so."""

import asyncio
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from smtp_peer import Peer
from tls_files import server_context

from deliverability.api import receipts
from deliverability.api.mailer import Mailer
from deliverability.api.receipts import Receipt, SendingError
from deliverability.capture.smtp_terms import Timeouts
from deliverability.evidence.recorder import Finish, Intent, Outcome, Record

DOC = Path(__file__).resolve().parents[2] / "docs/mailer.md"
PATIENT = Timeouts(connect=60, greeting=60, command=60, data=60, block=60, final=60)
WAITED_FOR = {
    "greeting": ("greeting",),
    "data": ("data",),
    "body": ("block", "final"),
    "final": ("final",),
    "quit": (),
}
"""Which time runs out where a server stalls; of a step that is not listed here, that of a command."""


def impatient(step: str) -> Timeouts:
    """Little time for the step that never ends, and plenty for the others: how busy the machine is must not matter."""
    fields = WAITED_FOR.get(step.partition(",")[0], ("command",))
    return replace(PATIENT, **dict.fromkeys(fields, 1.0))


SMALL = b"From: a@hosting.example\r\nTo: b@x.example\r\nSubject: s\r\n\r\nbody\r\n"
LARGE = SMALL + b"0123456789abcdef\r\n" * (24 << 20 >> 4)
WORDS = {"closes": "close", "resets": "reset", "stalls": "stall", "garbage": "garbage"}


class Memory:
    """Keeps records in order."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def record(self, records: "list[Record]") -> None:
        self.records += records


def rows() -> Iterator[tuple[str, str, list[str]]]:
    table = DOC.read_text(encoding="utf-8").partition("<!-- faults -->\n")[2].partition("<!-- /faults -->")[0]
    for line in table.splitlines()[2:]:
        step, does, *rest = (cell.strip() for cell in line.strip("|").split("|"))
        for one in does.split(", "):
            yield step, one, rest


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    return server_context(tmp_path_factory.mktemp("tls"))


def test_table_has_every_step() -> None:
    steps = {step.partition(",")[0] for step, _, _ in rows()}
    assert steps == {"connect", "greeting", "ehlo", "starttls", "mail", "rcpt", "data", "body", "final", "quit"}


def peer_for(step: str, does: str, tls: ssl.SSLContext, keywords: tuple[str, ...]) -> Peer:
    word = "handshake" if "handshake" in step else step.partition(",")[0]
    with_tls = tls if word in ("starttls", "handshake") else None
    if does.isdecimal():
        return Peer(says={word: f"{does} no\r\n".encode()}, keywords=keywords, tls=with_tls)
    return Peer(step=word, fault=WORDS.get(does, ""), keywords=keywords, tls=with_tls)


OFFERS = {"piped": ("PIPELINING",), "plain": (), "bdat": ("PIPELINING", "CHUNKING")}
CASES = [
    pytest.param(step, does, expected, keywords, id=f"{step}-{does}-{name}")
    for step, does, expected in rows()
    for name, keywords in OFFERS.items()
    if not (name == "bdat" and (step == "data" or does == "354"))  # BDAT has neither
]


@pytest.mark.parametrize(("step", "does", "expected", "keywords"), CASES)
def test_fault(step: str, does: str, expected: list[str], keywords: tuple[str, ...], tls: ssl.SSLContext) -> None:
    memory = Memory()

    async def go() -> Receipt | SendingError:
        async with peer_for(step, does, tls, keywords) as peer:
            relay = "127.0.0.1:9" if does == "nobody listens" else peer.relay
            content = LARGE if "still with us" in step else SMALL
            times = impatient(step) if does == "stalls" else PATIENT
            mailer = Mailer(relay, recorder=memory, timeouts=times, snapshot=False, keep_open=0)
            async with mailer:
                try:
                    return await mailer.send(content, sender="a@hosting.example", to=["b@x.example"])
                except SendingError as raised:
                    return raised

    finish, stage, raised, again, duplicates = expected
    result = asyncio.run(go())
    receipt = result.receipt if isinstance(result, SendingError) else result
    assert [type(r) for r in memory.records] == [Intent, Outcome]
    outcome = memory.records[1]
    assert isinstance(outcome, Outcome)
    assert (outcome.finish, outcome.stage) == (Finish(finish), stage), outcome
    if raised == "nothing":
        assert isinstance(result, Receipt)
    else:
        assert type(result) is getattr(receipts, raised)
    assert receipt.retryable == (("b@x.example",) if again == "yes" else ())
    assert (duplicates == "yes") == (outcome.finish in (Finish.ACCEPTED, Finish.UNCERTAIN))
    assert outcome.transcript_sha256 or (outcome.stage == "connect" and step == "connect")


def test_never_success_unless_the_server_took_it(tls: ssl.SSLContext) -> None:
    """Of all rows that record *accepted*, the server really has the message; of all that record *deferred*, it has not."""

    async def go(step: str, does: str) -> tuple[Outcome, int]:
        memory = Memory()
        async with peer_for(step, does, tls, ("PIPELINING",)) as peer:
            async with Mailer(peer.relay, recorder=memory, timeouts=PATIENT, snapshot=False, keep_open=0) as mailer:
                await mailer.send(SMALL, sender="a@hosting.example", to=["b@x.example"], check=False)
            outcome = memory.records[1]
            assert isinstance(outcome, Outcome)
            return outcome, len(peer.messages)

    for step, does, _ in rows():
        if does in ("nobody listens", "stalls") or "still with us" in step:
            continue
        outcome, taken = asyncio.run(go(step, does))
        if outcome.finish is Finish.ACCEPTED:
            assert taken == 1, (step, does)
        if outcome.finish is Finish.DEFERRED and outcome.reply is None:
            assert taken == 0, (step, does)


STEPS = ("connect", "greeting", "ehlo", "starttls", "mail", "rcpt", "data", "body", "final", "quit")


@pytest.mark.parametrize("keywords", OFFERS.values(), ids=OFFERS)
@pytest.mark.parametrize("step", STEPS)
def test_who_answers_late_has_the_message_once(step: str, keywords: tuple[str, ...], tls: ssl.SSLContext) -> None:
    memory = Memory()

    async def go() -> None:
        with_tls = tls if step == "starttls" else None
        async with Peer(step=step, fault="delay", keywords=keywords, tls=with_tls) as peer:
            async with Mailer(peer.relay, recorder=memory, timeouts=PATIENT, snapshot=False) as mailer:
                receipt = await mailer.send(SMALL, sender="a@hosting.example", to="b@x.example")
            assert set(receipt.finishes.values()) == {Finish.ACCEPTED}
            assert len(peer.messages) == 1

    asyncio.run(go())
    assert [type(r) for r in memory.records] == [Intent, Outcome]


@pytest.mark.parametrize(
    ("step", "finish"),
    [(s, Finish.UNCERTAIN if s == "final" else Finish.DEFERRED) for s in STEPS if s not in ("connect", "body", "quit")],
)
def test_octets_that_dribble_in_win_no_time(step: str, finish: Finish, tls: ssl.SSLContext) -> None:
    memory = Memory()

    async def go() -> None:
        with_tls = tls if step == "starttls" else None
        async with (
            Peer(step=step, fault="drip", tls=with_tls) as peer,
            Mailer(peer.relay, recorder=memory, timeouts=impatient(step), snapshot=False) as mailer,
        ):
            await mailer.send(SMALL, sender="a@hosting.example", to="b@x.example", check=False)

    asyncio.run(go())
    outcome = memory.records[1]
    assert isinstance(outcome, Outcome)
    assert outcome.finish is finish
