"""The recording mailer against servers on loopback, straight and through a relay."""

import asyncio
import contextlib
import hashlib
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from names import names
from smtp_peer import Peer
from tls_files import make_certificate, server_context

from deliverability.api.mailer import Mailer
from deliverability.api.mailer_gate import Preflight
from deliverability.api.receipts import DeferredError, HeldError, Receipt, RefusedError, UncertainError
from deliverability.api.requests import Network, Request
from deliverability.capture.smtp_terms import Timeouts
from deliverability.errors import RecordingError, UsageError
from deliverability.evidence.observation import DnsAnswer
from deliverability.evidence.recorder import Finish, Intent, Outcome, Record, Snapshot
from deliverability.evidence.story import Level, State

PATIENT = Timeouts(connect=60, greeting=60, command=60, data=60, block=60, final=60)
OFFLINE = Network(offline=True)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
)


def public_key() -> str:
    from base64 import b64encode

    der = KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    text = b64encode(der).decode()
    return " ".join(f'"{text[i : i + 200]}"' for i in range(0, len(text), 200))


ZONE = f"""
mx1.customer.example. 300 IN A 127.0.0.2
mx2.customer.example. 300 IN A 127.0.0.3
mx3.customer.example. 300 IN A 127.0.0.4
customer.example. 300 IN MX 10 mx1.customer.example.
other.example. 300 IN MX 10 mx2.customer.example.
three.example. 300 IN MX 10 nobody.customer.example.
three.example. 300 IN MX 20 mx1.customer.example.
three.example. 300 IN MX 30 mx2.customer.example.
equal.example. 300 IN MX 10 mx1.customer.example.
equal.example. 300 IN MX 10 mx2.customer.example.
nobody.customer.example. 300 IN A 127.0.0.9
implicit.example. 300 IN A 127.0.0.2
none.example. 300 IN MX 0 .
nowhere.example. 300 IN MX 10 nowhere.customer.example.
hosting.example. 300 IN TXT "v=spf1 ip4:127.0.0.1 -all"
_dmarc.hosting.example. 300 IN TXT "v=DMARC1; p=reject"
s1._domainkey.hosting.example. 300 IN TXT "v=DKIM1; k=rsa; p=" {public_key()}
"""


@pytest.fixture(scope="module")
def dns() -> Iterator[Network]:
    with names(ZONE) as server:
        yield Network(nameservers=(server,))


class Memory:
    def __init__(self, fails: str = "") -> None:
        self.records: list[Record] = []
        self.fails = fails

    def record(self, records: Sequence[Record]) -> None:
        if self.fails and any(type(r).__name__ == self.fails for r in records):
            raise RecordingError("no room on the disk")
        self.records += records

    def outcomes(self) -> list[Outcome]:
        return [r for r in self.records if isinstance(r, Outcome)]


def mail(to: str = "mei@customer.example", text: str = "hello\n") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Renewals <renewals@hosting.example>"
    message["To"] = to
    message["Subject"] = "續約通知"
    message.set_content(text)
    return message


def run(work: Callable[[], Awaitable[object]]) -> None:
    async def main() -> None:
        await work()

    asyncio.run(main())


# --- straight to mail exchangers --------------------------------------------------------------------------------------


def test_direct_is_accepted_and_nothing_has_to_be_looked_up_again(dns: Network) -> None:
    memory = Memory()

    async def work() -> None:
        async with Peer(host="127.0.0.2") as peer:
            async with Mailer(
                recorder=memory, network=dns, mx_port=peer.port, allow_private=True, snapshot=False
            ) as mailer:
                receipt = await mailer.send(mail(), account="4711")
            assert receipt.level is Level.ACCEPTED
            assert receipt.state is State.ACCEPTED
            assert receipt.retryable == ()
            assert peer.recipients == [[b"mei@customer.example"]]
            intent = receipt.intents[0]
            assert (intent.account, intent.next_hop) == ("4711", "mx1.customer.example")
            assert hashlib.sha256(peer.messages[0]).hexdigest() == intent.sha256 == receipt.sha256
            assert intent.size == len(peer.messages[0])
            outcome = receipt.outcomes[0]
            assert outcome.remote_queue_id == "4XyZ1234567abcd"
            assert outcome.rcpt_reply is not None
            assert str(outcome.relay).startswith("mx1.customer.example [127.0.0.2]")
            assert Receipt.from_json(receipt.to_json()) == receipt

    run(work)
    assert [type(r) for r in memory.records] == [Intent, Outcome]


