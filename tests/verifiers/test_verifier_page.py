"""The HTML page, in a real Chromium, opened from disk: what it shows is what ``deliverability verify`` shows."""

import base64
import json
import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import sealed_bundles
from chromium import Browser, chromium
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from sealed_bundles import World, mutated

from deliverability.compose.catalog import catalog
from deliverability.evidence.plugin import LANGUAGES
from deliverability.ledger import verifier_page as builder
from deliverability.ledger import verify as verifying
from deliverability.ledger.notes import VerifierKey
from deliverability.ledger.verifier_page import verifier_page
from deliverability.ledger.verify import verify_bundle
from deliverability.protocols.witness import make_header

MUTATIONS = 250


def _other_root() -> bytes:
    """A root that vouches for nothing here."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Root")])
    at = datetime(2026, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
    made = made.not_valid_before(at).not_valid_after(at.replace(year=2046))
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return made.sign(key, SHA256()).public_bytes(Encoding.PEM)


OTHER_ROOT = _other_root()
SCRIPTS = [Path(builder.__file__).parent / "verifier" / name for name in builder.SCRIPTS]


# --- the file itself ---


def page_parts() -> dict[str, str]:
    page = verifier_page().decode()
    found = re.fullmatch(
        r'(?P<head>.*?Security-Policy" content="(?P<policy>[^"]+)".*)<style>(?P<style>.*)</style>(?P<body>.*)<script type="application/json"'
        r' id="words">(?P<words>.*)</script>\s*<script>(?P<script>.*)</script>(?P<foot>.*)',
        page,
        re.DOTALL,
    )
    assert found
    return found.groupdict()


def test_the_policy_allows_this_style_and_this_script_and_nothing_else() -> None:
    parts = page_parts()

    def source(text: str) -> str:
        return "'sha256-" + base64.b64encode(sha256(text.encode()).digest()).decode() + "'"

    assert parts["policy"] == (
        f"default-src 'none'; script-src {source(parts['script'])}; style-src {source(parts['style'])};"
        " base-uri 'none'; form-action 'none'"
    )
    page = verifier_page().decode()
    assert not re.search(r"""\b(src|href|action|srcset|on[a-z]+)\s*=\s*["']?[^"'\s>]*""", parts["head"] + parts["body"])
    assert not re.search(
        r"https?://|//[a-z]|\bfetch\(|XMLHttpRequest|WebSocket|sendBeacon|innerHTML|\beval\(|import\(", page
    )


def test_its_sentences_are_those_of_the_catalogues() -> None:
    words = json.loads(page_parts()["words"])
    assert set(words) == set(LANGUAGES)
    for lang in LANGUAGES:
        known = {k: v for k, v in catalog(lang).sentences.items() if k.startswith("seal.")}
        assert {k: v for k, v in words[lang].items() if k.startswith("seal.")} == known
    assert set(words["en"]) == set(words["zh-Hant-TW"])


def test_it_knows_every_code_of_the_program_and_no_other() -> None:
    program = Path(verifying.__file__).read_text()
    form = re.compile(r'"((?:form|records?|inclusion|origin|signature|keys|time|pairs|sequence|files?|later)-[a-z-]+)"')
    of_program = set(form.findall(program))
    of_page = set(form.findall(SCRIPTS[-1].read_text()))
    assert of_page == of_program
    words = json.loads(page_parts()["words"])["en"]
    assert all(f"seal.{code}" in words for code in of_page)
    used = set(re.findall(r'data-words="([^"]+)"', page_parts()["body"]))
    assert used <= set(words)


# --- in the browser ---


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return sealed_bundles.make(tmp_path_factory.mktemp("sealed"))


class Page:
    """The page, used as a person uses it."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self.browser, self._bundle = browser, folder / "bundle.json"
        page = folder / "verify.html"
        page.write_bytes(verifier_page())
        browser.open(page)

    def fill(self, name: str, text: str) -> None:
        self._after(
            f"(e => {{ e.value = {json.dumps(text)}; e.dispatchEvent(new Event('input')); }})(document.getElementById('{name}'))"
        )

    def verify(self, content: bytes) -> dict[str, Any]:
        self._bundle.write_bytes(content)
        before = self._turn()
        # The same name again is no change to a browser.
        self.browser.evaluate("document.getElementById('file').value = ''")
        self.browser.choose("#file", self._bundle)
        self._wait(before)
        return self.shown()

    def shown(self) -> dict[str, Any]:
        script = (
            "({verdict: document.documentElement.dataset.verdict, findings: [...document.querySelectorAll('#findings li')]"
            ".map(li => [li.dataset.step, li.dataset.held, li.dataset.code]), text: document.getElementById('result').innerText,"
            " lang: document.documentElement.lang})"
        )
        found: dict[str, Any] = self.browser.evaluate(script)
        return found

    def press(self, selector: str) -> None:
        self._after(f"document.querySelector({json.dumps(selector)}).click()")

    def _after(self, script: str) -> None:
        before = self._turn()
        self.browser.evaluate(script)
        self._wait(before)

    def _turn(self) -> int:
        return int(self.browser.evaluate("document.documentElement.dataset.turn"))

    def _wait(self, before: int) -> None:
        self.browser.evaluate(
            f"new Promise(r => {{ const look = () => +document.documentElement.dataset.turn > {before} ? r() : setTimeout(look, 1);"
            " look(); })"
        )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    program = chromium()
    if program is None:
        if os.environ.get("REQUIRE_SERVERS") == "1":
            pytest.fail("chromium is not installed (Debian: apt-get install chromium)")
        pytest.skip("chromium is not installed")
    with Browser(program) as browser:
        yield Page(browser, tmp_path_factory.mktemp("page"))


def ours(
    content: bytes, keys: list[str], heads: tuple[bytes, ...] = (), roots: tuple[x509.Certificate, ...] = ()
) -> dict[str, Any]:
    done = verify_bundle(content, keys=[VerifierKey.parse(key) for key in keys], held_heads=heads, roots=roots)
    verdict = "tampered" if done.tampered else "complete" if done.complete else "open"
    if done.findings[0].code == "form-other":
        verdict = "other"
    return {"verdict": verdict, "findings": [[f.step, f.held, f.code] for f in done.findings]}


def alike(shown: dict[str, Any], ours: dict[str, Any]) -> bool:
    return {name: shown[name] for name in ours} == ours


def test_every_bundle_is_judged_as_python_judges_it(page: Page, world: World) -> None:
    other = VerifierKey(sealed_bundles.ORIGIN, b"\x07" * 32).to_text()
    for keys in ([world.key], [], [other], [other, world.key]):
        page.fill("key", "\n".join(keys))
        for name, content in world.good.items():
            if name != "wrongly stamped":
                assert alike(page.verify(content), ours(content, keys)), (name, keys)


def test_random_changes_are_judged_as_python_judges_them(page: Page, world: World) -> None:
    page.fill("key", world.key)
    verdicts = set()
    for name in ("one", "customer", "continued"):
        for bad in mutated(world.good[name], MUTATIONS // 3 + 1, seed=len(name) + 100):
            expected = ours(bad, [world.key])
            assert alike(page.verify(bad), expected), bad
            verdicts.add(expected["verdict"])
    assert "tampered" in verdicts


def test_changes_of_a_time_stamp_are_never_shown_as_more_than_open(page: Page, world: World) -> None:
    page.fill("key", world.key)
    content = world.good["stamped"]
    start = content.index(b'"tokens":["') + len(b'"tokens":["')
    end = content.index(b'"', start)
    generator = random.Random(3)
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for _ in range(60):
        place = generator.randrange(start, end - 4)
        bad = content[:place] + bytes([generator.choice(letters)]) + content[place + 1 :]
        shown = page.verify(bad)
        assert [f[1] for f in shown["findings"] if f[0] == "time"] in (["undecided"], ["failed"])
    shown = page.verify(content)
    assert ["time", "undecided", "time-no-root"] in shown["findings"]
    assert "right by the certificate of “Test Authority”" in shown["text"] and "nobody has vouched" in shown["text"]
    assert ["time", "failed", "time-bad"] in page.verify(world.good["wrongly stamped"])["findings"]


def test_a_time_stamp_is_shown_by_the_root_that_the_reader_gives(page: Page, world: World, tmp_path: Path) -> None:
    page.fill("key", world.key)
    page.press("[data-language='en']")
    root = x509.load_pem_x509_certificate(world.root)
    files = {"pem": world.root, "der": root.public_bytes(Encoding.DER), "none": b"no certificate", "other": OTHER_ROOT}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    def choose(name: str) -> dict[str, Any]:
        before = page._turn()
        page.browser.evaluate("document.getElementById('root').value = ''")
        page.browser.choose("#root", tmp_path / name)
        page._wait(before)
        return page.verify(world.good["stamped"])

    expected = ours(world.good["stamped"], [world.key], roots=(root,))
    try:
        for name in ("pem", "der"):
            shown = choose(name)
            assert alike(shown, expected) and ["time", "shown", "time-good"] in shown["findings"]
            assert "says Test Authority" in shown["text"]
        for lang in LANGUAGES:
            page.press(f"[data-language='{lang}']")
            assert "Test Authority" in page.shown()["text"] and "{" not in page.shown()["text"]
        page.press("[data-language='en']")
        shown = choose("other")
        assert alike(shown, ours(world.good["stamped"], [world.key], roots=x509.load_pem_x509_certificates(OTHER_ROOT)))
        assert ["time", "undecided", "time-no-root"] in shown["findings"] and "nobody has vouched" in shown["text"]
        shown = choose("none")
        assert shown["verdict"] == "none" and "holds no certificate" in shown["text"]
    finally:
        page._after(
            "(e => { e.value = ''; e.dispatchEvent(new Event('change')); })(document.getElementById('root'))",
        )
    for text, held in ((root.fingerprint(SHA256()).hex(":").upper(), "shown"), ("ab" * 32, "undecided")):
        page.fill("fingerprint", text)
        assert [f[1] for f in page.verify(world.good["stamped"])["findings"] if f[0] == "time"] == [held]
    page.fill("fingerprint", "ab:cd")
    assert page.shown()["verdict"] == "none"
    page.fill("fingerprint", "")
    assert ["time", "undecided", "time-no-root"] in page.shown()["findings"]


def test_what_was_wrong_is_said_in_the_readers_language(page: Page, world: World) -> None:
    """Where the catalogue has it, as the program says it; other words are quoted as a program's."""
    page.fill("key", world.key)
    good = world.good["one"]
    space = good.replace(b'"kind":"dispatch-evidence"', b'"kind": "dispatch-evidence"')
    try:
        page.press("[data-language='zh-Hant-TW']")
        assert "不是標準寫法" in page.verify(space)["text"]
        assert "「an entry: unknown member」" in page.verify(good.replace(b'"leaf":', b'"leax":'))["text"]
        assert "時間戳記針對的是別的內容" in page.verify(world.good["wrongly stamped"])["text"]
        page.press("[data-language='en']")
        assert "was changed: not in canonical form." in page.verify(space)["text"]
    finally:
        page.press("[data-language='en']")


def test_every_fixed_reason_of_the_script_is_in_the_catalogue() -> None:
    words = json.loads(page_parts()["words"])
    reasons = [key for key in words["en"] if key.startswith("reason.")]
    assert len(reasons) > 50
    of_fields = {
        "not a certificate",
        "not a fingerprint",
        "a file of roots is at most 1 MiB",
    }  # the page has its own words
    same = {key.removeprefix("reason.") for key in reasons if words["zh-Hant-TW"][key] == words["en"][key]}
    assert same <= of_fields


def test_a_head_out_of_a_mail_is_held_against_the_bundle(page: Page, world: World) -> None:
    page.fill("key", world.key)
    content = world.good["continued"]
    for name, head in world.heads.items():
        expected = ours(content, [world.key], (head,))
        forms = [head.decode()]
        if name != "rubbish":
            forms += [make_header(head), make_header(head).partition(":")[2]]
        for form in forms:
            page.fill("head", form)
            assert alike(page.verify(content), expected), (name, form)
    page.fill("head", "")


def test_without_a_key_that_is_one_nothing_is_checked(page: Page, world: World) -> None:
    page.fill("key", "no key at all")
    shown = page.verify(world.good["one"])
    assert shown["verdict"] == "none" and shown["findings"] == []
    page.fill("key", world.key)
    assert page.shown()["verdict"] == "complete"


def test_both_languages_say_the_same_and_what_is_not_proven(page: Page, world: World) -> None:
    page.fill("key", world.key)
    page.verify(world.good["customer"])
    for lang in LANGUAGES:
        page.press(f"[data-language='{lang}']")
        shown, t = page.shown(), catalog(lang)
        assert shown["lang"] == lang
        for key in ("seal.verdict.complete", "seal.says", "seal.limits", "seal.limits.truth", "seal.limits.complete"):
            assert t(key) in shown["text"]
        assert "續約通知" in shown["text"] and "{" not in shown["text"] and "page." not in shown["text"]


def test_what_the_records_say_is_not_shown_where_something_failed(page: Page, world: World) -> None:
    page.fill("key", world.key)
    page.press("[data-language='en']")
    assert "chen@hinet.example" in page.verify(world.good["one"])["text"]
    assert "chen@hinet.example" not in page.verify(world.good["wrong file"])["text"]


def test_foreign_text_stays_text(page: Page, world: World) -> None:
    page.fill("key", world.key)
    page.verify(
        world.good["one"].replace(b'"schema_version":1}', b'"schema_version":1,"<img src=x onerror=alert(1)>":1}')
    )
    assert page.browser.evaluate("document.querySelectorAll('img').length") == 0
    shown = page.verify(world.good["one"])
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", shown["text"])


def test_a_browser_without_ed25519_comes_to_the_same(page: Page, world: World) -> None:
    lacks = (
        "(() => { const real = SubtleCrypto.prototype.importKey; window.restore = () => SubtleCrypto.prototype.importKey = real;"
        " SubtleCrypto.prototype.importKey = () => Promise.reject(new DOMException('', 'NotSupportedError')); })()"
    )
    page.fill("key", world.key)
    page.browser.evaluate(lacks)
    try:
        assert page.verify(world.good["one"])["verdict"] == "complete"
        for bad in mutated(world.good["one"], 25, seed=11):
            assert alike(page.verify(bad), ours(bad, [world.key]))
    finally:
        page.browser.evaluate("window.restore()")


def test_a_browser_without_web_crypto_shows_nothing(page: Page, world: World) -> None:
    page.fill("key", world.key)
    page.verify(world.good["one"])
    page.browser.evaluate("Object.defineProperty(crypto, 'subtle', {value: undefined, configurable: true})")
    try:
        shown = page.verify(world.good["one"])
        assert shown["verdict"] == "none" and "WebCrypto" in shown["text"] and not shown["findings"]
    finally:
        page.browser.evaluate("delete crypto.subtle")
    assert page.verify(world.good["one"])["verdict"] == "complete"


def test_a_dropped_file_is_verified(page: Page, world: World) -> None:
    page.fill("key", world.key)
    page.verify(b"x")
    content = base64.b64encode(world.good["one"]).decode()
    page._after(
        f"(() => {{ const d = new DataTransfer(); d.items.add(new File([Uint8Array.from(atob('{content}'), c => c.charCodeAt(0))],"
        " 'b.json')); document.dispatchEvent(new DragEvent('drop', {dataTransfer: d, cancelable: true})); })()"
    )
    assert page.shown()["verdict"] == "complete"


def test_nothing_was_asked_of_the_network_and_the_policy_held(page: Page, world: World) -> None:
    page.verify(world.good["customer"])
    for script in ("fetch('http://192.0.2.1/')", "fetch('data:,x')"):
        assert page.browser.evaluate(f"{script}.then(() => 'reached', e => e.name)") == "TypeError"
    asked = [e["params"]["request"]["url"] for e in page.browser.events if e["method"] == "Network.requestWillBeSent"]
    assert all(url.startswith(("file:", "http://192.0.2.1/", "data:,x")) for url in asked)
    assert [e for e in page.browser.events if e["method"] == "Runtime.exceptionThrown"] == []


# --- Ed25519 without the browser's help, held against OpenSSL's ---

RFC_8032 = [  # §7.1: public key, message, signature
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
P, ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
SMALL_ORDER = [
    0,
    1,
    P - 1,
    2707385501144840649318225287225658788936804267575313519463743609750303021,
    55188659117513257062467267217118295137698188065244968500265048394206261417927,
]
"""The y of all points whose order divides 8."""


def encodings(y: int) -> list[bytes]:
    """All ways to write a point's y: with p added where that still fits, and with either sign."""
    return [(value | sign << 255).to_bytes(32, "little") for value in (y, y + P) if value < 2**255 for sign in (0, 1)]


def edge_cases() -> list[tuple[bytes, bytes, bytes]]:
    generator = random.Random(8032)
    cases = [(bytes.fromhex(k), bytes.fromhex(m), bytes.fromhex(s)) for k, m, s in RFC_8032]
    points = [encoded for y in SMALL_ORDER for encoded in encodings(y)]
    for key in points:
        cases += [(key, generator.randbytes(3), r + bytes(32)) for r in points]
    for number in range(40):
        private = Ed25519PrivateKey.generate()
        key, message = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), bytes([number]) * number
        signature = private.sign(message)
        s = int.from_bytes(signature[32:], "little")
        flipped = bytearray(signature)
        flipped[generator.randrange(64)] ^= 1 << generator.randrange(8)
        cases += [
            (key, message, signature),
            (key, message, bytes(flipped)),
            (key, message + b"x", signature),
            (key, message, signature[:32] + (s + ORDER).to_bytes(32, "little")),
            (key, message, signature[:32] + b"\xff" * 32),
            (generator.choice(points), message, signature),
            (key, message, generator.choice(points) + signature[32:]),
            (generator.randbytes(32), message, signature),
            (key, message, signature[:63]),
            (key, message, signature + b"\0"),
        ]
    return cases


def openssl_says(case: tuple[bytes, bytes, bytes]) -> bool:
    key, message, signature = case
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def under_node(program: str, asked: object) -> Any:
    """What the page's script says under Node: the same engine as Chromium's."""
    node = shutil.which("node")
    if node is None:
        if os.environ.get("REQUIRE_SERVERS") == "1":
            pytest.fail("node is not installed (Debian: apt-get install nodejs)")
        pytest.skip("node is not installed")
    script = (
        "globalThis.crypto ??= require('crypto').webcrypto;"  # Node 18
        f"for (const one of {json.dumps([str(s) for s in SCRIPTS])}) require(one); const h = t => Uint8Array.from(Buffer.from(t, 'hex'));"
        "(async () => { const out = []; for (const one of JSON.parse(require('fs').readFileSync(0, 'utf8')))"
        f" out.push({program}); console.log(JSON.stringify(out)); }})()"
    )
    done = subprocess.run([node, "-e", script], input=json.dumps(asked).encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_odd_files_and_odd_events_are_judged_as_python_judges_them(tmp_path: Path) -> None:
    contents = [*sealed_bundles.ODD, *sealed_bundles.odd_events(tmp_path)]
    found = under_node("await verifier.verifyBundle(h(one), [], [])", [content.hex() for content in contents])
    for content, one in zip(contents, found, strict=True):
        expected = ours(content, [])
        assert one["verdict"] == expected["verdict"], content
        assert [[f["step"], f["held"], f["code"]] for f in one["findings"]] == expected["findings"], content


@pytest.mark.parametrize("name", ["customer", "continued", "the log itself"])
def test_values_of_other_types_and_spellings_are_judged_as_python_judges_them(world: World, name: str) -> None:
    contents = [*sealed_bundles.respelled(world.good[name], 400, seed=len(name) + 100)]
    found = under_node("await verifier.verifyBundle(h(one), [], [])", [content.hex() for content in contents])
    for content, one in zip(contents, found, strict=True):
        expected = ours(content, [])
        assert one["verdict"] == expected["verdict"], content
        assert [[f["step"], f["held"], f["code"]] for f in one["findings"]] == expected["findings"], content


def plain_says(cases: list[tuple[bytes, bytes, bytes]]) -> list[bool]:
    asked = [[part.hex() for part in case] for case in cases]
    found: list[bool] = under_node("await verifier.verifyPlainly(h(one[0]), h(one[2]), h(one[1]))", asked)
    return found


def test_its_own_arithmetic_agrees_with_openssl_at_every_edge() -> None:
    cases = edge_cases()
    expected = [openssl_says(case) for case in cases]
    assert [c for c, e, f in zip(cases, expected, plain_says(cases), strict=True) if e != f] == []
    assert 40 < sum(expected) < len(cases) / 2


def test_the_cctv_vectors() -> None:
    """C2SP/CCTV, ed25519/ed25519vectors.json: 914 cases; named by CCTV_ED25519, skipped and counted without it."""
    named = os.environ.get("CCTV_ED25519")
    if named is None:
        pytest.skip("no package registry carries C2SP/CCTV; name its ed25519vectors.json with CCTV_ED25519")
    vectors = json.loads(Path(named).read_text())
    assert len(vectors) == 914
    cases = [(bytes.fromhex(v["key"]), v["msg"].encode(), bytes.fromhex(v["sig"])) for v in vectors]
    assert plain_says(cases) == [openssl_says(case) for case in cases]
