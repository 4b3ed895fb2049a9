"""A bundle shows what it shows; any change of it is refused or shown to be outside of what is claimed."""

import json
import random
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_records import AT, intent

from deliverability.errors import CannotLookError, ParseError, UsageError
from deliverability.evidence.recorder import Finish, Later, Outcome
from deliverability.evidence.smtp import Reply
from deliverability.ledger.bundle import Bundle, File, parse_bundle
from deliverability.ledger.log import Ledger
from deliverability.ledger.notes import VerifierKey
from deliverability.ledger.proving import bundle_of, continued, numbers_for
from deliverability.ledger.store import Token
from deliverability.ledger.timestamps import (
    certificates_from_pem,
    is_over,
    request_for,
    stamped_at,
    unchecked_method,
    verify_response,
)
from deliverability.ledger.verify import Held, Step, Verification, verify_bundle
from deliverability.protocols import canonical

ORIGIN = "hosting.example/dispatch"
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
MAIL = b"From: a@hosting.example\r\n\r\nRenewal\r\n"


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with Ledger.create(tmp_path_factory.mktemp("ledger") / "l", ORIGIN, now=NOW) as made:
        for number in range(1, 9):
            account, to = ("4711", "chen@hinet.example") if number % 2 else ("9", "mei@gmail.example")
            sent = intent(number, account=account, forward_path=to, sha256=sha256(MAIL).hexdigest())
            made.append_records([sent])
            if number != 7:
                reply = Reply(250, "2.0.0", "250 2.0.0 OK")
                made.append_records(
                    [Outcome(dispatch=sent.dispatch, at=AT, finish=Finish.ACCEPTED, stage="end-of-data", reply=reply)]
                )
        made.sign(NOW)
        yield made


@pytest.fixture(scope="module")
def bundle(ledger: Ledger) -> Bundle:
    return bundle_of(ledger, numbers_for(ledger, account="4711"), [File("notice.eml", "message/rfc822", MAIL)])


def steps(done: Verification) -> dict[Step, set[Held]]:
    found: dict[Step, set[Held]] = {}
    for finding in done.findings:
        found.setdefault(finding.step, set()).add(finding.held)
    return found


def test_a_bundle_is_written_and_read_alike(bundle: Bundle) -> None:
    assert parse_bundle(bundle.to_bytes()) == bundle
    without = replace(bundle, files=())
    assert len(without.to_bytes()) < 24_000


def test_with_the_published_key_everything_is_shown(ledger: Ledger, bundle: Bundle) -> None:
    done = verify_bundle(bundle.to_bytes(), keys=ledger.verifier_keys())
    assert steps(done) == {
        Step.FORM: {Held.SHOWN},
        Step.RECORDS: {Held.SHOWN},
        Step.INCLUSION: {Held.SHOWN},
        Step.SIGNATURE: {Held.SHOWN},
        Step.TIME: {Held.ABSENT},
        Step.PAIRS: {Held.SHOWN},
        Step.SEQUENCE: {Held.SHOWN},
        Step.FILES: {Held.SHOWN},
    }
    assert done.complete and not done.tampered
    assert [d.finish for d in done.dispatches] == [Finish.ACCEPTED] * 3 + [None]


def test_a_key_out_of_the_bundle_itself_is_no_seal(bundle: Bundle) -> None:
    done = verify_bundle(bundle.to_bytes())
    assert steps(done)[Step.SIGNATURE] == {Held.UNDECIDED}
    assert not done.complete and not done.tampered


def test_another_key_fails(bundle: Bundle) -> None:
    done = verify_bundle(bundle.to_bytes(), keys=[VerifierKey(ORIGIN, b"\x07" * 32)])
    assert steps(done)[Step.SIGNATURE] == {Held.FAILED}
    assert done.tampered and not done.dispatches