@pytest.mark.parametrize(
    ("address", "finish", "told"),
    [
        ("a@none.example", Finish.FAILED, "null MX"),
        ("a@not-there.example", Finish.FAILED, "NXDOMAIN"),
        ("a@nowhere.example", Finish.FAILED, "has no address"),
        ("a@outside.test", Finish.DEFERRED, "could not be looked up"),
    ],
)
def test_nowhere_to_go(dns: Network, address: str, finish: Finish, told: str) -> None:
    memory = Memory()

    async def work() -> None:
        async with Mailer(recorder=memory, network=dns, allow_private=True, snapshot=False) as mailer:
            with pytest.raises(RefusedError if finish is Finish.FAILED else DeferredError):
                await mailer.send(mail(address))

    run(work)
    assert [(o.finish, told in o.detail) for o in memory.outcomes()] == [(finish, True)]


def test_inside_addresses_are_left_alone(dns: Network) -> None:
    memory = Memory()

    async def work() -> None:
        async with Peer(host="127.0.0.2") as peer:
            async with Mailer(recorder=memory, network=dns, mx_port=peer.port, snapshot=False) as mailer:
                for recipient in ("mei@customer.example", "mei@[127.0.0.2]", "mei@[IPv6:::1]"):
                    with pytest.raises(RefusedError, match="no public address"):
                        await mailer.send(mail(), to=recipient)
            assert peer.connections == 0

    run(work)


def test_next_exchanger_after_no_connection_and_after_421(dns: Network) -> None:
    async def work() -> None:
        async with (
            Peer(host="127.0.0.2", says={"greeting": b"421 busy\r\n"}) as first,
            Peer(host="127.0.0.3", port=first.port) as second,
        ):
            async with Mailer(
                recorder=Memory(),
                network=dns,
                mx_port=first.port,
                allow_private=True,
                timeouts=PATIENT,
                snapshot=False,
            ) as mailer:
                receipt = await mailer.send(mail("mei@three.example"))
            assert receipt.level is Level.ACCEPTED
            assert (first.connections, len(second.messages)) == (1, 1)
            assert receipt.intents[0].next_hop == "nobody.customer.example"

    run(work)


def test_equal_exchangers_share(dns: Network) -> None:
    async def work() -> None:
        async with Peer(host="127.0.0.2") as first, Peer(host="127.0.0.3", port=first.port) as second:
            async with Mailer(
                recorder=Memory(), network=dns, mx_port=first.port, allow_private=True, snapshot=False
            ) as mailer:
                for _ in range(60):
                    await mailer.send(mail("mei@equal.example"))
            assert first.messages
            assert second.messages

    run(work)


def test_implicit_exchanger(dns: Network) -> None:
    async def work() -> None:
        async with Peer(host="127.0.0.2") as peer:
            async with Mailer(
                recorder=Memory(), network=dns, mx_port=peer.port, allow_private=True, snapshot=False
            ) as mailer:
                receipt = await mailer.send(mail("mei@implicit.example"))
            assert receipt.finishes == {"mei@implicit.example": Finish.ACCEPTED}
            # By its address alone a host of 127.0.0.0/8 is nobody's exchanger.
            assert receipt.level is Level.HANDED_OVER

    run(work)


def test_two_domains_each_with_its_own_end(dns: Network) -> None:
    async def work() -> None:
        refusing = Peer(host="127.0.0.3", says={"rcpt": b"550 5.1.1 no such user\r\n"})
        async with Peer(host="127.0.0.2") as good:
            refusing.port = good.port
            async with (
                refusing,
                Mailer(recorder=Memory(), network=dns, mx_port=good.port, allow_private=True, snapshot=False) as mailer,
            ):
                receipt = await mailer.send(mail("x@other.example, mei@customer.example, lin@customer.example"))
        assert receipt.finishes == {
            "x@other.example": Finish.REFUSED,
            "mei@customer.example": Finish.ACCEPTED,
            "lin@customer.example": Finish.ACCEPTED,
        }
        assert receipt.state is State.REFUSED
        assert good.recipients == [[b"mei@customer.example", b"lin@customer.example"]]
        assert [r.level for r in receipt] == [Level.NONE, Level.ACCEPTED, Level.ACCEPTED]
        assert receipt.outcomes[0].reply is not None
        assert receipt.outcomes[0].reply.enhanced_status_code == "5.1.1"

    run(work)


