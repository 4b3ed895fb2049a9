"""A checkpoint in a mail: what it carries, whether a signature covers it, and how the log stands to it."""

import base64
import importlib.util
import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from ledger_records import intent
from typer.testing import CliRunner, Result

from deliverability.api.witnessing import witness
from deliverability.compose.witnessed import cover_lines
from deliverability.errors import ParseError, TamperedError
from deliverability.evidence.observation import (
    CouldNotLook,
    DnsAnswer,
    DnsQuestion,
    Observations,
    Obstacle,
    Rcode,
    Record,
    Unobserved,
)
from deliverability.evidence.recorder import Snapshot
from deliverability.ledger.checkpoint import Checkpoint, parse_checkpoint
from deliverability.ledger.keys import FileSigner, make_key
from deliverability.ledger.log import Ledger
from deliverability.ledger.notes import Note, Signature
from deliverability.ledger.proving import bundle_of, continued
from deliverability.ledger.verify import Held
from deliverability.protocols.dnssec import TrustAnchor
from deliverability.protocols.dnssec import signed as dnssec_signed
from deliverability.protocols.mail import Field, parse_mail
from deliverability.protocols.witness import FIELD, Cover, make_header, note_of, read_header, received

_spec = importlib.util.spec_from_file_location("dnssec_world", Path(__file__).parents[1] / "dnssec_world.py")
assert _spec and _spec.loader
world_of: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(world_of)

