"""A ledger, bundles out of it of every sort, and an authority that stamps: for the tests of all verifiers."""

import json
import random
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from ledger_records import AT, OUTCOME, intent

from deliverability.evidence.recorder import Finish, Later, Outcome, Snapshot
from deliverability.evidence.smtp import Reply
from deliverability.ledger.appending import NewEntry
from deliverability.ledger.bundle import Bundle, File
from deliverability.ledger.leaves import LeafKind, commitment
from deliverability.ledger.log import Ledger
from deliverability.ledger.proving import bundle_of, continued, numbers_for
from deliverability.ledger.timestamps import request_for
from deliverability.protocols import canonical
from deliverability.protocols.records import record_to_json

ORIGIN = "hosting.example/dispatch"
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
MAIL = b"From: a@hosting.example\r\nSubject: \xe7\xba\x8c\xe7\xb4\x84\r\n\r\nRenewal\r\n"
DSN = b"Action: failed\r\n"

TSA = """[tsa]
default_tsa=t
[t]
serial={f}/serial
signer_cert={f}/tsa.pem
certs={f}/ca.pem
signer_key={f}/tsa.key
signer_digest=sha256
default_policy=1.2.3.4.1
digests=sha256
ess_cert_id_alg=sha256
"""


@dataclass(frozen=True)
class World:
    """What the tests verify."""

    key: str
    good: dict[str, bytes]
    """Bundles that were made as they should be."""
    heads: dict[str, bytes]
    """Signed heads of the same log (and one of a rewritten one) by what they are to the bundles."""
    root: bytes
    """PEM of the root of the authority that stamped the bundle ``stamped``."""