# --- connections ------------------------------------------------------------------------------------------------------


def test_connections_are_reused_and_bounded() -> None:
    async def work() -> None:
        async with Peer() as peer:
            async with Mailer(peer.relay, recorder=Memory(), concurrency=3, network=OFFLINE) as mailer:
                await asyncio.gather(*(mailer.send(mail(text=str(i))) for i in range(30)))
            assert peer.most_open <= 3
            assert peer.connections <= 3
            assert len(peer.messages) == 30
            assert peer.commands[-1] == b"QUIT"

    run(work)


def test_connection_that_died_while_it_waited_is_replaced() -> None:
    async def work() -> None:
        memory = Memory()
        async with Peer(step="mail", fault="close") as peer:
            peer.faults_left = 0
            async with Mailer(peer.relay, recorder=memory, network=OFFLINE) as mailer:
                await mailer.send(mail())
                peer.faults_left = 1  # the second MAIL on the first connection finds a closed door
                await mailer.send(mail())
            assert peer.connections == 2
            assert len(peer.messages) == 2
            assert [o.finish for o in memory.outcomes()] == [Finish.ACCEPTED] * 2

    run(work)


def test_what_a_server_says_unasked_is_no_answer() -> None:
    """A 250 that comes with the 354 would be taken for the answer to the message."""

    async def work() -> None:
        memory = Memory()
        async with Peer(says={"data": b"354 go on\r\n250 2.0.0 Ok: queued as LIE\r\n"}) as peer:
            async with Mailer(peer.relay, recorder=memory, network=OFFLINE) as mailer:
                with pytest.raises(DeferredError):
                    await mailer.send(mail())
            assert peer.messages == []

    run(work)


@pytest.mark.parametrize("fault", ["huge", "endless"])
@pytest.mark.parametrize("step", ["greeting", "ehlo", "mail", "rcpt", "data", "final"])
def test_replies_without_end(step: str, fault: str) -> None:
    memory = Memory()

    async def work() -> None:
        async with (
            Peer(step=step, fault=fault) as peer,
            Mailer(peer.relay, recorder=memory, network=OFFLINE, timeouts=PATIENT) as mailer,
        ):
            await mailer.send(mail(), check=False)

    run(work)
    assert memory.outcomes()[0].finish is (Finish.UNCERTAIN if step == "final" else Finish.DEFERRED)


# --- recording --------------------------------------------------------------------------------------------------------


def test_intent_is_durable_before_the_server_is_asked_and_outcome_after_its_answer() -> None:
    seen: list[tuple[str, bool, int]] = []

    async def work() -> None:
        async with Peer() as peer:

            class Watching:
                def record(self, records: Sequence[Record]) -> None:
                    time.sleep(0.05)  # a slow disk: nobody may run ahead of it
                    seen.append((type(records[0]).__name__, b"MAIL" in peer.heard, len(peer.messages)))

            async with Mailer(peer.relay, recorder=Watching(), network=OFFLINE) as mailer:
                await mailer.send(mail())

    run(work)
    assert seen == [("Intent", False, 0), ("Outcome", True, 1)]