def test_one_dispatch_comes_with_all_that_refers_to_it(ledger: Ledger) -> None:
    ledger.append_records(
        [Later(dispatch=f"{3:032x}", at=AT, kind="dsn", finish=Finish.REFUSED, level=None, witness="x")]
    )
    ledger.sign(NOW)
    done = verify_bundle(
        bundle_of(ledger, numbers_for(ledger, dispatch=f"{3:032x}")).to_bytes(), keys=ledger.verifier_keys()
    )
    (dispatch,) = done.dispatches
    assert (len(dispatch.outcomes), len(dispatch.later), dispatch.finish) == (1, 1, Finish.REFUSED)
    # Of the customer's sequence only a part is shown, and that shows.
    assert steps(done)[Step.SEQUENCE] == {Held.ABSENT}


def test_an_address_finds_its_dispatches(ledger: Ledger) -> None:
    done = verify_bundle(
        bundle_of(ledger, numbers_for(ledger, address="Mei@GMAIL.example")).to_bytes(), keys=ledger.verifier_keys()
    )
    assert len(done.dispatches) == 4
    with pytest.raises(UsageError):
        bundle_of(ledger, numbers_for(ledger, address="nobody@x.example"))
    with pytest.raises(UsageError):
        numbers_for(ledger, dispatch="e" * 32)


def test_entries_without_a_head_cannot_be_shown_yet(ledger: Ledger) -> None:
    (number,) = ledger.append_records([intent(1000)])
    with pytest.raises(CannotLookError, match="no head"):
        bundle_of(ledger, [number])
    ledger.sign(NOW)
    assert bundle_of(ledger, [number]).entries


def test_every_changed_octet_is_refused(ledger: Ledger, bundle: Bundle) -> None:
    """Every octet of a bundle counts, but for the list of keys that it names itself."""
    content = bundle_of(ledger, numbers_for(ledger, dispatch=f"{1:032x}")).to_bytes()
    start = content.index(b'"keys":[')
    own_keys = range(start, content.index(b"]", start))
    keys = ledger.verifier_keys()
    assert verify_bundle(content, keys=keys).complete
    generator = random.Random(7)
    for place in range(len(content)):
        for changed in {content[place] ^ 1, generator.randrange(256)} - {content[place]}:
            bad = content[:place] + bytes([changed]) + content[place + 1 :]
            assert not verify_bundle(bad, keys=keys).complete or place in own_keys, (
                place,
                bad[place - 20 : place + 20],
            )
        assert not verify_bundle(content[:place] + content[place + 1 :], keys=keys).complete or place in own_keys
        assert not verify_bundle(content[:place] + b"x" + content[place:], keys=keys).complete or place in own_keys
    assert not verify_bundle(content + b"\n", keys=keys).complete


def changed(bundle: Bundle, **other: object) -> bytes:
    return replace(bundle, **other).to_bytes()  # type: ignore[arg-type]


def test_records_cannot_trade_places(ledger: Ledger, bundle: Bundle) -> None:
    first, second, *rest = bundle.entries
    swapped = [
        changed(bundle, entries=(second, first, *rest)),
        changed(bundle, entries=(replace(first, record=second.record, salt=second.salt), second, *rest)),
        changed(bundle, entries=(replace(first, proof=second.proof), second, *rest)),
        changed(bundle, entries=(replace(first, number=second.number), second, *rest)),
        changed(bundle, entries=(first, first, second, *rest)),
    ]
    for content in swapped:
        assert verify_bundle(content, keys=ledger.verifier_keys()).tampered


def test_a_left_out_entry_shows(ledger: Ledger, bundle: Bundle) -> None:
    done = verify_bundle(
        changed(bundle, entries=(*bundle.entries[:2], *bundle.entries[3:])), keys=ledger.verifier_keys()
    )
    assert Held.SHOWN not in steps(done)[Step.SEQUENCE]


