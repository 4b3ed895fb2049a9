"""What recipients' domains demand of TLS: an exchanger that does not meet it is given nothing, and the record says which."""

import asyncio
import hashlib
import importlib.util
import ssl
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from names import names
from smtp_peer import Peer
from tls_files import make_certificate

from deliverability.api import mailer as mailers
from deliverability.api.mailer import Mailer
from deliverability.api.mailer_policy import Policies
from deliverability.api.receipts import DeferredError, Receipt, RefusedError
from deliverability.api.requests import Network
from deliverability.capture.smtp_terms import Timeouts
from deliverability.errors import UsageError
from deliverability.evidence.names import Domain
from deliverability.evidence.observation import (
    CouldNotLook,
    DnsAnswer,
    DnsQuestion,
    HttpsAnswer,
    HttpsQuestion,
    Observation,
    Observations,
    Obstacle,
    Question,
    Rcode,
)
from deliverability.evidence.observation import Record as Rr
from deliverability.evidence.recorder import Finish, Record
from deliverability.protocols.certificate import public_key_info
from deliverability.protocols.dnssec import anchors_of
from deliverability.protocols.tls_policy import sts_of

_spec = importlib.util.spec_from_file_location("dnssec_world", Path(__file__).parents[1] / "dnssec_world.py")
assert _spec
assert _spec.loader
signing = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(signing)

HOST = "mx1.customer.example"
ZONE = f"""
{HOST}. 300 IN A 127.0.0.2
customer.example. 300 IN MX 10 {HOST}.
other.example. 300 IN MX 10 {HOST}.
"""
SHORT = Timeouts(connect=5, greeting=5, command=5, data=5, block=5, final=5)
ENFORCED = f"version: STSv1\nmode: enforce\nmx: {HOST}\nmax_age: 604800\n"


class Memory:
    def record(self, records: Iterable[Record]) -> None:
        """Nothing is kept: receipts are looked at."""


class Published:
    """What the domains publish; each part may be changed between two messages."""

    def __init__(self, *, signed: bool = False, tlsa: str = "") -> None:
        self.world = signing.World()
        self.world.zone("")
        self.world.zone("example", algorithm=13 if signed else None)
        zone = self.world.over(signing.name("customer.example"))
        for domain in ("customer.example", "other.example"):
            zone.add(signing.name(domain), "MX", f"10 {HOST}.")
        zone.add(signing.name(HOST), "A", "127.0.0.2")
        if tlsa:
            zone.add(signing.name(f"_25._tcp.{HOST}"), "TLSA", tlsa)
        self.policies: dict[str, str | Obstacle] = {}
        self.record_gone = False
        self.now = signing.SEEN_AT

    async def observe(self, questions: Iterable[Question]) -> tuple[Observation, ...]:
        return tuple(self._one(question) for question in questions)

    def _one(self, question: Question) -> Observation:
        if isinstance(question, DnsQuestion) and question.signed:
            return self.world.observe(question)  # type: ignore[no-any-return]
        if isinstance(question, DnsQuestion):
            there = not self.record_gone and question.name.removeprefix("_mta-sts.") in self.policies
            records = (Rr("v=STSv1; id=20261122;", (b"v=STSv1; id=20261122;",)),) if there else ()
            return DnsAnswer(question, Rcode.NOERROR, records, question.name, 60, "192.0.2.53:53", self.now)
        assert isinstance(question, HttpsQuestion)
        said = self.policies[question.url.removeprefix("https://mta-sts.").partition("/")[0]]
        if isinstance(said, Obstacle):
            return CouldNotLook(question, said, "", "", self.now)
        return HttpsAnswer(question, 200, "text/plain", said.encode(), None, self.now)


@pytest.fixture(scope="module")
def dns() -> Iterator[Network]:
    with names(ZONE) as server:
        yield Network(nameservers=(server,))


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return make_certificate(tmp_path, HOST)[0]


