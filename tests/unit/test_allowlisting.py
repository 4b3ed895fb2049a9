"""``allowlist``: which files are made is the evidence's to say; each branch, through the command line and a name server."""

import base64
import contextlib
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from deliverability import __main__, plugins
from deliverability.api.allowlisting import chosen, forms
from deliverability.compose.allowlisting import SENTENCES, Reason
from deliverability.errors import UsageError
from deliverability.evidence.plugin import LANGUAGES

ROOT = Path(__file__).parents[2]
POLICIES = {
    "reject.example": "reject",
    "quarantine.example": "quarantine",
    "none.example": "none",
    "bare.example": None,
}
TODAY = datetime.now(UTC).date()
LATER = TODAY + timedelta(days=90)
Done = subprocess.CompletedProcess[bytes]
QUEUED = """\
2026-11-22T10:00:00.000000+08:00 mail postfix/qmgr[9]: 4ABCDE12345: from=<bounce@{domain}>, size=900, nrcpt=1 (queue active)
"""
LINES = {
    "accepted": "dsn=2.0.0, status=sent (250 2.0.0 OK queued as 1)",
    "refused": "dsn=5.7.1, status=bounced (host mx.customer.test[192.0.2.9] said: 550 5.7.1 refused (in reply to end of DATA command))",
    "deferred": "dsn=4.7.1, status=deferred (host mx.customer.test[192.0.2.9] said: 450 4.7.1 later (in reply to RCPT TO command))",
}