def test_another_file_is_not_the_one_that_was_recorded(ledger: Ledger, bundle: Bundle) -> None:
    done = verify_bundle(
        changed(bundle, files=(File("notice.eml", "message/rfc822", MAIL + b"x"),)), keys=ledger.verifier_keys()
    )
    assert steps(done)[Step.FILES] == {Held.FAILED}
    with pytest.raises(ParseError):
        parse_bundle(changed(bundle, files=(File("../etc/passwd", "message/rfc822", MAIL),)))


def test_erased_entries_leave_proofs_and_say_so(tmp_path: Path) -> None:
    with Ledger.create(tmp_path / "l", ORIGIN, now=NOW) as ledger:
        numbers = ledger.append_records([intent(1), intent(2), intent(3)])
        ledger.sign(NOW)
        ledger.store.empty(numbers[:1], account=None, address=None)
        done = verify_bundle(bundle_of(ledger, numbers).to_bytes(), keys=ledger.verifier_keys())
        assert done.erased == 1 and done.complete and not done.tampered
        ledger.store.empty(numbers[1:], account=None, address=None)
        done = verify_bundle(bundle_of(ledger, numbers).to_bytes(), keys=ledger.verifier_keys())
        assert not done.complete and not done.tampered


# --- heads that somebody else holds ---


def test_a_head_out_of_an_old_mail_is_held_against_the_log(tmp_path: Path) -> None:
    with Ledger.create(tmp_path / "l", ORIGIN, now=NOW) as ledger:
        old = ledger.head.read() or b""
        numbers = ledger.append_records([intent(1)])
        ledger.sign(NOW)
        bundle = bundle_of(ledger, numbers)
        ledger.append_records([intent(2)])
        new = ledger.sign(NOW)
        keys = ledger.verifier_keys()
        alone = verify_bundle(bundle.to_bytes(), keys=keys, held_heads=[old, new])
        assert steps(alone)[Step.LATER] == {Held.UNDECIDED}
        full = continued(ledger, bundle, [old, new, bundle.checkpoint])
        done = verify_bundle(full.to_bytes(), keys=keys, held_heads=[old, new, bundle.checkpoint])
        assert steps(done)[Step.LATER] == {Held.SHOWN}
        for bad in (b"rubbish", new.replace(b"\xe2\x80\x94 ", b"\xe2\x80\x94 x", 1)):
            assert steps(verify_bundle(full.to_bytes(), keys=keys, held_heads=[bad]))[Step.LATER] == {Held.UNDECIDED}


def test_a_head_of_a_rewritten_log_is_a_fork(tmp_path: Path) -> None:
    import shutil

    with Ledger.create(tmp_path / "l", ORIGIN, now=NOW):
        pass
    shutil.copytree(tmp_path / "l", tmp_path / "m")
    heads, bundles, keys = [], [], []
    for name, number in (("l", 1), ("m", 2)):
        with Ledger.open(tmp_path / name, write=True) as ledger:
            numbers = ledger.append_records([intent(number)])
            heads.append(ledger.sign(NOW))
            bundles.append(bundle_of(ledger, numbers))
            keys = list(ledger.verifier_keys())
    done = verify_bundle(bundles[0].to_bytes(), keys=keys, held_heads=[heads[1]])
    assert steps(done)[Step.LATER] == {Held.FAILED}


# --- time ---

EXTENSIONS = "extendedKeyUsage=critical,timeStamping\n"
CONFIG = """[tsa]
default_tsa=t
[t]
serial={f}/serial
signer_cert={f}/tsa.pem
{certs}
signer_key={f}/tsa.key
signer_digest=sha256
default_policy=1.2.3.4.1
digests=sha256
ess_cert_id_alg=sha256
"""