def authority(folder: Path) -> Path:
    """A time-stamping authority with a root of its own."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    (folder / "ext").write_text("extendedKeyUsage=critical,timeStamping\n")
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(TSA.format(f=folder))
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650", "-subj", "/CN=Test Root")
    openssl("req", *new, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Test Authority")
    sign = ("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "365")
    openssl(*sign, "-out", "tsa.pem", "-extfile", "ext")
    return folder


def stamp(folder: Path, note: bytes) -> bytes:
    """A response over a note."""
    (folder / "query").write_bytes(request_for(note))
    words = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "response"]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    return (folder / "response").read_bytes()


def fill(ledger: Ledger, count: int = 12) -> None:
    """Messages to two customers, some open, one that failed later, one with a snapshot."""
    for number in range(1, count + 1):
        account, to = ("4711", "chen@hinet.example") if number % 2 else ("9", "mei@gmail.example")
        sent = intent(number, account=account, forward_path=to, sha256=sha256(MAIL).hexdigest())
        ledger.append_records([sent])
        if number == 5:
            verified = (("hosting.example", "s2026", "pass"),)
            ledger.append_records([Snapshot(dispatch=sent.dispatch, at=AT, verified=verified)])
        if number != 7:
            ledger.append_records([replace(OUTCOME, dispatch=sent.dispatch, at=AT + timedelta(seconds=number))])
        if number == 9:
            bounced = Later(
                dispatch=sent.dispatch, at=AT, kind="dsn", finish=Finish.FAILED, level=None, witness="mx\t\x1f\u007f\U0001f4e7",
                reply=Reply(550, "5.1.1", 'no such user "chen" \\ \ue000\U00010000'), exhibit_sha256=sha256(DSN).hexdigest(),
            )  # fmt: skip
            ledger.append_records([bounced])
        if number == 11:
            ledger.append_records([Outcome(dispatch=sent.dispatch, at=AT, finish=Finish.DEFERRED, stage=None)])


def make(folder: Path) -> World:
    """All of it, in a new folder."""
    (folder / "tsa").mkdir()
    tsa = authority(folder / "tsa")
    with Ledger.create(folder / "l", ORIGIN, now=NOW) as ledger:
        first = ledger.head.read() or b""
        fill(ledger)
        ledger.append_own(LeafKind.INCIDENT, {"what": "test", "\ue000": 1, "\U00010000": [{}, [], -1, True, None]})
        ledger.sign(NOW)
        bundles = dict(_bundles(ledger, tsa))
        ledger.append_records([intent(1000)])
        after = ledger.sign(NOW)
        bundles["continued"] = continued(ledger, bundles["one"], [first, after])
        gone = numbers_for(ledger, account="9")
        ledger.store.empty(gone[:3], account=None, address=None)
        bundles["part erased"] = bundle_of(ledger, gone)
        ledger.store.empty(gone[3:], account=None, address=None)
        bundles["erased"] = bundle_of(ledger, gone)
        key = ledger.verifier_keys()[0].to_text()
    with Ledger.create(folder / "m", "other.example/log", now=NOW) as other:
        foreign = other.head.read() or b""
    heads = {
        "first": first,
        "same": bundles["one"].checkpoint,
        "after": after,
        "foreign": foreign,
        "rubbish": b"rubbish\n",
    }
    good = {name: bundle.to_bytes() for name, bundle in bundles.items()}
    return World(key, good, heads, (tsa / "ca.pem").read_bytes())


def _bundles(ledger: Ledger, tsa: Path) -> Iterator[tuple[str, Bundle]]:
    one = bundle_of(ledger, numbers_for(ledger, dispatch=f"{9:032x}"))
    yield "one", one
    files = [File("notice.eml", "message/rfc822", MAIL), File("dsn.txt", "text/plain", DSN)]
    yield "customer", bundle_of(ledger, numbers_for(ledger, account="4711"), files)
    yield "other customer", bundle_of(ledger, numbers_for(ledger, account="9"), files[:1])
    yield "the log itself", bundle_of(ledger, [0, 1, ledger.store.size - 1])
    yield "stamped", replace(one, tokens=(stamp(tsa, one.checkpoint),))
    yield "no entries", replace(one, entries=())
    yield "no keys", replace(one, keys=())
    yield "wrongly stamped", replace(one, tokens=(stamp(tsa, b"another note\n"),))
    yield "wrong file", replace(one, files=(File("notice.eml", "message/rfc822", b"x"),))
    yield "other origin", replace(one, origin="other.example/log")
    yield "bad keys", replace(one, keys=("x",))
    yield "doubled", replace(one, entries=(one.entries[0], *one.entries))
    customer = bundle_of(ledger, numbers_for(ledger, account="4711"))
    yield "gap", replace(customer, entries=(*customer.entries[:3], *customer.entries[5:]))
    yield "turned round", replace(customer, entries=customer.entries[::-1])
    yield "outcome alone", replace(one, entries=one.entries[1:])


GOOD_ODD = 5
"""How many of the events below are of their form after all."""


def odd_events(folder: Path) -> Iterator[bytes]:
    """Bundles of records that were sealed and signed properly, and are of no form, or only just."""
    sent, ended = record_to_json(intent(1)), record_to_json(replace(OUTCOME, dispatch=f"{1:032x}"))
    later = record_to_json(Later(dispatch=f"{1:032x}", at=AT, kind="dsn", finish=None, level=None, witness=None))
    events: list[tuple[LeafKind, dict[str, Any]]] = [
        (LeafKind.OUTCOME, ended | {"at": "2024-02-29T23:59:59.000000Z"}),
        (LeafKind.INTENT, sent | {"size": 0, "signatures": [["a", "b"], ["", ""]]}),
        (LeafKind.OUTCOME, ended | {"reply": {"code": None, "enhanced_status_code": None, "text": ""}}),
        (LeafKind.LATER, later | {"event": "kind of its own"}),
        (LeafKind.LATER, ended),  # the leaf says that something came later, and it is an outcome: no rule against it
        (LeafKind.OUTCOME, ended | {"at": "2026-02-29T00:00:00.000000Z"}),
        (LeafKind.OUTCOME, ended | {"at": "2026-02-01T24:00:00.000000Z"}),
        (LeafKind.OUTCOME, ended | {"at": "2026-06-30T23:59:60.000000Z"}),
        (LeafKind.OUTCOME, ended | {"at": "0000-02-01T00:00:00.000000Z"}),
        (LeafKind.OUTCOME, ended | {"at": "2026-02-01T00:00:00Z"}),
        (LeafKind.OUTCOME, ended | {"finish": "read"}),
        (LeafKind.OUTCOME, ended | {"finish": None}),
        (LeafKind.OUTCOME, ended | {"extra": 1}),
        (LeafKind.OUTCOME, ended | {"schema_version": 2}),
        (LeafKind.OUTCOME, ended | {"dispatch": "A" * 32}),
        (LeafKind.OUTCOME, ended | {"reply": {"code": True, "enhanced_status_code": None, "text": ""}}),
        (LeafKind.OUTCOME, ended | {"reply": []}),
        (LeafKind.OUTCOME, ended | {"tls": {"version": "x", "cipher": None, "verified": 1}}),
        (LeafKind.OUTCOME, ended | {"transcript_sha256": "ab"}),
        (LeafKind.INTENT, sent | {"size": -1}),
        (LeafKind.INTENT, sent | {"hop": "mx"}),
        (LeafKind.INTENT, sent | {"signatures": [["a"]]}),
        (LeafKind.INTENT, {name: value for name, value in sent.items() if name != "channel"}),
        (LeafKind.LATER, later | {"level": "seen"}),
        (LeafKind.LATER, later | {"kind": "constructor"}),
        (LeafKind.SNAPSHOT, {"kind": 1}),
        (LeafKind.SNAPSHOT, {}),
    ]
    with Ledger.create(folder / "l", ORIGIN, now=NOW) as ledger:
        for kind, event in events:
            (number,) = ledger.append([NewEntry(kind, canonical.to_bytes(event), account="4711")])
            ledger.sign(NOW)
            yield bundle_of(ledger, [number]).to_bytes()


def mutated(content: bytes, count: int, seed: int) -> Iterator[bytes]:
    """One octet changed, added, or removed, at random."""
    generator = random.Random(seed)
    for _ in range(count):
        place = generator.randrange(len(content))
        octet = bytes([generator.choice([generator.randrange(256), content[place] ^ 1 << generator.randrange(8)])])
        if octet == content[place : place + 1]:
            octet = bytes([octet[0] ^ 1])
        what = generator.randrange(6)
        if what == 0:
            yield content[:place] + content[place + 1 :]
        elif what == 1:
            yield content[:place] + octet + content[place:]
        else:
            yield content[:place] + octet + content[place + 1 :]


SPELLED = (
    *(
        "0",
        "-0",
        "1",
        "-1",
        "1.0",
        "1e0",
        "1e400",
        "01",
        "+1",
        "0x1",
        "NaN",
        "Infinity",
        "9007199254740991",
        "9007199254740992",
    ),
    *(
        "true",
        "false",
        "null",
        "[]",
        "{}",
        "[[]]",
        "[null]",
        '[""]',
        "[1,]",
        '{"a":1}',
        '{"a":1,"a":2}',
        '{"b":1,"a":2}',
    ),
    *(
        '""',
        '"\\u0000"',
        '"\\u001F"',
        '"\\ud800"',
        '"\\ud83d\\ude00"',
        '"\\/"',
        '"\x7f"',
        '"\u2028"',
        '"\ufeff"',
        '"\xa0"',
    ),
    *(
        '"QQ=="',
        '"QR=="',
        '"QQ="',
        '"QQ==\\n"',
        '{"__proto__":1}',
        '{"\\ud800":1}',
        '{"\U00010000":1,"\ue000":2}',
        " 1",
        '"a',
    ),
)
"""Values of each type, in spellings that are canonical, and in others."""
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9]+|true|false|null')


def respelled(content: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Values of another type or spelling in the place of one; in the file, or in a record whose seal is made to fit."""
    generator = random.Random(seed)
    text = content.decode()

    def changed(whole: str) -> str:
        place = generator.choice([*_TOKEN.finditer(whole)])
        return whole[: place.start()] + generator.choice(SPELLED) + whole[place.end() :]

    for _ in range(count):
        bundle = json.loads(text)
        sealed = [entry for entry in bundle["entries"] if entry["record"] is not None]
        if sealed and generator.randrange(2):
            entry = generator.choice(sealed)
            entry["record"] = changed(entry["record"])
            entry["leaf"] = (
                entry["leaf"][:20] + commitment(bytes.fromhex(entry["salt"]), entry["record"].encode()).hex()
            )
            yield canonical.to_bytes(bundle)
        else:
            yield changed(text).encode()