def test_recording_fails_and_the_message_goes_out(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        async with Peer() as peer:
            async with Mailer(peer.relay, recorder=Memory("Intent"), network=OFFLINE) as mailer:
                receipt = await mailer.send(mail())
            assert len(peer.messages) == 1
            assert not receipt.recorded

    run(work)
    assert "intents could not be recorded" in caplog.text
    assert "mei@customer.example" not in caplog.text


def test_recording_fails_and_the_message_is_held() -> None:
    async def work() -> None:
        async with Peer() as peer:
            async with Mailer(
                peer.relay, recorder=Memory("Intent"), network=OFFLINE, on_recording_failure="hold"
            ) as mailer:
                with pytest.raises(RecordingError):
                    await mailer.send(mail())
            assert peer.connections == 0

    run(work)


def test_outcome_that_cannot_be_recorded_raises_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        async with Peer() as peer:
            async with Mailer(
                peer.relay, recorder=Memory("Outcome"), network=OFFLINE, on_recording_failure="hold"
            ) as mailer:
                receipt = await mailer.send(mail())
            assert not receipt.recorded
            assert receipt.finishes == {"mei@customer.example": Finish.ACCEPTED}

    run(work)
    assert "outcomes could not be recorded" in caplog.text


def test_without_a_thread_to_be_had_it_is_recorded_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory()

    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def work() -> None:
        async with Peer() as peer, Mailer(peer.relay, recorder=memory, network=OFFLINE) as mailer:
            monkeypatch.setattr(threading.Thread, "start", none_left)
            receipt = await mailer.send(mail())
            assert receipt.recorded
            assert len(peer.messages) == 1

    run(work)
    assert [type(r) for r in memory.records] == [Intent, Outcome]


def test_cancelled_while_the_intent_is_written_nobody_was_asked() -> None:
    entered, goes_on = threading.Event(), threading.Event()

    class Slow(Memory):
        def record(self, records: Sequence[Record]) -> None:
            entered.set()
            assert goes_on.wait(60)
            super().record(records)

    memory = Slow()

    async def work() -> None:
        async with Peer() as peer:
            async with Mailer(peer.relay, recorder=memory, network=OFFLINE) as mailer:
                sending = asyncio.create_task(mailer.send(mail()))
                await asyncio.to_thread(entered.wait, 60)
                sending.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await sending
                goes_on.set()
            assert peer.messages == []

    run(work)
    assert [type(r) for r in memory.records] == [Intent, Outcome]
    assert memory.outcomes()[0].finish is Finish.DEFERRED


def test_one_record_that_cannot_be_written_takes_no_other_with_it() -> None:
    class Choosy(Memory):
        def record(self, records: Sequence[Record]) -> None:
            if any(isinstance(r, Intent) and "bad" in r.forward_path for r in records):
                raise RecordingError("not this one")
            super().record(records)

    async def work() -> None:
        async with Peer() as peer:
            async with Mailer(peer.relay, recorder=Choosy(), network=OFFLINE) as mailer:
                good, bad = await asyncio.gather(mailer.send(mail()), mailer.send(mail("bad@customer.example")))
            assert (good.recorded, bad.recorded) == (True, False)

    run(work)


def test_cancelled_after_the_end_of_data_is_uncertain_on_record() -> None:
    memory = Memory()

    async def work() -> None:
        async with (
            Peer(step="final", fault="stall") as peer,
            Mailer(peer.relay, recorder=memory, network=OFFLINE) as mailer,
        ):
            task = asyncio.create_task(mailer.send(mail()))
            while not peer.messages:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    run(work)
    assert [o.finish for o in memory.outcomes()] == [Finish.UNCERTAIN]


def test_broken_after_the_end_says_so() -> None:
    async def work() -> None:
        async with (
            Peer(step="final", fault="close") as peer,
            Mailer(peer.relay, recorder=Memory(), network=OFFLINE) as mailer,
        ):
            with pytest.raises(UncertainError) as raised:
                await mailer.send(mail())
        assert raised.value.receipt.retryable == ()
        assert raised.value.receipt.state is State.UNKNOWN

    run(work)


def test_transcripts_are_kept_by_their_digest(tmp_path: Path) -> None:
    async def work() -> None:
        async with (
            Peer() as peer,
            Mailer(peer.relay, recorder=Memory(), network=OFFLINE, transcripts=tmp_path / "t") as mailer,
        ):
            receipt = await mailer.send(mail())
        name = receipt.outcomes[0].transcript_sha256
        content = (tmp_path / "t" / f"{name}.txt").read_bytes()
        assert hashlib.sha256(content).hexdigest() == name
        assert receipt.sha256.encode() in content
        assert b"250 2.0.0 Ok: queued as" in content
        assert "續約".encode() not in content

    run(work)


# --- extensions -------------------------------------------------------------------------------------------------------


def test_what_is_offered_is_used() -> None:
    async def work() -> None:
        async with Peer(keywords=("SIZE 100000", "DSN", "8BITMIME", "SMTPUTF8", "PIPELINING")) as peer:
            async with Mailer(peer.relay, recorder=Memory(), network=OFFLINE, notify=("SUCCESS",)) as mailer:
                content = "Subject: é\r\n\r\nü\r\n".encode()
                receipt = await mailer.send(
                    content, sender="me+x@hosting.example", to=["b+c=d@x.example", "ü@x.example"]
                )
            sending = receipt.intents[0].sending.encode()
            assert peer.commands[1].split() == [
                *(b"MAIL", b"FROM:<me+x@hosting.example>", b"SIZE=%d" % len(peer.messages[0])),
                *(b"BODY=8BITMIME", b"SMTPUTF8", b"RET=HDRS", b"ENVID=" + sending),
            ]
            assert peer.commands[2] == b"RCPT TO:<b+c=d@x.example> NOTIFY=SUCCESS ORCPT=rfc822;b+2Bc+3Dd@x.example"
            assert peer.commands[3] == "RCPT TO:<ü@x.example> NOTIFY=SUCCESS".encode()

    run(work)


def test_what_the_server_cannot_take_is_not_sent() -> None:
    async def work() -> None:
        async with Peer(keywords=("SIZE 100",)) as peer:
            async with Mailer(peer.relay, recorder=Memory(), network=OFFLINE) as mailer:
                with pytest.raises(RefusedError, match="the server takes 100"):
                    await mailer.send(mail())
                with pytest.raises(RefusedError, match="SMTPUTF8"):
                    await mailer.send(b"Subject: x\r\n\r\n", sender="", to="ü@x.example")
            assert not any(c.startswith(b"MAIL") for c in peer.commands)

    run(work)


def test_lmtp_answers_for_each_recipient() -> None:
    async def work() -> None:
        says = {"final:lin@x.example": b"552 5.2.2 over quota\r\n"}
        async with Peer(lmtp=True, says=says) as peer:
            async with Mailer(peer.relay, recorder=Memory(), network=OFFLINE) as mailer:
                receipt = await mailer.send(mail("mei@x.example, lin@x.example"))
            assert receipt.finishes == {"mei@x.example": Finish.ACCEPTED, "lin@x.example": Finish.REFUSED}
            assert peer.commands[0].startswith(b"LHLO ")
            assert receipt.claims()[0].level is Level.HANDED_OVER

    run(work)


def test_lmtp_that_breaks_off_between_two_recipients() -> None:
    async def work() -> None:
        async with (
            Peer(lmtp=True, step="final:lin@x.example", fault="close") as peer,
            Mailer(peer.relay, recorder=Memory(), network=OFFLINE) as mailer,
        ):
            receipt = await mailer.send(mail("mei@x.example, lin@x.example"))
        assert receipt.finishes == {"mei@x.example": Finish.ACCEPTED, "lin@x.example": Finish.UNCERTAIN}

    run(work)


@pytest.mark.parametrize("keywords", [(), ("PIPELINING",), ("CHUNKING", "PIPELINING")])
@pytest.mark.parametrize(
    "body", [b"a\n.\nMAIL FROM:<x@y>\n", b"a\r.\rb\r\n", b"a\r\n.\nb", b"a\n.\r\nb\r\n", b".\r\n.."]
)
def test_nothing_in_a_message_ends_it(keywords: tuple[str, ...], body: bytes) -> None:
    async def work() -> None:
        async with Peer(keywords=keywords) as peer:
            async with Mailer(peer.relay, recorder=Memory(), network=OFFLINE) as mailer:
                receipt = await mailer.send(b"Subject: x\r\n\r\n" + body, sender="a@b.example", to="c@d.example")
            assert len(peer.messages) == 1
            message = peer.messages[0]
            assert hashlib.sha256(message).hexdigest() == receipt.sha256
            assert message.count(b"\r\n") == message.count(b"\n") == message.count(b"\r")

    run(work)


# --- TLS --------------------------------------------------------------------------------------------------------------


def test_opportunistic_tls_says_whether_it_was_verified(tmp_path: Path) -> None:
    async def work() -> None:
        async with Peer(tls=server_context(tmp_path, "mx.example")) as peer:
            async with Mailer(peer.relay, recorder=Memory(), network=OFFLINE, keep_open=0) as mailer:
                first = await mailer.send(mail())
                opened = peer.connections
                await mailer.send(mail())
            tls = first.outcomes[0].tls
            assert tls is not None
            assert (tls.verified, tls.version.startswith("TLSv1.")) == (False, True)
            assert first.outcomes[0].certificate_sha256
            assert (opened, peer.connections) == (2, 3)  # that its certificate does not hold is remembered

    run(work)


def test_verified_tls_or_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        async with (
            Peer(tls=server_context(tmp_path, "mx.example")) as peer,
            Mailer(peer.relay, recorder=Memory(), network=OFFLINE, tls="verified") as mailer,
        ):
            with pytest.raises(DeferredError, match="does not hold"):
                await mailer.send(mail())
        async with Peer() as peer:
            async with Mailer(peer.relay, recorder=Memory(), network=OFFLINE, tls="required") as mailer:
                with pytest.raises(DeferredError, match="STARTTLS"):
                    await mailer.send(mail())
            assert peer.messages == []

    run(work)


def test_credentials_only_over_tls(tmp_path: Path) -> None:
    async def work() -> None:
        async with Peer(keywords=("AUTH PLAIN",)) as peer:
            async with Mailer(
                peer.relay,
                recorder=Memory(),
                network=OFFLINE,
                username="web",
                password="secret-word",
                tls="opportunistic",
            ) as mailer:
                with pytest.raises(DeferredError):
                    await mailer.send(mail())
            assert b"AUTH" not in peer.heard

    run(work)


def test_plain_text_after_starttls_is_discarded(tmp_path: Path) -> None:
    async def work() -> None:
        pem, _ = make_certificate(tmp_path, "localhost")
        says = {"starttls": b"220 go\r\n250-mx.example\r\n250 EVIL\r\n"}
        async with (
            Peer(tls=server_context(tmp_path, "localhost"), says=says) as peer,
            Mailer(
                f"localhost:{peer.port}",
                recorder=Memory(),
                network=OFFLINE,
                roots=str(tmp_path / pem.name),
                transcripts=tmp_path / "t",
            ) as mailer,
        ):
            receipt = await mailer.send(mail())
        kept = (tmp_path / "t" / f"{receipt.outcomes[0].transcript_sha256}.txt").read_bytes()
        assert b"26 octets came in plain text after the reply to STARTTLS; they were discarded" in kept
        assert receipt.outcomes[0].tls is not None
        assert receipt.outcomes[0].tls.verified

    run(work)


# --- beside the sending -----------------------------------------------------------------------------------------------


def signed() -> bytes:
    content = mail().as_bytes().replace(b"\n", b"\r\n")
    content = b"Message-ID: <1@hosting.example>\r\n" + content
    return dkim.sign(content, b"s1", b"hosting.example", PEM, canonicalize=(b"relaxed", b"relaxed")) + content


def test_snapshot_of_a_signed_message(dns: Network) -> None:
    memory = Memory()

    async def work() -> None:
        async with Peer(host="127.0.0.2") as peer:
            async with Mailer(recorder=memory, network=dns, mx_port=peer.port, allow_private=True) as mailer:
                content = signed()
                receipt = await mailer.send(content)
                snapshot = await mailer.snapshot(receipt)
                assert snapshot is not None
                page = await _page(receipt, content, snapshot)
            asked = {str(o.question) for o in snapshot.observations if isinstance(o, DnsAnswer)}
            assert {"hosting.example TXT", "_dmarc.hosting.example TXT", "customer.example MX"} <= asked
            assert snapshot.verified == (("hosting.example", "s1", "pass"),)
            assert b'"state": "accepted"' in page.replace(b'":"', b'": "')

    run(work)
    assert [type(r) for r in memory.records] == [Intent, Outcome, Snapshot]


async def _page(receipt: Receipt, content: bytes, snapshot: Snapshot) -> bytes:
    from deliverability.api.receipt_pages import Asked, report_async

    asked = Asked("en", "json", None, content, snapshot)
    return await report_async(receipt, asked, Request(network=OFFLINE))


def test_a_signature_that_does_not_hold_is_seen_as_it_leaves(dns: Network) -> None:
    async def work() -> None:
        async with Peer(host="127.0.0.2") as peer:
            async with Mailer(recorder=Memory(), network=dns, mx_port=peer.port, allow_private=True) as mailer:
                receipt = await mailer.send(signed() + b"added later\r\n")
                snapshot = await mailer.snapshot(receipt)
            assert snapshot is not None
            assert snapshot.verified == (("hosting.example", "s1", "fail"),)

    run(work)


def test_through_a_relay_spf_is_nobody_s_question(dns: Network) -> None:
    async def work() -> None:
        async with Peer() as peer:
            async with Mailer(peer.relay, recorder=Memory(), network=dns) as mailer:
                receipt = await mailer.send(signed())
                snapshot = await mailer.snapshot(receipt)
            assert snapshot is not None
            asked = {str(o.question) for o in snapshot.observations}
            assert "hosting.example TXT" not in asked
            assert "customer.example MX" in asked
            assert receipt.level is Level.HANDED_OVER

    run(work)


def test_preflight_holds_and_records_it() -> None:
    memory = Memory()
    gate = Preflight(checks=("required-headers-once",), hold=True, request=Request(network=OFFLINE))

    async def work() -> None:
        async with Peer() as peer:
            async with Mailer(peer.relay, recorder=memory, network=OFFLINE, preflight=gate) as mailer:
                with pytest.raises(HeldError, match="required-headers-once") as held:
                    await mailer.send(b"Subject: no date\r\n\r\nx\r\n", sender="a@b.example", to="c@d.example")
            assert peer.connections == 0
            assert held.value.receipt.state is State.FAILED

    run(work)
    assert [type(r) for r in memory.records] == [Intent, Outcome]
    assert memory.outcomes()[0].finish is Finish.FAILED


def test_preflight_warns() -> None:
    gate = Preflight(checks=("required-headers-once",), request=Request(network=OFFLINE))

    async def work() -> None:
        async with Peer() as peer:
            async with Mailer(peer.relay, recorder=Memory(), network=OFFLINE, preflight=gate) as mailer:
                receipt = await mailer.send(b"Subject: no date\r\n\r\nx\r\n", sender="a@b.example", to="c@d.example")
            assert receipt.advice[0].startswith("required-headers-once: ")
            assert len(peer.messages) == 1

    run(work)


# --- wrong use --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "options"),
    [
        ("From: a@hosting.example", {"sender": "a@hosting.example", "to": "mei@customer.example"}),
        (None, {}),
        ([b"octets"], {}),
        (b"x", {"sender": b"a@hosting.example", "to": "mei@customer.example"}),
        (b"x", {"sender": "a@hosting.example", "to": b"mei@customer.example"}),
        (b"x", {"sender": "a@hosting.example", "to": [("Mei", "mei@customer.example")]}),
        (b"x", {"sender": "a@hosting.example", "to": 5}),
    ],
)
def test_values_of_another_type_are_told_from_a_failure_to_send(message: Any, options: Any) -> None:
    memory = Memory()

    async def work() -> None:
        async with Peer() as peer:
            async with Mailer(peer.relay, recorder=memory, network=OFFLINE) as mailer:
                with pytest.raises(UsageError, match="and not"):
                    await mailer.send(message, **options)
            assert peer.connections == 0

    run(work)
    assert memory.records == []