@pytest.fixture
def sends(
    dns: Network, monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> Callable[..., list[Receipt | DeferredError]]:
    """Send to these addresses, one after the other, over one mailer; what came of each, and the server."""

    def send(published: Published, peer: Peer, *to: str, between: Callable[[], None] = lambda: None, **other: Any):
        def made(observe: object, clock: object) -> Policies:
            return Policies(published.observe, lambda: published.now, anchors_of(published.world.anchors))

        monkeypatch.setattr(mailers, "Policies", made)

        async def work() -> list[Receipt | DeferredError]:
            came: list[Receipt | DeferredError] = []
            options = {"tls": "policy", "roots": str(certificate), **other}
            async with (
                peer,
                Mailer(
                    recorder=Memory(),
                    network=dns,
                    mx_port=peer.port,
                    allow_private=True,
                    snapshot=False,
                    timeouts=SHORT,
                    **options,
                ) as mailer,
            ):
                for address in to:
                    try:
                        came.append(
                            await mailer.send(b"Subject: x\r\n\r\nx\r\n", sender="a@hosting.example", to=address)
                        )
                    except DeferredError as problem:
                        came.append(problem)
                    between()
            return came

        return asyncio.run(work())

    return send


def serving(certificate: Path, *, tls: bool = True) -> Peer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return Peer(host="127.0.0.2", tls=context if tls else None)


def key_record(certificate: Path) -> str:
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text("ascii"))
    return "3 1 1 " + hashlib.sha256(public_key_info(der)).hexdigest()


MEI, CHEN = "mei@customer.example", "chen@other.example"


def accepted(one: Receipt | DeferredError) -> tuple[bool, str]:
    assert isinstance(one, Receipt)
    assert set(one.finishes.values()) == {Finish.ACCEPTED}
    tls = one.outcomes[0].tls
    return bool(tls and tls.verified), one.outcomes[0].detail


def deferred(one: Receipt | DeferredError) -> str:
    assert isinstance(one, DeferredError)
    assert one.receipt.retryable
    return one.receipt.outcomes[0].detail


# --- DANE -------------------------------------------------------------------------------------------------------------


def test_a_certificate_that_the_signed_records_name(sends, certificate) -> None:  # type: ignore[no-untyped-def]
    published = Published(signed=True, tlsa=key_record(certificate))
    # No root vouches for the certificate, and none is asked to.
    (one,) = sends(published, serving(certificate), MEI, roots=None)
    verified, told = accepted(one)
    assert verified
    assert f"TLSA record of _25._tcp.{HOST}" in told
    assert any(str(o.question).startswith(f"_25._tcp.{HOST} TLSA") for o in one.observations)


def test_another_certificate_is_given_nothing(sends, certificate) -> None:  # type: ignore[no-untyped-def]
    peer = serving(certificate)
    (one,) = sends(Published(signed=True, tlsa="3 1 1 " + "00" * 32), peer, MEI)
    assert "matches none of its TLSA records" in deferred(one)
    assert (peer.messages, b"MAIL" in peer.heard.upper()) == ([], False)


def test_records_demand_tls_also_where_none_can_be_used(sends, certificate, tmp_path) -> None:  # type: ignore[no-untyped-def]
    published = Published(signed=True, tlsa="1 1 1 " + "00" * 32)
    (one,) = sends(published, serving(certificate), MEI, roots=None, transcripts=tmp_path / "kept")
    verified, told = accepted(one)
    assert not verified
    kept = b"".join(file.read_bytes() for file in (tmp_path / "kept").rglob("*") if file.is_file())
    assert b"held against nothing" in kept
    assert b"held against TLSA" not in kept  # there was nothing to hold it against
    assert "TLS alone" in told
    bare = serving(certificate, tls=False)
    (one,) = sends(published, bare, MEI)
    assert "does not offer STARTTLS" in deferred(one)
    assert bare.messages == []


