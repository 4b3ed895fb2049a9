"""What the tee rests on in aiosmtplib (ADR 8): fails when a release changes underneath."""

import asyncio
import inspect
import ssl
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtplib import SMTP
from aiosmtplib.protocol import SMTPProtocol
from smtp_peer import Peer
from tls_files import server_context

from deliverability.capture._tee import TeeClient, TeeProtocol
from deliverability.capture.smtp import Transaction
from deliverability.capture.smtp_connect import open_session, verifying
from deliverability.capture.smtp_terms import Peer as Server
from deliverability.capture.smtp_terms import Terms, TlsPolicy
from deliverability.evidence.recorder import Finish
from deliverability.protocols.smtp_session import CLIENT, SERVER, Transcript
from deliverability.protocols.smtp_session_commands import Job


@pytest.mark.parametrize("name", ["data_received", "eof_received", "connection_made", "connection_lost", "write"])
def test_protocol_has_what_is_overridden(name: str) -> None:
    ours, theirs = getattr(TeeProtocol, name), getattr(SMTPProtocol, name)
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)


def test_client_makes_its_connection_where_we_do() -> None:
    ours, theirs = TeeClient._create_connection, SMTP._create_connection
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters) == ["self", "timeout"]
    source = inspect.getsource(SMTP.connect)
    assert "self._create_connection(" in source
    assert inspect.getsource(SMTP).count("SMTPProtocol(") == 1, "protocols are made in _create_connection alone"


def test_nothing_but_write_writes() -> None:
    for owner in (SMTP, SMTPProtocol):
        source = inspect.getsource(owner)
        assert "transport.write" not in source.replace("cast(asyncio.WriteTransport, self.transport).write(data)", "")


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize(
    "keywords", [(), ("PIPELINING", "SIZE 1000000", "DSN"), ("CHUNKING",)], ids=["", "piped", "bdat"]
)
def test_tape_has_every_octet(tmp_path: Path, keywords: tuple[str, ...], *, secured: bool) -> None:
    """What the server heard and said, held against the tape; the message stands in it by its digest."""
    context = server_context(tmp_path, "localhost") if secured else None
    content = b"Subject: x\r\n\r\n.dots\r\n..\r\n.\r\nend\r\n"

    async def go() -> tuple[Peer, Transcript, str]:
        async with Peer(keywords=keywords, tls=context) as peer:
            terms = Terms(tls=TlsPolicy.VERIFIED, roots=str(tmp_path / "certificate.pem")) if secured else Terms()
            where = Server("localhost", "127.0.0.1", peer.port)
            connection = await open_session(where, terms, lambda: verifying(terms))
            job = Job(content, "a@hosting.example", ("b@x.example", "c@x.example"))
            endings = await Transaction(connection, job).run()
            assert {e.finish for e in endings} == {Finish.ACCEPTED}
            transcript, digest = connection.transcript()
            assert connection.facts.tls is None or connection.facts.tls.verified
            assert bool(connection.facts.chain) == secured
            await connection.quit()
            return peer, transcript, digest

    peer, transcript, digest = asyncio.run(go())
    assert peer.messages == [content]
    said = b"".join(run.octets for run in transcript.said if run.side == SERVER)
    assert said == peer.sent.removesuffix(b"221 bye\r\n")
    ours = b"".join(run.octets for run in transcript.said if run.side == CLIENT)
    stuffed = content if "CHUNKING" in keywords else content.replace(b"\r\n.", b"\r\n..") + b".\r\n"
    heard = peer.heard.replace(b"QUIT\r\n", b"")
    assert heard.replace(stuffed, b"", 1) == ours
    assert digest == transcript.sha256
    assert Transcript.parse(transcript.to_bytes()) == transcript


def test_greeting_of_several_lines_and_bare_lf() -> None:
    async def go() -> str:
        async with Peer(says={"greeting": b"220-one\n220 two\n"}) as peer:
            terms = Terms()
            connection = await open_session(Server("mx", "127.0.0.1", peer.port), terms, lambda: verifying(terms))
            greeting = connection.facts.greeting
            await connection.quit()
            return greeting

    assert asyncio.run(go()) == "220-one\n220 two"


def test_credentials_are_not_kept(tmp_path: Path) -> None:
    """PLAIN and LOGIN as aiosmtplib sends them; a server that quotes them back gains nothing."""
    context = server_context(tmp_path, "localhost")
    said = {
        "auth": b"235 2.7.0 welcome secret-word-1 c2VjcmV0LXdvcmQtMQ==\r\n",
        "mail": b"250 hi secret-word-1 AHdlYgBzZWNyZXQtd29yZC0x\r\n",
    }

    async def go() -> bytes:
        async with Peer(keywords=("AUTH PLAIN LOGIN",), tls=context, says=said) as peer:
            terms = Terms(
                tls=TlsPolicy.VERIFIED,
                roots=str(tmp_path / "certificate.pem"),
                username="web",
                password="secret-word-1",
            )
            connection = await open_session(
                Server("localhost", "127.0.0.1", peer.port), terms, lambda: verifying(terms)
            )
            assert b"AUTH PLAIN " in peer.heard
            job = Job(EmailMessage().as_bytes().replace(b"\n", b"\r\n"), "a@hosting.example", ("b@x.example",))
            endings = await Transaction(connection, job).run()
            assert "secret-word-1" not in repr(endings)
            transcript, _ = connection.transcript()
            await connection.quit()
            return transcript.to_bytes()

    kept = asyncio.run(go())
    assert b"AUTH PLAIN *" in kept
    assert b"secret-word-1" not in kept
    assert b"c2VjcmV0" not in kept
    assert b"AHdlYgBzZWNyZXQtd29yZC0x" not in kept
    assert b"235 *" in kept


def test_context_type() -> None:
    """``starttls`` takes a context and a name, as we give them."""
    parameters = inspect.signature(SMTP.starttls).parameters
    assert {"tls_context", "server_hostname"} <= set(parameters)
    assert isinstance(verifying(Terms()), ssl.SSLContext)