def test_a_customer_may_have_a_number_for_a_name() -> None:
    memory = Memory()

    async def work() -> None:
        async with Peer() as peer, Mailer(peer.relay, recorder=memory, network=OFFLINE) as mailer:
            receipt = await mailer.send(mail(), account=4711)  # type: ignore[arg-type]
            assert receipt.intents[0].account == "4711"

    run(work)


def test_wrong_use() -> None:
    for relay in ("a b", "host:99999", "[::1", ":25", "http://x/"):
        with pytest.raises(UsageError):
            Mailer(relay, recorder=Memory())
    for relay in ("smtps://user:S3CRET@mx.example:465", "user:S3CRET@mx.example", "user:S3@CRET@mx.example"):
        with pytest.raises(UsageError) as told:
            Mailer(relay, recorder=Memory())
        assert "CRET" not in str(told.value) and "username=" in str(told.value)
    for odd in (-1, 0, "4"):
        with pytest.raises(UsageError, match="at once"):
            Mailer("localhost", recorder=Memory(), concurrency=odd)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="and not NoneType"):
        Mailer("localhost", recorder=None)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="'send' or 'hold'"):
        Mailer("localhost", recorder=Memory(), on_recording_failure="Hold")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no check"):
        Mailer(recorder=Memory(), preflight=Preflight(checks=("nonsense",)))
    with pytest.raises(UsageError):
        asyncio.run(Mailer("localhost", recorder=Memory()).send(mail()))