def test_an_authority_whose_certificate_is_not_shown(sends, certificate) -> None:  # type: ignore[no-untyped-def]
    peer = serving(certificate)
    (one,) = sends(Published(signed=True, tlsa="2 1 1 " + "00" * 32), peer, MEI)
    assert "TLSA records" in deferred(one)
    assert peer.messages == []


@pytest.mark.parametrize("what", ["customer.example MX", f"{HOST} A", f"_25._tcp.{HOST} TLSA"])
def test_signatures_that_are_kept_from_us_open_nothing(what: str, sends, certificate) -> None:  # type: ignore[no-untyped-def]
    published, peer = Published(signed=True, tlsa=key_record(certificate)), serving(certificate)
    name, _, rdtype = what.partition(" ")
    asked = DnsQuestion(name, rdtype, signed=True)
    published.world.obstacles[str(asked)] = CouldNotLook(asked, Obstacle.SERVFAIL, "", "", published.now)
    (one,) = sends(published, peer, MEI)
    assert "was not used" in deferred(one)
    assert peer.connections == 0


# --- MTA-STS ----------------------------------------------------------------------------------------------------------


def test_a_policy_in_force_that_is_met(sends, certificate) -> None:  # type: ignore[no-untyped-def]
    published = Published()
    published.policies["customer.example"] = ENFORCED
    (one,) = sends(published, serving(certificate), MEI)
    verified, told = accepted(one)
    assert verified
    assert "MTA-STS policy of customer.example (id 20261122) was in force" in told
    assert any(isinstance(o, HttpsAnswer) for o in one.observations)
    assert Receipt.from_json(one.to_json()) == one


def test_a_policy_in_force_that_is_not_met(sends, certificate, tmp_path) -> None:  # type: ignore[no-untyped-def]
    published, peer = Published(), serving(make_certificate(tmp_path / "x", "elsewhere.example")[0])
    published.policies["customer.example"] = ENFORCED
    (one,) = sends(published, peer, MEI)
    assert "certificate does not hold" in deferred(one)
    bare = serving(certificate, tls=False)
    (one,) = sends(published, bare, MEI)
    assert "STARTTLS" in deferred(one)
    unnamed = serving(certificate)
    published.policies["customer.example"] = ENFORCED.replace(HOST, "*.elsewhere.example")
    (one,) = sends(published, unnamed, MEI)
    assert f"{HOST} is not named by the MTA-STS policy" in deferred(one)
    assert (peer.messages, bare.messages, unnamed.connections) == ([], [], 0)


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (ENFORCED.replace("enforce", "testing"), f"is in mode testing, and names {HOST}"),
        (ENFORCED.replace("enforce", "none"), "is in mode none"),
        ("<html>", "cannot be read"),
        (Obstacle.TIMEOUT, "could not be fetched: timeout"),
        (None, "customer.example publishes no policy for TLS"),
    ],
)
def test_what_is_not_in_force_stops_nothing(policy, told, sends, certificate) -> None:  # type: ignore[no-untyped-def]
    published = Published()
    if policy is not None:
        published.policies["customer.example"] = policy
    (one,) = sends(published, serving(certificate, tls=False), MEI)
    assert told in accepted(one)[1]