ODD = [
    b"",
    b"dispatch-evidence",
    b'"dispatch-evidence"',
    b'{"kind":"dispatch-evidence"}',
    b'{"kind":"dispatch-evidence","schema_version":2}',
    b'{"kind":"dispatch-evidence","schema_version":true}',
    b'{"kind":"dispatch-evidence","schema_version":1.0}',
    b'{"kind":"dispatch-evidence","schema_version":-0}',
    b'{"kind":"dispatch-evidence","schema_version":9007199254740992}',
    b'{"kind":"dispatch-evidence","schema_version":9007199254740991}',
    b'{"kind":"dispatch-evidences","schema_version":1}',
    b'{"a":[%s],"kind":"dispatch-evidence","schema_version":2}' % b",".join([b"0"] * (canonical.MAX_MARKS - 3)),
    b'{"a":[%s],"kind":"dispatch-evidence","schema_version":2}' % b",".join([b"0"] * (canonical.MAX_MARKS - 2)),
    b'{"kind":"dispatch-evidence","kind":"dispatch-evidence"}',
    b'\xef\xbb\xbf{"kind":"dispatch-evidence"}',
    b'{"a":"\\ud800","kind":"dispatch-evidence","schema_version":2}',
    b'{"\\ud800":1,"kind":"dispatch-evidence","schema_version":2}',
    b'{"a":"\xed\xa0\x80","kind":"dispatch-evidence","schema_version":2}',
    b'{"a":"\\u00e9","kind":"dispatch-evidence","schema_version":2}',
    b'{"a":"\\u001F","kind":"dispatch-evidence","schema_version":2}',
    b'{"a":"\\u001f\\b\\f\x7f/","kind":"dispatch-evidence","schema_version":2}',
    '{"\ue000":1,"\U00010000":2,"kind":"dispatch-evidence","schema_version":2}'.encode(),
    '{"kind":"dispatch-evidence","schema_version":2,"\ue000":1,"\U00010000":2}'.encode(),
    '{"kind":"dispatch-evidence","schema_version":2,"\U00010000":2,"\ue000":1}'.encode(),
    b'{"__proto__":{"kind":"dispatch-evidence"},"kind":"dispatch-evidence","schema_version":2}',
    b'{"__proto__":{"kind":"dispatch-evidence"}}',
    b'{"constructor":null,"kind":"dispatch-evidence","schema_version":1}',
    b'["dispatch-evidence"]',
    b"[" * 32 + b'"dispatch-evidence"' + b"]" * 32,
    b"[" * 33 + b'"dispatch-evidence"' + b"]" * 33,
    b'"' + b"[" * 99 + b'dispatch-evidence"',
    b"[" * 100_000 + b'"dispatch-evidence"',
    b'{"kind":"dispatch-evidence","schema_version":1}\n',
    b' {"kind":"dispatch-evidence"}',
    b'["dispatch-evidence",01]',
    b'["dispatch-evidence",1e2]',
    b'["dispatch-evidence",NaN]',
    b'["dispatch-evidence",-1]',
    b'["dispatch-evidence" ,1]',
    b'["dispatch-evidence",]',
]
"""Files that are hardly a bundle, or hardly none."""