ORIGIN = "hosting.example/dispatch"
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
PRIVATE = generate_private_key(65537, 2048)
PEM = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
PUBLIC = base64.b64encode(PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
QUESTION = DnsQuestion("s2026._domainkey.hosting.example", "TXT")
KEY = Observations.of(
    [
        DnsAnswer(
            QUESTION, Rcode.NOERROR, (Record("", (b"v=DKIM1; k=rsa; p=" + PUBLIC,)),), QUESTION.name, 60, "test", NOW
        )
    ]
)
NO_KEY = Observations.of([DnsAnswer(QUESTION, Rcode.NXDOMAIN, (), QUESTION.name, 60, "test", NOW)])
NO_ANSWER = Observations.of([CouldNotLook(QUESTION, Obstacle.TIMEOUT, "timed out", "test", NOW)])
ARRIVED = (
    b"Received: from mail.hosting.example (mail.hosting.example [203.0.113.25])\r\n"
    b"\tby mx.gmail.example with ESMTPS id 5AM7; Sun, 22 Nov 2026 13:31:14 +0800\r\n"
)
MAIL = b"From: renewals@hosting.example\r\nTo: chen@hinet.example\r\nSubject: Renewal\r\n\r\nDear customer\r\n"


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with Ledger.create(tmp_path_factory.mktemp("ledger") / "l", ORIGIN, now=NOW) as made:
        made.append_records([intent(n) for n in range(1, 9)])
        made.sign(NOW)
        yield made


@pytest.fixture(scope="module")
def note(ledger: Ledger) -> bytes:
    return ledger.head.read() or b""


def signed(*fields: str, names: tuple[bytes, ...] = (b"from", b"dispatch-checkpoint"), relaxed: bool = True) -> bytes:
    message = "".join(f"{field}\r\n" for field in fields).encode() + MAIL
    form = (b"relaxed", b"relaxed") if relaxed else (b"simple", b"simple")
    with patch.object(dkimpy, "time", SimpleNamespace(time=NOW.timestamp)):  # the signer's clock
        signature = dkimpy.sign(
            message, b"s2026", b"hosting.example", PEM, include_headers=list(names), canonicalize=form
        )
    return bytes(signature) + message


# --- the field ---


def test_the_field_holds_the_head_word_for_word(note: bytes) -> None:
    header = make_header(note)
    assert len(header) < 260 and all(len(line) <= 130 for line in header.split("\r\n"))
    name, _, body = header.partition(":")
    assert name == FIELD
    assert note_of(Field(name, body.encode() + b"\r\n")) == note
    # However it is folded, or not, on its way.
    for other in (body.replace("\r\n", ""), body.replace(" ", "\r\n\t"), body.replace(" ", "   ")):
        assert note_of(Field(name, other.encode() + b"\r\n")) == note


def test_of_the_longest_names_no_line_is_too_long(tmp_path: Path) -> None:
    origin = "x" * 255
    make_key(tmp_path / "k")
    text = Checkpoint(origin, (1 << 63) - 1, b"\7" * 32).to_text()
    own = FileSigner(tmp_path / "k", origin).sign(text)
    long = Signature(origin, b"abcd", b"\0" * 2420)  # as ML-DSA-44 makes them: left out
    header = make_header(Note(text, (own, long)).to_bytes())
    assert max(map(len, header.split("\r\n"))) <= 998
    body = header.partition(":")[2].encode() + b"\r\n"
    assert note_of(Field(FIELD, body)) == Note(text, (own,)).to_bytes()


@pytest.mark.parametrize(
    "bad",
    [b"", b"x", b"\xff\n\n", b"a\n1\n" + b"A" * 43 + b"=\n\n", b"a\n1\n" + b"A" * 43 + "=\n\n— b AAAA\n".encode()],
)
def test_what_is_no_signed_head_makes_no_field(bad: bytes) -> None:
    with pytest.raises(ParseError):
        make_header(bad)


@given(st.binary(max_size=300) | st.text(alphabet="ab +=/1 \t\r\n—", max_size=200).map(str.encode))
def test_any_field_is_read_or_refused(body: bytes) -> None:
    try:
        read = note_of(Field(FIELD, body + b"\r\n"))
    except ParseError:
        return
    assert b"\r" not in read


# --- what covers it ---


@pytest.mark.parametrize("relaxed", [True, False])
def test_a_signature_that_names_the_field_covers_it(note: bytes, relaxed: bool) -> None:
    (one,) = read_header(signed(make_header(note), relaxed=relaxed), KEY, NOW)
    assert (one.cover, one.sealed, one.note) == (Cover.COVERED, False, note)
    (one,) = read_header(signed(make_header(note), names=(b"from", *[b"dispatch-checkpoint"] * 2)), KEY, NOW)
    assert (one.cover, one.sealed) == (Cover.COVERED, True)


def test_a_field_that_was_added_later_is_not_covered(note: bytes) -> None:
    mail = signed(names=(b"from",))
    (one,) = read_header(f"{make_header(note)}\r\n".encode() + mail, KEY, NOW)
    assert one.cover is Cover.NOT_NAMED
    (one,) = read_header(f"{make_header(note)}\r\n".encode() + MAIL, KEY, NOW)
    assert one.cover is Cover.UNSIGNED


def test_of_two_fields_the_lower_one_was_signed(note: bytes, ledger: Ledger) -> None:
    once = signed(make_header(note))
    below, above = read_header(b"Dispatch-Checkpoint: another\r\n" + once, KEY, NOW)
    assert (below.cover, below.note, above.cover, above.note) == (Cover.COVERED, note, Cover.NOT_NAMED, None)
    sealed = signed(make_header(note), names=(b"from", b"dispatch-checkpoint", b"dispatch-checkpoint"))
    both = read_header(b"Dispatch-Checkpoint: another\r\n" + sealed, KEY, NOW)
    assert Cover.COVERED not in {one.cover for one in both}  # oversigned: the second one broke the signature


def test_a_changed_field_or_body_is_not_covered(note: bytes) -> None:
    mail = signed(make_header(note))
    (one,) = read_header(mail.replace(b"hosting.example/dispatch 10", b"hosting.example/dispatch 11"), KEY, NOW)
    assert one.cover is Cover.UNDECIDED  # a key may have been replaced: only the body says it without one
    (one,) = read_header(mail + b"x\r\n", KEY, NOW)
    assert one.cover is Cover.BROKEN


@pytest.mark.parametrize("known", [NO_KEY, NO_ANSWER], ids=["gone", "no answer"])
def test_without_the_key_it_stays_open(note: bytes, known: Observations) -> None:
    (one,) = read_header(signed(make_header(note)), known, NOW)
    assert one.cover is Cover.UNDECIDED
    with pytest.raises(Unobserved):
        read_header(signed(make_header(note)), Observations(), NOW)


def test_received_lines_are_claims() -> None:
    hops = received(parse_mail(ARRIVED + b"Received: rubbish\r\nReceived: by x; no date\r\n" + MAIL))
    assert [(hop.by, hop.at) for hop in hops] == [
        ("mx.gmail.example", datetime(2026, 11, 22, 5, 31, 14, tzinfo=UTC)),
        ("", None),
        ("x", None),
    ]


# --- the log ---


def test_the_log_continues_the_head_in_the_mail(tmp_path: Path) -> None:
    with Ledger.create(tmp_path / "l", ORIGIN, now=NOW) as ledger:
        numbers = ledger.append_records([intent(1)])
        head = ledger.sign(NOW)
        mail = signed(make_header(head))
        asked = {"observations": KEY, "offline": True, "now": NOW}
        assert witness(mail, ledger=ledger, **asked).heads[0].against.code == "same"
        ledger.append_records([intent(n) for n in range(2, 40)])
        (one,) = witness(mail, ledger=ledger, **asked).heads
        assert (one.against.code, one.held) == ("good", Held.SHOWN)
        later = ledger.sign(NOW)
        bundle = bundle_of(ledger, [ledger.store.size - 1])
        assert (
            parse_checkpoint(bundle.checkpoint)[0].size == ledger.store.size and later == bundle.checkpoint and numbers
        )
        keys = ledger.verifier_keys()
        against = {"bundle": continued(ledger, bundle, [head]).to_bytes(), "keys": keys}
        assert witness(mail, **against, **asked).heads[0].held is Held.SHOWN
        no_proof = witness(mail, bundle=bundle.to_bytes(), keys=keys, **asked).heads[0]
        assert (no_proof.against.code, no_proof.held) == ("no-proof", Held.UNDECIDED)
        # Without a key of one's own the bundle vouches for itself alone.
        assert witness(mail, **{**against, "keys": ()}, **asked).heads[0].held is Held.UNDECIDED
        assert witness(mail, **{**against, "bundle": against["bundle"] + b" "}, **asked).heads[0].held is Held.FAILED
        unsigned = witness(f"{make_header(head)}\r\n".encode() + MAIL, ledger=ledger, **asked).heads[0]
        assert (unsigned.against.code, unsigned.held) == ("good", Held.UNDECIDED)
        assert witness(mail, **asked).heads[0].against.code == "alone"
        assert witness(MAIL, ledger=ledger, **asked).heads == ()


def test_a_rewritten_log_is_found_out(tmp_path: Path) -> None:
    import shutil

    with Ledger.create(tmp_path / "l", ORIGIN, now=NOW):
        pass
    shutil.copytree(tmp_path / "l", tmp_path / "m")
    with Ledger.open(tmp_path / "l", write=True) as ledger:
        ledger.append_records([intent(1)])
        mail = signed(make_header(ledger.sign(NOW)))
    asked = {"observations": KEY, "offline": True, "now": NOW}
    with Ledger.open(tmp_path / "m", write=True) as other:
        # Cut: it has fewer entries than the head in the mail was signed over.
        assert witness(mail, ledger=other, **asked).heads[0].held is Held.FAILED
        numbers = other.append_records([intent(n) for n in range(2, 7)])
        other.sign(NOW)
        assert witness(mail, ledger=other, **asked).heads[0].against.code == "fork"
        note = make_header(other.head.read() or b"")
        bundle = continued(other, bundle_of(other, numbers), [])
        forged = signed(note.replace(ORIGIN, "other.example/log"))
        assert (
            witness(forged, bundle=bundle.to_bytes(), keys=other.verifier_keys(), **asked).heads[0].against.code
            == "other-log"
        )


# --- a key that the DNS has no more ---

OTHER = generate_private_key(65537, 2048)
OTHER_PUBLIC = base64.b64encode(OTHER.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def answer(public: bytes) -> DnsAnswer:
    record = Record("", (b"v=DKIM1; k=rsa; p=" + public,))
    return DnsAnswer(QUESTION, Rcode.NOERROR, (record,), QUESTION.name, 60, "test", NOW)


def snapshot(*answers: DnsAnswer, number: int = 1) -> Snapshot:
    return Snapshot(dispatch=f"{number:032x}", at=NOW, observations=answers, verified=())


@pytest.mark.parametrize("today", [NO_KEY, NO_ANSWER, Observations.of([answer(OTHER_PUBLIC)])])
def test_a_replaced_key_is_taken_from_the_ledger_or_a_bundle(tmp_path: Path, today: Observations) -> None:
    with Ledger.create(tmp_path / "l", ORIGIN, now=NOW) as ledger:
        head = ledger.sign(NOW)
        mail = signed(make_header(head))
        asked: dict[str, Any] = {"observations": today, "offline": True, "now": NOW}
        (before,) = witness(mail, ledger=ledger, **asked).heads
        assert (before.held, before.key) == (Held.UNDECIDED, None)
        numbers = ledger.append_records([intent(1), snapshot(answer(OTHER_PUBLIC), *KEY.answers.values())])
        numbers += ledger.append_records([intent(2), snapshot(answer(OTHER_PUBLIC), number=2)])
        ledger.sign(NOW)
        (one,) = witness(mail, ledger=ledger, **asked).heads
        assert one.key and one.key.number == numbers[1] and not one.key.chained
        assert (one.carried.cover, one.held) == (Cover.COVERED, Held.SHOWN)
        bundle = continued(ledger, bundle_of(ledger, numbers), [head]).to_bytes()
        keys = ledger.verifier_keys()
        (one,) = witness(mail, bundle=bundle, keys=keys, **asked).heads
        assert one.key and one.held is Held.SHOWN
        # A bundle for which nobody vouches, or that was changed, lends no keys.
        for content, known in ((bundle, ()), (bundle.replace(b"test", b"tesT"), keys)):
            (one,) = witness(mail, bundle=content, keys=known, **asked).heads
            assert one.key is None and one.held is not Held.SHOWN
        # By its key a mail that was changed is none the better; and one for which there is a key today needs none.
        (one,) = witness(mail.replace(b"From: renewals", b"From: Renewals"), ledger=ledger, **asked).heads
        assert one.key is None and one.held is Held.UNDECIDED
        assert witness(mail, ledger=ledger, **{**asked, "observations": KEY}).heads[0].key is None


def test_a_changed_snapshot_lends_no_key(tmp_path: Path) -> None:
    with Ledger.create(tmp_path / "l", ORIGIN, now=NOW) as ledger:
        mail = signed(make_header(ledger.sign(NOW)))
        (number,) = ledger.append_records([snapshot(*KEY.answers.values())])
        ledger.sign(NOW)
    database = sqlite3.connect(tmp_path / "l" / "ledger.sqlite")
    database.execute("DROP TRIGGER entry_stays")
    changed = "UPDATE entry SET body = CAST(replace(body, 'resolver', 'Resolver') AS BLOB) WHERE number = ?"
    database.execute(changed, (number,))
    database.commit()
    database.close()
    with Ledger.open(tmp_path / "l", write=False) as ledger, pytest.raises(TamperedError, match=f"entry {number}"):
        witness(mail, ledger=ledger, observations=NO_KEY, offline=True, now=NOW)


def test_a_key_with_its_dnssec_chain_is_vouched_for_by_the_zone(tmp_path: Path) -> None:
    world = world_of.World()
    world.zone("")
    world.zone("example", algorithm=13)
    zone = world.zone("hosting.example", algorithm=13) or world.zones[world_of.name("hosting.example")]
    text = "v=DKIM1; k=rsa; p=" + PUBLIC.decode()
    strings = " ".join(f'"{text[n : n + 200]}"' for n in range(0, len(text), 200))
    zone.add(world_of.name("s2026._domainkey.hosting.example"), "TXT", strings)
    anchors = tuple(TrustAnchor.parse(one) for one in world.anchors)
    questions = [
        dnssec_signed(name, kind)
        for name, kind in [("", "DNSKEY")]
        + [(zone_, kind) for zone_ in ("example", "hosting.example") for kind in ("DS", "DNSKEY")]
    ]
    kept = [world.observe(q) for q in [*questions, dnssec_signed(QUESTION.name, "TXT")]]
    with Ledger.create(tmp_path / "l", ORIGIN, now=NOW) as ledger:
        mail = signed(make_header(ledger.sign(NOW)))
        ledger.append_records([snapshot(*kept)])
        ledger.sign(NOW)
        asked: dict[str, Any] = {"ledger": ledger, "observations": NO_KEY, "offline": True, "now": NOW}
        (one,) = witness(mail, **asked, anchors=anchors).heads
        assert one.key and one.key.chained and one.held is Held.SHOWN
        assert witness(mail, **asked).heads[0].key is None  # by IANA's anchors it proves nothing


# --- the command ---


def run(*words: object) -> Result:
    import typer

    from deliverability.terminal.witness import witness as command

    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.parametrize(("lang", "said"), [("en", "was only added to"), ("zh-Hant-TW", "紀錄只有增加")])
def test_the_command_says_what_was_found(tmp_path: Path, lang: str, said: str) -> None:
    with Ledger.create(tmp_path / "l", ORIGIN, now=NOW) as ledger:
        head = ledger.sign(NOW)
        ledger.append_records([intent(1)])
        ledger.sign(NOW)
    (tmp_path / "old.eml").write_bytes(ARRIVED + signed(make_header(head)))
    done = run(tmp_path / "old.eml", "--ledger", tmp_path / "l", "--offline", "--lang", lang, "--zone", "Asia/Taipei")
    assert done.exit_code == 3 and said in done.stdout and "2026-11-22 13:31:14 UTC+8" in done.stdout
    done = run(tmp_path / "old.eml", "--ledger", tmp_path / "l", "--offline", "--format", "json")
    assert '"cover": "undecided"' in done.stdout and '"code": "good"' in done.stdout and '"key": null' in done.stdout
    (tmp_path / "none.eml").write_bytes(MAIL)
    assert run(tmp_path / "none.eml", "--offline", "--lang", lang).exit_code == 4


def test_the_domain_whose_signature_holds_is_the_one_that_is_named(note: bytes) -> None:
    """Anybody may sign a mail with his own domain, and put the sender's broken signature on top."""
    message = f"{make_header(note)}\r\n".encode() + MAIL
    names = [b"from", FIELD.lower().encode()]
    with patch.object(dkimpy, "time", SimpleNamespace(time=NOW.timestamp)):
        stranger = dkimpy.sign(message, b"s", b"stranger.example", PEM, include_headers=names)
        theirs = dkimpy.sign(message, b"s2026", b"hosting.example", PEM, include_headers=names)
    mail = bytes(theirs).replace(b"bh=", b"bh=AAAA", 1) + bytes(stranger) + message
    question = DnsQuestion("s._domainkey.stranger.example", "TXT")
    key = DnsAnswer(question, Rcode.NOERROR, (Record("", (b"p=" + PUBLIC,)),), question.name, 60, "test", NOW)
    unknown = CouldNotLook(question, Obstacle.TIMEOUT, "", "", NOW)
    verifies, names_it = "DKIM signature of stranger.example that verifies", "DKIM signature of stranger.example names"
    for known, cover, named in ((key, Cover.COVERED, verifies), (unknown, Cover.UNDECIDED, names_it)):
        (carried,) = read_header(mail, KEY.joined((known,)), NOW)
        assert carried.signatures[0].reason.value == "body-hash-mismatch" and carried.cover is cover
        said = " ".join(cover_lines("en", carried))
        assert named in said and "hosting.example" not in said
        assert "stranger.example" in " ".join(cover_lines("zh-Hant-TW", carried))


@pytest.mark.parametrize(("lang", "said"), [("en", "Whoever keeps the log kept the key"), ("zh-Hant-TW", "自行保存")])
def test_the_command_says_where_a_key_came_from(tmp_path: Path, lang: str, said: str) -> None:
    with Ledger.create(tmp_path / "l", ORIGIN, now=NOW) as ledger:
        head = ledger.sign(NOW)
        numbers = ledger.append_records([intent(1), snapshot(*KEY.answers.values())])
        ledger.sign(NOW)
        bundle = continued(ledger, bundle_of(ledger, numbers), [head]).to_bytes()
        (key,) = ledger.verifier_keys()
    (tmp_path / "old.eml").write_bytes(ARRIVED + signed(make_header(head)))
    (tmp_path / "bundle.json").write_bytes(bundle)
    for words in (["--ledger", tmp_path / "l"], ["--bundle", tmp_path / "bundle.json", "--key", key.to_text()]):
        done = run(tmp_path / "old.eml", *words, "--offline", "--lang", lang)
        assert done.exit_code == 0 and said in done.stdout and f" {numbers[1]} " in done.stdout
        done = run(tmp_path / "old.eml", *words, "--offline", "--format", "json")
        assert json.loads(done.stdout)["heads"][0]["key"] == {
            "entry": numbers[1],
            "at": NOW.isoformat(),
            "dnssec": False,
        }