@pytest.mark.parametrize("reply", [b"454 4.7.0 not now\r\n", b"502 5.5.1 what?\r\n", b"554 5.7.0 no\r\n"])
def test_a_reply_in_plain_text_to_starttls_refuses_no_message(reply: bytes, sends, certificate) -> None:  # type: ignore[no-untyped-def]
    """Whoever stands between could have said it; nothing was asked of the server yet."""
    for signed in (False, True):
        published, peer = Published(signed=signed, tlsa=key_record(certificate)), serving(certificate)
        published.policies["customer.example"] = ENFORCED
        peer.says["starttls"] = reply
        (one,) = sends(published, peer, MEI)
        assert reply[4:].strip().decode() in deferred(one)
        assert peer.messages == []


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("step", ["greeting", "ehlo"])
def test_whoever_was_not_shown_to_be_the_server_refuses_no_message(step, signed, sends, certificate) -> None:  # type: ignore[no-untyped-def]
    """A 554 before TLS would end a message for good by the word of anybody between us and the server."""
    published, peer = Published(signed=signed, tlsa=key_record(certificate)), serving(certificate)
    published.policies["customer.example"] = ENFORCED
    peer.says[step] = b"554 5.7.1 go away\r\n"
    (one,) = sends(published, peer, MEI)
    assert deferred(one)
    assert peer.messages == []


def test_where_nothing_is_demanded_a_refusal_is_the_servers(sends, certificate) -> None:  # type: ignore[no-untyped-def]
    peer = serving(certificate)
    peer.says["greeting"] = b"554 5.7.1 go away\r\n"
    with pytest.raises(RefusedError, match="go away"):
        sends(Published(), peer, MEI)


@pytest.mark.parametrize("host", ["mx!1.attacker.example", "192.0.2.66", "a b.attacker.example", "::1"])
@pytest.mark.parametrize("signed", [False, True])
def test_a_forged_exchanger_with_an_odd_name_does_not_switch_the_policy_off(host: str, signed: bool) -> None:
    published = Published(signed=signed, tlsa="3 1 1 " + "00" * 32)
    published.policies["customer.example"] = ENFORCED
    policies = Policies(published.observe, lambda: published.now, anchors_of(published.world.anchors))
    ruled = asyncio.run(policies.of("customer.example", host))
    assert ruled.demand.refused, ruled.demand.told


def test_a_policy_outlives_its_record_and_then_runs_out(sends, certificate) -> None:  # type: ignore[no-untyped-def]
    published, peer = Published(), serving(certificate, tls=False)
    published.policies["customer.example"] = ENFORCED
    waits = iter((timedelta(hours=1), timedelta(days=8), timedelta()))

    def between() -> None:
        published.record_gone, published.now = True, published.now + next(waits)

    met = sends(published, peer, MEI, MEI, MEI, between=between)
    assert ["STARTTLS" in deferred(one) for one in met[:2]] == [True, True]
    assert "publishes no policy" in accepted(met[2])[1]


# --- around them ------------------------------------------------------------------------------------------------------


def test_a_connection_serves_no_stronger_demand_than_it_was_opened_for(sends, certificate) -> None:  # type: ignore[no-untyped-def]
    published, peer = Published(), serving(certificate)
    published.policies["other.example"] = ENFORCED
    plain, enforced, again = sends(published, peer, MEI, CHEN, CHEN)
    assert ["in force" in accepted(one)[1] for one in (plain, enforced, again)] == [False, True, True]
    assert peer.connections == 2


def test_without_the_option_nobody_is_asked(sends, certificate) -> None:  # type: ignore[no-untyped-def]
    published = Published(signed=True, tlsa="3 1 1 " + "00" * 32)
    (one,) = sends(published, serving(certificate), MEI, tls="opportunistic")
    assert accepted(one)[1] == ""
    assert published.world.asked == []


def test_of_a_relay_nobody_publishes_anything() -> None:
    with pytest.raises(UsageError, match="relay"):
        Mailer("smtp.example", recorder=Memory(), tls="policy")


def test_several_records_are_none() -> None:
    question = DnsQuestion("_mta-sts.customer.example", "TXT")
    two = tuple(Rr(f"v=STSv1; id={n};") for n in (1, 2))
    answer = DnsAnswer(question, Rcode.NOERROR, two, question.name, 60, "", datetime.now(UTC))
    found = partial(sts_of, Domain.parse("customer.example"))(Observations.of((answer,)))
    assert (found.found, found.told) == (None, "MTA-STS: customer.example publishes 2 records")
