"""The page judges time-stamps itself: real tokens of OpenSSL's authority, in every method, and every octet of them changed."""

import base64
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any

import pytest
import sealed_bundles
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from deliverability.errors import ParseError
from deliverability.ledger import verifier_page as builder
from deliverability.ledger.bundle import parse_bundle
from deliverability.ledger.timestamps import certificates_from_pem, request_for, unchecked_method, verify_response
from deliverability.ledger.verify import verify_bundle

SCRIPTS = [Path(builder.__file__).parent / "verifier" / name for name in builder.SCRIPTS]
NOTE = b"hosting.example/dispatch\n1\nroot\n"

CONFIGURATION = """[tsa]
default_tsa=t
[t]
serial={f}/serial
signer_cert={f}/tsa.pem
certs={f}/chain.pem
signer_key={f}/tsa.key
signer_digest={digest}
default_policy=1.2.3.4.1
digests=sha256
ess_cert_id_chain={whole}
ess_cert_id_alg={ess}
accuracy=secs:1,millisecs:500
clock_precision_digits=3
ordering=yes
tsa_name=yes
[root]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
[middle]
basicConstraints=critical,CA:TRUE,pathlen:0
keyUsage=critical,keyCertSign
[signer]
keyUsage=critical,digitalSignature
extendedKeyUsage=critical,timeStamping
[not-critical]
extendedKeyUsage=timeStamping
[two]
extendedKeyUsage=critical,timeStamping,codeSigning
[none]
keyUsage=digitalSignature
[strange]
extendedKeyUsage=critical,timeStamping
1.2.3.4=critical,DER:0500
[no-authority]
basicConstraints=critical,CA:FALSE
"""
KEYS = {
    "rsa": ["-newkey", "rsa:2048"],
    "short": ["-newkey", "rsa:1024"],
    "p256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p384": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "p521": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
    "ed25519": ["-newkey", "ed25519"],
}
PSS = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32", "-sigopt", "rsa_mgf1_md:sha256"]


@dataclass(frozen=True)
class Authority:
    """One way to be an authority."""

    key: str = "p256"
    above: str = "p256"
    middle: str | None = None
    digest: str = "sha256"
    ess: str = "sha256"
    purpose: str = "signer"
    middle_is: str = "middle"
    pss: bool = False
    root_in_token: bool = True
    days: int = 365

    def make(self, folder: Path) -> "Made":
        """Root, what is between, signer, and a token over :data:`NOTE`."""
        folder.mkdir()
        (folder / "serial").write_text("01\n")
        whole = "yes" if self.middle else "no"
        text = CONFIGURATION.format(f=folder, digest=self.digest, ess=self.ess, whole=whole)
        (folder / "c.cnf").write_text(text)

        def openssl(*words: str) -> None:
            done = subprocess.run(["openssl", *words], cwd=folder, check=False, capture_output=True)
            assert done.returncode == 0, done.stderr.decode()

        pss = PSS if self.pss else []
        begin = ["req", "-x509", *KEYS[self.above], "-nodes", "-keyout", "root.key", "-out", "root.pem", *pss]
        openssl(*begin, "-days", "3650", "-subj", "/O=Root/CN=Test Root", "-config", "c.cnf", "-extensions", "root")
        issuer = "root"
        for name, key, extensions in (("middle", self.middle, self.middle_is), ("tsa", self.key, self.purpose)):
            if key is None:
                continue
            asked = ["req", *KEYS[key], "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-config", "c.cnf"]
            openssl(*asked, "-subj", f"/CN=Test {name}")
            signed = ["x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key", *pss]
            openssl(
                *signed, "-CAcreateserial", "-days", str(self.days), "-out", f"{name}.pem", "-extfile", "c.cnf",
                "-extensions", extensions,
            )  # fmt: skip
            issuer = name
        between = (folder / "middle.pem").read_text() if self.middle else ""
        (folder / "chain.pem").write_text(between + ((folder / "root.pem").read_text() if self.root_in_token else ""))
        return Made(folder, self)