class Place:
    """A name server for four senders, a key of theirs, and the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        public = f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"
        texts = " ".join(f'"{public[i : i + 200]}"' for i in range(0, len(public), 200))
        lines = [
            "$ORIGIN example.",
            "example. 300 IN NS ns.example.",
            "example. 300 IN SOA ns.example. hostmaster.example. 1 3600 600 86400 60",
        ]
        for domain, policy in POLICIES.items():
            lines.append(f"{domain}. 300 IN MX 10 mx.{domain}.")
            lines.append(f"s1._domainkey.{domain}. 300 IN TXT {texts}")
            if policy:
                lines.append(f'_dmarc.{domain}. 300 IN TXT "v=DMARC1; p={policy}"')
        lines += [
            "$ORIGIN test.",
            "test. 300 IN NS ns.test.",
            "test. 300 IN SOA ns.test. hostmaster.test. 1 3600 600 86400 60",
        ]
        lines += ["customer.test. 300 IN MX 10 mx.customer.test.", "mx.customer.test. 300 IN A 192.0.2.9"]
        (folder / "zone").write_text("\n".join(lines) + "\n")
        self.server = ""

    def mail(self, domain: str, *, signed: bool = True, broken: bool = False, name: str = "Example Host") -> str:
        message = (
            f"From: {name} <billing@{domain}>\r\nTo: mei@customer.test\r\nSubject: Renewal\r\n"
            f"Date: Sun, 22 Nov 2026 10:00:00 +0800\r\nMessage-ID: <1@{domain}>\r\n\r\nDear customer\r\n"
        ).encode()
        if signed:
            message = dkim.sign(message, b"s1", domain.encode(), self.private) + message
        file = self.folder / f"{domain}.eml"
        file.write_bytes(message + (b"and more\r\n" if broken else b""))
        return str(file)

    def log(self, domain: str, line: str) -> str:
        file = self.folder / "maillog"
        head = "2026-11-22T10:00:01.000000+08:00 mail postfix/smtp[9]: 4ABCDE12345: to=<mei@customer.test>,"
        line = f"{head} relay=mx.customer.test[192.0.2.9]:25, delay=1, delays=0/0/0/1, {LINES[line]}\n"
        file.write_text(QUEUED.format(domain=domain) + line)
        return str(file)

    def run(self, *arguments: str, offline: bool = False) -> Done:
        """The command line, in this process: what it would print, and its exit status."""
        names = ["--offline"] if offline else ["--nameserver", self.server]
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = __main__.run(["allowlist", *names, *arguments])
        out.flush()
        err.flush()
        return subprocess.CompletedProcess([], status, out.buffer.getvalue(), err.buffer.getvalue())  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("allowlisting"))
    command = [sys.executable, str(ROOT / "examples/responder.py"), "--zone", str(made.folder / "zone"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as server:
        assert server.stdout
        made.server = f"127.0.0.1:{server.stdout.readline().strip()}"
        yield made
        server.terminate()


# --- the gate ---------------------------------------------------------------------------------------------------------


def test_a_from_only_file_where_forged_mail_is_refused(place: Place) -> None:
    done = place.run("--for", "gmail-filter", "--sender", "billing@reject.example")
    assert done.returncode == 0, done.stderr
    assert b"value='billing@reject.example'" in done.stdout
    assert b"Import filters" in done.stderr


@pytest.mark.parametrize(
    ("domain", "said"),
    [
        ("quarantine.example", b"policy is quarantine"),
        ("none.example", b"does not ask receivers to stop forged mail"),
        ("bare.example", b"does not ask receivers to stop forged mail"),
    ],
)
def test_no_from_only_file_where_it_is_not(place: Place, domain: str, said: bytes) -> None:
    for name in ("gmail-filter", "vcard", "proofpoint"):
        done = place.run("--for", name, "--sender", f"billing@{domain}")
        assert (done.returncode, done.stdout) == (1, b"")
        assert said in done.stderr


def test_what_could_not_be_looked_up_is_no_permission(place: Place) -> None:
    done = place.run("--for", "vcard", "--sender", "billing@reject.example", offline=True)
    assert (done.returncode, done.stdout) == (3, b"")
    assert b"could not be established" in done.stderr


@pytest.mark.parametrize("domain", POLICIES)
def test_an_authenticated_file_whatever_the_policy(place: Place, domain: str) -> None:
    done = place.run("--for", "spamassassin", "--message", place.mail(domain))
    assert done.returncode == 0, done.stderr
    assert f"check_dkim_valid('{domain}')".encode() in done.stdout


def test_a_message_that_failed_makes_no_file_and_says_never(place: Place) -> None:
    broken = place.mail("reject.example", broken=True)
    for name in ("sieve", "gmail-filter", "spamassassin"):
        done = place.run("--for", name, "--message", broken, "--authserv-id", "mx.customer.test")
        assert (done.returncode, done.stdout) == (1, b"")
        assert b"Do not put the sender on any list" in done.stderr
    done = place.run("--for", "sieve", "--message", broken, "--lang", "zh-Hant-TW")
    assert "請勿".encode() in done.stderr


def test_an_unsigned_message_shows_no_sender_and_gives_no_from_only_file(place: Place) -> None:
    unsigned = place.mail("reject.example", signed=False)
    done = place.run("--for", "vcard", "--message", unsigned)
    assert (done.returncode, done.stdout) == (2, b"")
    done = place.run("--for", "vcard", "--message", unsigned, "--sender", "billing@reject.example")
    assert (done.returncode, done.stdout) == (3, b"")


@pytest.mark.parametrize(("line", "said"), [("refused", b"refused this message"), ("deferred", b"Nothing shows")])
def test_what_did_not_arrive_gets_no_file(place: Place, line: str, said: bytes) -> None:
    log = place.log("reject.example", line)
    done = place.run("--for", "vcard", "--log", log, "--to", "mei@customer.test", "--sender", "billing@reject.example")
    assert (done.returncode, done.stdout) == (1, b"")
    assert said in done.stderr


def test_what_arrived_gets_one(place: Place) -> None:
    arguments = ("--log", place.log("reject.example", "accepted"), "--to", "mei@customer.test", "--routed-by-mx")
    sender = ("--sender", "billing@reject.example")
    done = place.run("--for", "vcard", *arguments, *sender)
    assert done.returncode == 0, done.stderr
    assert b"EMAIL;TYPE=INTERNET:billing@reject.example\r\n" in done.stdout
    assert place.run(*arguments, *sender).returncode == 0  # the recipient's provider is known from the log
    done = place.run("--for", "vcard", *arguments)
    assert done.returncode == 2  # a log knows the envelope's sender, not From's
    assert b"give --sender" in done.stderr


# --- facts ------------------------------------------------------------------------------------------------------------


def test_an_authserv_id_is_asked_for_never_guessed(place: Place) -> None:
    for name in ("sieve", "exim-user-filter", "exim-system-filter"):
        done = place.run("--for", name, "--sender", "billing@reject.example")
        assert (done.returncode, done.stdout) == (2, b"")
        assert b"--authserv-id" in done.stderr


def test_a_signing_domain_is_asked_for_never_guessed(place: Place) -> None:
    done = place.run("--for", "amavis", "--sender", "billing@reject.example")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"--selector" in done.stderr
    done = place.run("--for", "amavis", "--sender", "billing@reject.example", "--selector", "s1")
    assert b"'billing@reject.example' => 'DELIVERABILITY_ALLOW'" in done.stdout
    done = place.run("--for", "amavis", "--sender", "billing@reject.example", "--selector", "none")
    assert (done.returncode, done.stdout) == (2, b"")  # no key is published there


def test_a_sender_who_is_not_the_messages_own_is_refused(place: Place) -> None:
    done = place.run("--for", "rspamd", "--message", place.mail("reject.example"), "--sender", "x@none.example")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"is not the sender of this message" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--for", "nothing", "--sender", "a@reject.example"), b"no such form or provider"),
        (("--for", "outlook-com", "--sender", "a@reject.example"), b"takes no file"),
        (("--sender", "a@reject.example"), b"say for which system"),
        (("--for", "vcard"), b"say whose mail"),
        (("--for", "vcard", "--sender", '"a b"@reject.example'), b"without quotes"),
        (("--for", "vcard", "--sender", "a\nb@reject.example"), b"no allowlist"),
        (("--for", "vcard", "--sender", "a@reject.example", "--expires", "soon"), b"write a date"),
        (("--for", "vcard", "--sender", "a@reject.example", "--expires", "2020-01-01"), b"has to expire within"),
        (("--for", "sieve", "--sender", "a@reject.example", "--authserv-id", "mx; x"), b"not an authserv-id"),
        (("--for", "rspamd", "--for", "vcard", "--sender", "a@reject.example"), b"name a folder"),
    ],
)
def test_what_cannot_be_meant_is_said(place: Place, arguments: tuple[str, ...], said: bytes) -> None:
    done = place.run(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert said in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_hostile_name_in_a_signed_from_line_is_text_or_nothing(place: Place) -> None:
    mail = place.mail("reject.example", name='"; END:VCARD\\, <x> $(id) {keep;}"')
    done = place.run("--for", "vcard", "--message", mail)
    assert done.returncode == 0, done.stderr
    assert rb"FN:\; END:VCARD\, <x> $(id) {keep\;}" in done.stdout
    assert done.stdout.count(b"\r\nEND:VCARD\r\n") == 1


def test_an_encoded_name_is_read(place: Place) -> None:
    mail = place.mail("reject.example", name="=?utf-8?b?56+E5L6L5Li75qmf?=")
    done = place.run("--for", "vcard", "--message", mail)
    assert done.returncode == 0, done.stderr
    assert "FN:範例主機\r\n".encode() in done.stdout


def test_a_name_that_would_reorder_the_file_is_left_out(place: Place) -> None:
    mail = place.mail("reject.example", name="=?utf-8?b?4oCuYQpiCg==?=")  # a bidi mark and line ends
    done = place.run("--for", "vcard", "--message", mail)
    assert done.returncode == 0, done.stderr
    assert b"FN:billing@reject.example\r\n" in done.stdout


# --- files ------------------------------------------------------------------------------------------------------------


def test_all_files_for_a_provider_go_into_a_folder(place: Place) -> None:
    mail = place.mail("reject.example")
    done = place.run("--for", "own-server", "--message", mail, "--authserv-id", "mx.customer.test", "-o", "files/")
    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
    names = sorted(file.name for file in (place.folder / "files").iterdir())
    assert names == sorted(
        f"{TODAY}-{form.id}-reject.example.{form.extension}" for form in forms() if "own-server" in form.providers
    )


def test_one_file_goes_where_it_is_told(place: Place) -> None:
    done = place.run("--for", "vcard", "--sender", "billing@reject.example", "-o", "one.vcf", "--expires", str(LATER))
    assert done.returncode == 0, done.stderr
    content = (place.folder / "one.vcf").read_bytes()
    assert content.startswith(b"BEGIN:VCARD\r\n")
    assert str(LATER).encode() in content.replace(b"\r\n ", b"")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_list_names_every_form(place: Place, lang: str) -> None:
    done = place.run("--list", "--lang", lang)
    assert done.returncode == 0
    lines = done.stdout.decode().splitlines()[1:]
    assert [line.split()[0] for line in lines] == list(plugins.ids("allowlists"))


def test_authenticated_forms_come_first() -> None:
    found = [form.authenticated for form in chosen(("google-workspace", "own-server"))]
    assert found == sorted(found, reverse=True)
    assert len({form.id for form in chosen(("gmail", "google-workspace"))}) == len(
        chosen(("gmail", "google-workspace"))
    )


def test_an_unknown_name_is_shown_harmlessly() -> None:
    with pytest.raises(UsageError, match=r"\\x1b"):
        chosen(("\x1b[31m",))


def test_every_reason_has_its_sentence_in_every_language() -> None:
    assert set(SENTENCES) == set(Reason) - {Reason.MADE}
    for texts in SENTENCES.values():
        assert all(texts[lang].strip() for lang in LANGUAGES)


def test_one_broken_form_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[[str, str], Any] = plugins.load

    def load(folder: str, plugin: str) -> Any:
        if plugin == "vcard":
            raise RuntimeError("broken file")
        return real(folder, plugin)

    monkeypatch.setattr(plugins, "load", load)
    assert [form.id for form in forms()] == [name for name in plugins.ids("allowlists") if name != "vcard"]
