"""The DNSSEC chain of a DKIM key, kept as the message leaves, proves the key when it is long gone."""

import asyncio
import importlib.util
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ledger_records import intent

from deliverability.api.sealed_pages import verification
from deliverability.api.snapshots import Subject, take
from deliverability.evidence.observation import CouldNotLook, DnsAnswer, DnsQuestion, Observation, Obstacle
from deliverability.evidence.recorder import Snapshot
from deliverability.ledger.log import Ledger
from deliverability.ledger.proving import bundle_of, numbers_for
from deliverability.ledger.verify import KeyShown, Verification, verify_bundle
from deliverability.protocols.dnssec import TrustAnchor

_spec = importlib.util.spec_from_file_location("dnssec_world", Path(__file__).parents[1] / "dnssec_world.py")
assert _spec and _spec.loader
world_of: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(world_of)

SENT = intent(1, at=world_of.SEEN_AT, dispatch="a" * 32)
MAIL = b"From: a@hosting.example\r\n\r\nhello\r\n"


class Resolver:
    """Answers from a signed world what asks for signatures; for all else nobody is there."""

    def __init__(self, world: Any) -> None:
        self._world = world

    async def observe(self, questions: Iterable[DnsQuestion]) -> tuple[Observation, ...]:
        return tuple(
            self._world.observe(q) if q.signed else CouldNotLook(q, Obstacle.TIMEOUT, "", "", world_of.SEEN_AT)
            for q in questions
        )


def world(*, signed: bool = True) -> Any:
    made = world_of.World()
    made.zone("")
    made.zone("example", algorithm=13)
    made.zone("hosting.example", algorithm=13 if signed else None)
    zone = made.zones[world_of.name("hosting.example")]
    zone.add(world_of.name("s2026._domainkey.hosting.example"), "TXT", '"v=DKIM1; k=ed25519; p=AAAA"')
    return made


def snapshot_of(made: Any) -> Snapshot:
    anchors = tuple(TrustAnchor.parse(text) for text in made.anchors)
    subject = Subject(MAIL, (SENT,), ())
    (snapshot,) = asyncio.run(take(subject, Resolver(made), lambda: world_of.SEEN_AT, anchors))
    return snapshot


@pytest.fixture
def sealed(tmp_path: Path) -> Iterator[Any]:
    with Ledger.create(tmp_path / "ledger", "hosting.example/dispatch") as ledger:

        def verify(made: Any, sent: Any = SENT) -> Verification:
            ledger.append_records([sent, snapshot_of(made)])
            ledger.sign(world_of.SEEN_AT)
            content = bundle_of(ledger, numbers_for(ledger, dispatch=sent.dispatch)).to_bytes()
            anchors = tuple(TrustAnchor.parse(text) for text in made.anchors)
            return verify_bundle(content, keys=ledger.verifier_keys(), anchors=anchors)

        yield verify


def test_a_key_in_a_signed_zone_is_proved_offline_at_the_time_of_the_dispatch(sealed: Any) -> None:
    done = sealed(world())
    assert done.complete
    assert done.dispatches[0].keys == (KeyShown("hosting.example", "s2026", "secure"),)
    assert b"(DNSSEC, validated here)" in verification(done, "en", "UTC", "text")


def test_at_another_time_the_signatures_are_worth_nothing(sealed: Any) -> None:
    done = sealed(world(), intent(1, at=world_of.SEEN_AT + timedelta(days=4000), dispatch="a" * 32))
    assert [key.status for key in done.dispatches[0].keys] == ["bogus"]
    assert b"do not hold" in verification(done, "en", "UTC", "text")


def test_of_an_unsigned_zone_no_chain_is_kept(sealed: Any) -> None:
    kept = [o for o in snapshot_of(world(signed=False)).observations if isinstance(o, DnsAnswer)]
    assert not [o for o in kept if o.question.signed]
    assert sealed(world(signed=False)).dispatches[0].keys == ()


def test_anothers_root_proves_nothing(sealed: Any, tmp_path: Path) -> None:
    with Ledger.create(tmp_path / "other", "hosting.example/dispatch") as ledger:
        ledger.append_records([SENT, snapshot_of(world())])
        ledger.sign(world_of.SEEN_AT)
        content = bundle_of(ledger, numbers_for(ledger, dispatch=SENT.dispatch)).to_bytes()
        done = verify_bundle(content, keys=ledger.verifier_keys())  # IANA's anchors
    assert [key.status for key in done.dispatches[0].keys] == ["bogus"]