@dataclass(frozen=True)
class Made:
    """An authority's folder."""

    folder: Path
    how: Authority

    def stamp(self, note: bytes = NOTE) -> bytes:
        (self.folder / "query").write_bytes(request_for(note))
        words = ["openssl", "ts", "-reply", "-config", "c.cnf", "-queryfile", "query", "-out", "response"]
        done = subprocess.run(words, cwd=self.folder, check=False, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        return (self.folder / "response").read_bytes()

    def certificate(self, name: str = "root") -> x509.Certificate:
        return x509.load_pem_x509_certificate((self.folder / f"{name}.pem").read_bytes())

    def der(self, name: str = "root") -> bytes:
        return self.certificate(name).public_bytes(Encoding.DER)

    def fingerprint(self, name: str = "root") -> str:
        return self.certificate(name).fingerprint(SHA256()).hex()


def page_says(asked: list[tuple[bytes, list[bytes], list[str]]], note: bytes = NOTE) -> list[Any]:
    """What the page's script says of each token under Node: an object, or what is wrong."""
    node = shutil.which("node")
    if node is None:
        if os.environ.get("REQUIRE_SERVERS") == "1":
            pytest.fail("node is not installed (Debian: apt-get install nodejs)")
        pytest.skip("node is not installed")
    script = (
        "globalThis.crypto ??= require('crypto').webcrypto;"  # Node 18
        f"for (const one of {json.dumps([str(s) for s in SCRIPTS])}) require(one);"
        f"const b = t => Uint8Array.from(Buffer.from(t, 'base64')), note = b({json.dumps(base64.b64encode(note).decode())});"
        "(async () => { for (const line of require('fs').readFileSync(0, 'utf8').split('\\n').filter(l => l)) {"
        " const [token, roots, prints] = JSON.parse(line); let said; try { said = await"
        " verifier.stamps.verifyToken(b(token), note, roots.map(b), prints); } catch (e) { said = `${e.constructor.name}: ${e.message}`; }"
        " console.log(JSON.stringify(said)); } })()"
    )
    lines = "\n".join(
        json.dumps([base64.b64encode(token).decode(), [base64.b64encode(r).decode() for r in roots], prints])
        for token, roots, prints in asked
    )
    done = subprocess.run([node, "-e", script], input=lines.encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def says_shown(said: Any) -> bool:
    return isinstance(said, dict) and said["vouched"] and said["unable"] is None


GOOD = {
    "ecdsa": Authority(),
    "ecdsa 384, sha512": Authority(key="p384", above="p384", digest="sha512", ess="sha512"),
    "ecdsa 521": Authority(key="p521", above="p521", digest="sha384"),
    "rsa": Authority(key="rsa", above="rsa"),
    "rsa, sha1 binding": Authority(key="rsa", above="rsa", digest="sha512", ess="sha1"),
    "pss certificates": Authority(key="rsa", above="rsa", pss=True),
    "ed25519 root": Authority(above="ed25519"),
    "intermediate": Authority(middle="rsa"),
    "intermediate, root not in the token": Authority(key="rsa", middle="p384", root_in_token=False),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    folder = tmp_path_factory.mktemp("authorities")
    return {name: how.make(folder / str(number)) for number, (name, how) in enumerate(GOOD.items())}


def test_tokens_of_every_method_are_shown_by_their_root_alone(made: dict[str, Made]) -> None:
    stranger = made["rsa"].der()
    for name, authority in made.items():
        token = authority.stamp()
        verify_response(token, NOTE, certificates_from_pem((authority.folder / "root.pem").read_bytes()))
        other = stranger if name != "rsa" else made["ecdsa"].der()
        asked: list[tuple[bytes, list[bytes], list[str]]] = [
            (token, [authority.der()], []),
            (token, [other, authority.der()], []),
            (token, [], [authority.fingerprint("tsa")]),
            (token, [authority.der("tsa")], []),
            (token, [], []),
            (token, [other], []),
            (token, [], ["ab" * 32]),
            (token, [], [authority.fingerprint()]),
        ]
        by_root, by_two, by_print, by_itself, alone, by_other, by_no_print, by_root_print = page_says(asked)
        for said in (by_root, by_two, by_print, by_itself):
            assert says_shown(said) and said["authority"] == "Test tsa", (name, said)
        assert by_root["when"].startswith("20") and by_root["when"].endswith("+00:00")
        assert (alone["vouched"], alone["unable"], alone["authority"]) == (False, None, "Test tsa"), name
        for said in (by_other, by_no_print):  # of another authority: nothing speaks against it, and nothing is shown
            assert (said["vouched"], said["unable"], said["authority"]) == (False, None, "Test tsa"), name
        assert says_shown(by_root_print) is authority.how.root_in_token
        assert page_says([(token, [authority.der()], [])], b"another note") == [
            "Bad: the time-stamp is over other octets"
        ]


BAD = {
    "a purpose that is not critical": Authority(purpose="not-critical"),
    "two purposes": Authority(purpose="two"),
    "no purpose": Authority(purpose="none"),
    "a middle that is no authority": Authority(middle="p256", middle_is="no-authority"),
}


@pytest.mark.parametrize("name", BAD)
def test_certificates_that_may_not_are_refused(tmp_path: Path, name: str) -> None:
    made = Authority(middle=BAD[name].middle).make(tmp_path / "good")
    # OpenSSL's own authority refuses most of these to itself, so that its certificate is changed behind its back.
    bad = replace(BAD[name], purpose="signer").make(tmp_path / "bad")
    good_token = made.stamp()
    token = bad.stamp() if BAD[name].purpose == "signer" else _restamped(bad, BAD[name].purpose)
    said = page_says([(token, [bad.der()], []), (good_token, [made.der()], [])])
    assert not says_shown(said[0]) and says_shown(said[1])
    if name != "a middle that is no authority":  # who may vouch for nobody has not vouched
        assert isinstance(said[0], str) and said[0].startswith("Bad: "), said[0]
    with pytest.raises(ParseError):
        verify_response(token, NOTE, certificates_from_pem((bad.folder / "root.pem").read_bytes()))


def _restamped(made: Made, purpose: str) -> bytes:
    """A token of an authority whose certificate has another purpose: signed by the CMS tool, which does not look."""
    folder = made.folder

    def openssl(*words: str) -> bytes:
        done = subprocess.run(["openssl", *words], cwd=folder, check=False, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    openssl(
        "req",
        *KEYS[made.how.key],
        "-nodes",
        "-keyout",
        "x.key",
        "-out",
        "x.csr",
        "-config",
        "c.cnf",
        "-subj",
        "/CN=Test tsa",
    )
    signed = [
        "x509",
        "-req",
        "-in",
        "x.csr",
        "-CA",
        "root.pem",
        "-CAkey",
        "root.key",
        "-CAcreateserial",
        "-out",
        "x.pem",
    ]
    openssl(*signed, "-days", "365", "-extfile", "c.cnf", "-extensions", purpose)
    token = made.stamp()  # last: a certificate is not valid before it was made
    openssl("ts", "-reply", "-in", "response", "-token_out", "-out", "token.der")
    info = openssl("cms", "-verify", "-inform", "DER", "-in", "token.der", "-noverify", "-binary")
    (folder / "info.der").write_bytes(info)
    openssl(
        "cms", "-sign", "-in", "info.der", "-signer", "x.pem", "-inkey", "x.key", "-md", "sha256", "-cades", "-binary",
        "-nodetach", "-outform", "DER", "-econtent_type", "1.2.840.113549.1.9.16.1.4", "-nosmimecap", "-out", "x.der",
    )  # fmt: skip
    content = b"\x30\x03\x02\x01\x00" + (folder / "x.der").read_bytes()
    assert len(token) > 300
    return b"\x30\x82" + len(content).to_bytes(2, "big") + content


def test_the_cms_tool_can_make_a_token_that_is_shown(made: dict[str, Made]) -> None:
    """So that the refusals above are for the certificate's purpose and nothing else."""
    token = _restamped(made["ecdsa"], "signer")
    (said,) = page_says([(token, [made["ecdsa"].der()], [])])
    assert says_shown(said), said


def test_what_it_cannot_judge_is_never_shown(tmp_path: Path) -> None:
    short = Authority(key="short", above="rsa").make(tmp_path / "short")
    strange = Authority(purpose="strange").make(tmp_path / "strange")
    said = page_says([(short.stamp(), [short.der()], []), (strange.stamp(), [strange.der()], [])])
    assert [one["vouched"] for one in said] == [False, False]
    assert said[0]["unable"] == "RSA 1024" and said[1]["unable"].startswith("OID ")


def test_a_certificate_that_was_not_valid_then_is_refused(tmp_path: Path) -> None:
    made = Authority().make(tmp_path / "a")
    # One that begins tomorrow: the authority's clock says otherwise than its certificate.
    words = ["openssl", "x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial"]
    words += ["-days", "-1", "-out", "tsa.pem", "-extfile", "c.cnf", "-extensions", "signer"]
    done = subprocess.run(words, cwd=made.folder, check=False, capture_output=True)
    if done.returncode != 0:
        pytest.skip("this openssl makes no certificate that has expired")
    (said,) = page_says([(made.stamp(), [made.der()], [])])
    assert isinstance(said, str) and "not valid at the time" in said


@pytest.mark.parametrize("name", ["ecdsa", "rsa", "intermediate"])
def test_any_octet_changed_is_refused_or_outside_of_what_is_signed(made: dict[str, Made], name: str) -> None:
    authority = made[name]
    token = authority.stamp()
    root = authority.der()
    # What a time-stamp brings along and needs for nothing: the root, which the reader has.
    start = token.index(root)
    asked: list[tuple[bytes, list[bytes], list[str]]] = []
    places = []
    for place in range(len(token)):
        for change in (0x01, 0x80, 0xFF):
            changed = bytearray(token)
            changed[place] ^= change
            asked.append((bytes(changed), [root], []))
            places.append(place)
    shown = {place for place, said in zip(places, page_says(asked), strict=True) if says_shown(said)}
    outside = set(range(start, start + len(root)))
    assert shown <= outside, sorted(shown - outside)
    cut = [(token[:place], [root], []) for place in range(0, len(token), 7)] + [(token + b"\0", [root], [])]
    assert not [said for said in page_says(cut) if says_shown(said)]


def test_a_bundles_verdict_does_not_rest_on_time(tmp_path: Path) -> None:
    """Through the page's whole verification: shown by the root, open without, failed by another."""
    world = sealed_bundles.make(tmp_path)
    content = world.good["stamped"]
    note = parse_bundle(content).checkpoint
    token = parse_bundle(content).tokens[0]
    root = certificates_from_pem(world.root)[0].public_bytes(Encoding.DER)
    (said,) = page_says([(token, [root], [])], note)
    assert says_shown(said) and said["authority"] == "Test Authority"


# --- signed by the authority itself with RSASSA-PSS and Ed25519 ---

TST_INFO, PKCS_9 = "2a864886f70d0109100104", "2a864886f70d0109"
SHA512 = bytes.fromhex("300b0609608648016503040203")


def der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8 or 1, "big")
    return bytes([tag]) + (b"" if len(content) < 128 else bytes([0x80 | len(length)])) + length + content


def response_of(token: bytes) -> bytes:
    return der(0x30, bytes.fromhex("3003020100"), token)


def info_of(made: Made, note: bytes) -> bytes:
    made.stamp(note)
    for words in (
        ["ts", "-reply", "-in", "response", "-token_out", "-out", "token.der"],
        ["cms", "-verify", "-inform", "DER", "-in", "token.der", "-noverify", "-binary", "-out", "info.der"],
    ):
        done = subprocess.run(["openssl", *words], cwd=made.folder, check=False, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
    return (made.folder / "info.der").read_bytes()


def stamped_by_pss(made: Made, note: bytes, *options: str) -> bytes:
    info_of(made, note)
    words = ["cms", "-sign", "-in", "info.der", "-signer", "tsa.pem", "-inkey", "tsa.key", "-md", "sha256", "-cades"]
    words += ["-binary", "-nodetach", "-outform", "DER", "-econtent_type", "1.2.840.113549.1.9.16.1.4", "-nosmimecap"]
    for option in ("rsa_padding_mode:pss", *options):
        words += ["-keyopt", option]
    done = subprocess.run(["openssl", *words, "-out", "x.der"], cwd=made.folder, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return response_of((made.folder / "x.der").read_bytes())


def stamped_by_ed25519(made: Made, info: bytes) -> bytes:
    """By hand (RFC 5652 §5, RFC 8419 §3): OpenSSL's authority has no such method."""
    key = load_pem_private_key((made.folder / "tsa.key").read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    certificate, octets = made.certificate("tsa"), made.der("tsa")

    def attribute(name: str, value: bytes) -> bytes:
        return der(0x30, der(6, bytes.fromhex(name)), der(0x31, value))

    kind = der(6, bytes.fromhex(TST_INFO))
    bound = der(0x30, der(0x30, der(0x30, der(4, sha256(octets).digest()))))
    attributes = sorted((
        attribute(PKCS_9 + "03", kind),
        attribute(PKCS_9 + "04", der(4, sha512(info).digest())),
        attribute(PKCS_9 + "10022f", bound),
    ))  # fmt: skip
    number = certificate.serial_number
    serial = der(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))
    who = der(0x30, certificate.issuer.public_bytes(), serial)
    method = der(0x30, der(6, bytes.fromhex("2b6570")))
    signature = der(4, key.sign(der(0x31, *attributes)))
    signer = der(0x30, bytes.fromhex("020101"), who, SHA512, der(0xA0, *attributes), method, signature)
    content = der(0x30, kind, der(0xA0, der(4, info)))
    signed = der(0x30, bytes.fromhex("020103"), der(0x31, SHA512), content, der(0xA0, octets), der(0x31, signer))
    return response_of(der(0x30, der(6, bytes.fromhex("2a864886f70d010702")), der(0xA0, signed)))


def test_what_the_library_cannot_check_is_neither_held_nor_refused(tmp_path: Path) -> None:
    """The page checks both methods; the command, whose library does not, says that it is undecided."""
    world = sealed_bundles.make(tmp_path)
    bundle = parse_bundle(world.good["stamped"])
    note = bundle.checkpoint
    by_ed25519 = Authority(key="ed25519").make(tmp_path / "ed25519")
    by_rsa = Authority(key="rsa", above="rsa").make(tmp_path / "rsa")
    pss = stamped_by_pss(by_rsa, note, "rsa_pss_saltlen:32")
    strange = stamped_by_pss(by_rsa, note, "rsa_mgf1_md:sha512")
    ed25519 = stamped_by_ed25519(by_ed25519, info_of(by_rsa, note))
    for token, authority in ((pss, by_rsa), (ed25519, by_ed25519)):
        place = len(token) - 10  # in the signature, which stands last
        damaged = token[:place] + bytes([token[place] ^ 1]) + token[place + 1 :]
        asked: list[tuple[bytes, list[bytes], list[str]]] = [(one, [authority.der()], []) for one in (token, damaged)]
        held, refused = page_says(asked, note)
        assert says_shown(held) and refused == "Bad: the authority's signature does not hold"
        roots = certificates_from_pem((authority.folder / "root.pem").read_bytes())
        with pytest.raises(ParseError):
            verify_response(token, note, roots)
        for one in (token, damaged):
            assert unchecked_method(one) == ("RSASSA-PSS" if authority is by_rsa else "Ed25519")
            judged = verify_bundle(replace(bundle, tokens=(one,)).to_bytes(), roots=roots)
            stamps = [finding for finding in judged.findings if finding.step == "time"]
            assert [(f.held, f.code) for f in stamps] == [("undecided", "time-method")]
        elsewhere = replace(bundle, tokens=(token.replace(sha256(note).digest(), b"x" * 32),)).to_bytes()
        assert ("failed", "time-bad") in {(f.held, f.code) for f in verify_bundle(elsewhere, roots=roots).findings}
    (said,) = page_says([(strange, [by_rsa.der()], [])], note)
    assert (said["vouched"], said["unable"]) == (False, "RSA-PSS")
    assert not unchecked_method(by_rsa.stamp(note)) and not unchecked_method(b"\x30\x00")