@pytest.fixture(scope="module", params=["", "certs={f}/ca.pem"], ids=["alone", "with its chain"])
def authority(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tsa")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    (folder / "ext").write_text(EXTENSIONS)
    (folder / "serial").write_text("01\n")
    certs = request.param.format(f=folder)
    (folder / "tsa.cnf").write_text(CONFIG.format(f=folder, certs=certs))
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650", "-subj", "/CN=Test Root")
    openssl("req", *new, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Test Authority")
    sign = ("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "365")
    openssl(*sign, "-out", "tsa.pem", "-extfile", "ext")
    return folder


def stamp(folder: Path, note: bytes) -> bytes:
    (folder / "query").write_bytes(request_for(note))
    words = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "response"]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    return (folder / "response").read_bytes()


def test_a_token_of_openssl_is_shown_and_another_note_is_not(authority: Path, ledger: Ledger) -> None:
    roots = certificates_from_pem((authority / "ca.pem").read_bytes())
    bundle = bundle_of(ledger, numbers_for(ledger, account="9"))
    token = stamp(authority, bundle.checkpoint)
    content = replace(bundle, tokens=(token,)).to_bytes()
    done = verify_bundle(content, keys=ledger.verifier_keys(), roots=roots)
    assert steps(done)[Step.TIME] == {Held.SHOWN}
    assert done.stamped[0][0] == "CN=Test Authority"
    assert steps(verify_bundle(content, keys=ledger.verifier_keys()))[Step.TIME] == {Held.UNDECIDED}
    other = replace(bundle, tokens=(stamp(authority, b"another note\n"),)).to_bytes()
    assert steps(verify_bundle(other, keys=ledger.verifier_keys(), roots=roots))[Step.TIME] == {Held.FAILED}


@pytest.mark.parametrize("ca", ["FALSE", "TRUE"])
def test_nobody_vouches_for_himself(authority: Path, ledger: Ledger, tmp_path: Path, ca: str) -> None:
    """Whoever holds a bundle can make a certificate that bears its own signature, and stamp whatever time he likes."""
    new = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-config",
        "cnf",
    ]
    extensions = f"[e]\nbasicConstraints=critical,CA:{ca}\n{EXTENSIONS}"
    (tmp_path / "cnf").write_text(f"[req]\ndistinguished_name=n\nx509_extensions=e\n[n]\n{extensions}")
    (tmp_path / "serial").write_text("01\n")
    (tmp_path / "tsa.cnf").write_text(CONFIG.format(f=tmp_path, certs=""))
    subprocess.run(
        [*new, "-keyout", "tsa.key", "-out", "tsa.pem", "-subj", "/CN=Test Authority"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    roots = certificates_from_pem((authority / "ca.pem").read_bytes())
    bundle = bundle_of(ledger, numbers_for(ledger, account="9"))
    token = stamp(tmp_path, bundle.checkpoint)
    with pytest.raises(ParseError):
        verify_response(token, bundle.checkpoint, roots)
    done = verify_bundle(replace(bundle, tokens=(token,)).to_bytes(), keys=ledger.verifier_keys(), roots=roots)
    assert done.stamped == () and steps(done)[Step.TIME] == {Held.UNDECIDED}


def test_of_two_authorities_a_reader_may_know_the_root_of_one(
    authority: Path, ledger: Ledger, tmp_path: Path, own_root: bytes
) -> None:
    bundle = bundle_of(ledger, numbers_for(ledger, account="9"))
    token = stamp(authority, bundle.checkpoint)
    content = replace(bundle, tokens=(token,)).to_bytes()
    done = verify_bundle(content, keys=ledger.verifier_keys(), roots=certificates_from_pem(own_root))
    assert steps(done)[Step.TIME] == {Held.UNDECIDED} and not done.tampered
    root = (authority / "ca.pem").read_bytes()
    done = verify_bundle(content, keys=ledger.verifier_keys(), roots=certificates_from_pem(own_root + root))
    assert steps(done)[Step.TIME] == {Held.SHOWN}


@pytest.fixture
def own_root(tmp_path: Path) -> bytes:
    words = "openssl req -x509 -newkey ed25519 -nodes -keyout k -out c -subj /CN=Other"
    subprocess.run(words.split(), cwd=tmp_path, check=True, capture_output=True)
    return (tmp_path / "c").read_bytes()


def test_a_token_of_another_authority_is_not_trusted(authority: Path, ledger: Ledger, tmp_path: Path) -> None:
    words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ed25519",
        "-nodes",
        "-keyout",
        "k",
        "-out",
        "c",
        "-subj",
        "/CN=Other",
    ]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    note = ledger.head.read() or b""
    with pytest.raises(ParseError):
        verify_response(stamp(authority, note), note, certificates_from_pem((tmp_path / "c").read_bytes()))
    with pytest.raises(ParseError):
        verify_response(stamp(authority, note), note, ())


def test_a_changed_octet_of_a_token_is_refused_with_a_sentence_or_outside_of_what_is_signed(
    authority: Path, ledger: Ledger
) -> None:
    """Parts of a token are read late by the libraries, each with a complaint of its own."""
    note = ledger.sign(NOW)
    token, roots = stamp(authority, note), certificates_from_pem((authority / "ca.pem").read_bytes())
    held = verify_response(token, note, roots)
    refused = 0
    for place in range(len(token)):
        bad = [token[:place] + bytes([octet]) + token[place + 1 :] for octet in (token[place] ^ 1, 0x18)]
        for changed in bad:
            for read in (stamped_at, unchecked_method, partial(is_over, note=note)):
                with suppress(ParseError):
                    read(changed)
        try:
            assert verify_response(bad[0], note, roots) == held
        except ParseError:
            refused += 1
    assert refused > len(token) // 2


def test_the_newest_stamped_head_is_the_one_that_is_shown(authority: Path, tmp_path: Path) -> None:
    with Ledger.create(tmp_path / "l", ORIGIN, now=NOW) as ledger:
        (number,) = ledger.append_records([intent(1)])
        ledger.sign(NOW)
        ledger.append_records([intent(2)])
        stamped = ledger.sign(NOW)
        ledger.store.keep_token(Token(ledger.store.size, "test", stamp(authority, stamped), NOW))
        bundle = bundle_of(ledger, [number])
        assert bundle.checkpoint == stamped and len(bundle.tokens) == 1


# --- what a stranger may hand over ---


@given(st.binary(max_size=400))
def test_any_octets_are_refused_with_a_sentence(content: bytes) -> None:
    done = verify_bundle(content)
    assert not done.complete and [f.step for f in done.findings] == [Step.FORM]


@given(
    st.recursive(st.none() | st.integers() | st.text(max_size=9), lambda x: st.lists(x, max_size=4), max_leaves=9),
    st.data(),
)
def test_any_member_of_another_shape_is_refused(odd: object, data: st.DataObject) -> None:
    value = json.loads(SMALL)
    name = data.draw(st.sampled_from(sorted(value)))
    if value[name] == odd:
        return
    try:
        content = canonical.to_bytes(value | {name: odd})
    except ParseError:
        return
    assert not verify_bundle(content, keys=[VerifierKey(ORIGIN, b"\x07" * 32)]).complete


SMALL = Bundle(ORIGIN, (), b"x\n", ()).to_bytes()


@pytest.mark.parametrize(
    "content",
    [
        b"{" * 100_000,
        SMALL.replace(b'"schema_version":1', b'"schema_version":2'),
        SMALL.replace(b'"origin"', b'"origin":"","origin"', 1),
        SMALL[:-1],
        SMALL.replace(b"}", b',"zzz":1}'),
        b"\x00" * 10,
    ],
)
def test_bad_bundles_are_refused(content: bytes) -> None:
    done = verify_bundle(content)
    assert not done.complete and not done.dispatches and [f.step for f in done.findings] == [Step.FORM]


def test_a_newer_version_is_named() -> None:
    done = verify_bundle(SMALL.replace(b'"schema_version":1', b'"schema_version":2'))
    assert "newer one" in done.findings[0].parameters["problem"]
