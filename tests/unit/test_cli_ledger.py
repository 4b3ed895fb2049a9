"""The ledger on the command line, as its operator and a customer use it."""

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from ledger_records import AT, intent

from deliverability.__main__ import run
from deliverability.api.sealing import exported
from deliverability.evidence.recorder import Finish, Hop, Later, Outcome
from deliverability.evidence.smtp import Host, Reply
from deliverability.ledger.bundle import File, parse_bundle
from deliverability.ledger.log import Ledger, recorder

NOW = "2026-11-22T06:00:00+00:00"


SIGNER = """
import sys
from pathlib import Path
from deliverability.ledger.keys import FileSigner, signed
text = sys.stdin.read()
name = text.partition(chr(10))[0]
keys = [FileSigner(path, name) for path in sorted(Path(sys.argv[1]).iterdir())]
sys.stdout.buffer.write(signed(text, keys).to_bytes())
"""
"""A program that holds the keys elsewhere."""


@pytest.fixture
def folder(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "ledger"
    assert run(["ledger", "init", "hosting.example/dispatch", "--ledger", str(place), "--now", NOW]) == 0
    (tmp_path / "key").write_text(capfd.readouterr().out)
    spool = recorder(place)
    for number, (finish, text) in enumerate(
        [(Finish.ACCEPTED, "250 2.0.0 OK"), (Finish.REFUSED, "550 5.7.26 unauth"), (None, "")], 1
    ):
        spool.record([intent(number)])
        if finish:
            reply = Reply(int(text[:3]), None, text)
            spool.record([Outcome(dispatch=f"{number:032x}", at=AT, finish=finish, stage="end-of-data", reply=reply)])
    spool.close()
    assert run(["ledger", "checkpoint", "--ledger", str(place)]) == 0
    capfd.readouterr()
    return place


def out(capfd: pytest.CaptureFixture[str]) -> str:
    return capfd.readouterr().out


def test_a_customer_verifies_what_support_sends(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "prove", "--account", "4711", "--ledger", str(folder), "-o", "bundle.json"]) == 0
    assert run(["verify", "bundle.json"]) == 3
    assert "only the bundle itself names" in out(capfd)
    assert run(["verify", "bundle.json", "--key", "key", "--lang", "zh-Hant-TW"]) == 0
    assert "以下紀錄自封存後沒有更動。" in out(capfd)
    assert run(["verify", "bundle.json", "--key", "key", "--format", "json"]) == 0
    told = json.loads(out(capfd))
    assert told["verdict"] == "complete"
    assert [(d["finish"], d["level"]) for d in told["dispatches"]] == [("accepted", 2), ("refused", -1), ("unknown", 0)]
    content = Path("bundle.json").read_bytes()
    Path("bundle.json").write_bytes(content.replace(b"550 5.7.26", b"250 2.0.00", 1))
    assert run(["verify", "bundle.json", "--key", "key"]) == 5
    assert "Do not rely on it" in out(capfd)
    Path("bundle.json").write_text("something else")
    assert run(["verify", "bundle.json", "--key", "key"]) == 6


def test_a_head_that_nothing_is_shown_of_is_not_passed_over(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Whoever names a head asks whether the log continues it: not knowing is no yes."""
    shutil.copy(folder / "head", "before")
    assert run(["ledger", "prove", "--account", "4711", "--ledger", str(folder), "-o", "bundle.json"]) == 0
    assert run(["verify", "bundle.json", "--key", "key", "--checkpoint", "before"]) == 0
    spool = recorder(folder)
    spool.record([intent(9)])
    spool.close()
    assert run(["ledger", "checkpoint", "--ledger", str(folder)]) == 0
    assert run(["verify", "bundle.json", "--key", "key"]) == 0
    capfd.readouterr()
    assert run(["verify", "bundle.json", "--key", "key", "--checkpoint", str(folder / "head")]) == 3
    assert "no proof about the head that you hold" in out(capfd)
    given = ["--ledger", str(folder), "--continues", str(folder / "head"), "-o", "bundle.json"]
    assert run(["ledger", "prove", "--dispatch", f"{1:032x}", *given]) == 0
    for head in ("before", str(folder / "head")):
        shown = 0 if head != "before" else 3
        assert run(["verify", "bundle.json", "--key", "key", "--checkpoint", head]) == shown


def test_a_copy_that_is_not_the_message_makes_no_bundle(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Whoever verified it would be told that the evidence was changed."""
    sent = b"From: a@hosting.example\r\n\r\nRenewal\r\n"
    recorder(folder).record([intent(9, account="9", sha256=sha256(sent).hexdigest())])
    assert run(["ledger", "checkpoint", "--ledger", str(folder)]) == 0
    prove = ["ledger", "prove", "--account", "9", "--ledger", str(folder), "-o", "b.json", "--message", "notice.eml"]
    Path("notice.eml").write_bytes(b"Received: from x\r\n" + sent)
    assert run(prove) == 2
    assert "not the message that was sent" in capfd.readouterr().err and not Path("b.json").exists()
    for copy in (sent, sent.replace(b"\r\n", b"\n")):
        Path("notice.eml").write_bytes(copy)
        assert run(prove) == 0
        assert run(["verify", "b.json", "--key", "key"]) == 0
        assert File("notice.eml", "message/rfc822", sent) in parse_bundle(Path("b.json").read_bytes()).files


def test_a_bundle_that_no_verifier_would_read_is_not_made(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deliverability.ledger.bundle.MAX_BUNDLE", 1 << 10)
    assert run(["ledger", "prove", "--account", "4711", "--ledger", str(folder), "-o", "b.json"]) == 2
    assert "no verifier reads" in capfd.readouterr().err and not Path("b.json").exists()


@pytest.mark.parametrize("lang", ["en", "zh-Hant-TW"])
def test_the_history_lists_failures_too(folder: Path, capfd: pytest.CaptureFixture[str], lang: str) -> None:
    common = ["--ledger", str(folder), "--lang", lang]
    assert run(["history", "--customer", "4711", *common]) == 0
    text = out(capfd)
    assert text.count("chen@hinet.example") == 3
    assert run(["history", "--to", "CHEN@hinet.example", "--format", "json", *common]) == 0
    assert [n["finish"] for n in json.loads(out(capfd))["notices"]] == ["accepted", "refused", "unknown"]
    link = "/proof?<{dispatch}>"
    assert run(["history", "--customer", "4711", "--format", "html", "--proof-link", link, *common]) == 0
    page = out(capfd)
    assert page.count("<tr>") == 4 and "/proof?&lt;" in page and "<script" not in page
    assert run(["history", "--customer", "nobody", *common]) == 4
    assert run(["history", *common]) == 2
    assert run(["history", "--customer", "4711", "--format", "pdf", *common]) == 2
    assert run(["history", "--customer", "4711", "--format", "html", "--proof-link", "javascript:x", *common]) == 2


@pytest.mark.parametrize(
    ("hop", "lang", "said"),
    [
        (Hop.RECIPIENT_MX, "en", "accepted by mx.example, which the sender chose as the recipient’s mail server;"),
        (Hop.RELAY, "en", "handed over to mx.example, a relay of the sender’s;"),
        (Hop.RECIPIENT_MX, "zh-Hant-TW", "由 mx.example 接受（寄件者依收件網域選定的郵件伺服器）；"),
    ],
)
@pytest.mark.parametrize("finish", [Finish.FAILED, Finish.REFUSED])
def test_what_came_back_later_was_sent_and_is_not_put_on_the_server_that_took_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], hop: Hop, lang: str, said: str, finish: Finish
) -> None:
    given = ["--ledger", str(tmp_path / "ledger")]
    assert run(["ledger", "init", "hosting.example/dispatch", *given]) == 0
    spool = recorder(tmp_path / "ledger")
    sent = intent(1, hop=hop)
    taken = Outcome(
        dispatch=sent.dispatch,
        at=AT,
        finish=Finish.ACCEPTED,
        stage="end-of-data",
        reply=Reply(250, None, "250 OK"),
        relay=Host("mx.example", None),
    )
    bounce = Reply(550, "5.1.1", "550 5.1.1 no such user")
    back = Later(
        dispatch=sent.dispatch, at=AT, kind="dsn", finish=finish, level=None, witness="other.example", reply=bounce
    )
    spool.record([sent, taken, back])
    spool.close()
    assert run(["ledger", "checkpoint", *given]) == 0
    assert run(["ledger", "prove", "--account", "4711", *given, "-o", str(tmp_path / "bundle.json")]) == 0
    capfd.readouterr()
    for asked, status in (
        (["history", "--customer", "4711", *given], 0),
        (["verify", str(tmp_path / "bundle.json")], 3),
    ):
        assert run([*asked, "--lang", lang]) == status
        told = out(capfd)
        assert said in told and not re.search("could not be sent|refused by|無法寄出|拒絕", told)
    assert "550 5.1.1 no such user" in told


def test_two_customers_of_one_address_are_not_counted_as_one(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Of each some entries are elsewhere: that their numbers happen to follow one another shows no whole sequence."""
    place = tmp_path / "l"
    assert run(["ledger", "init", "h.example/d", "--ledger", str(place)]) == 0
    spool = recorder(place)
    shared = "family@hinet.example"
    for number, (account, to) in enumerate(
        [("1", shared), ("1", shared), ("2", "b@x.example"), ("2", "b@x.example"), ("2", shared), ("2", shared)], 1
    ):
        spool.record([intent(number, account=account, forward_path=to)])
    assert run(["ledger", "checkpoint", "--ledger", str(place)]) == 0
    capfd.readouterr()
    history = ["history", "--ledger", str(place)]
    assert run([*history, "--to", shared]) == 0
    assert "without a gap" not in out(capfd)
    assert run([*history, "--to", shared, "--format", "json"]) == 0
    told = json.loads(out(capfd))
    assert (told["first"], told["last"], told["entries"], len(told["notices"])) == (None, None, 4, 4)
    assert run([*history, "--customer", "2"]) == 0
    assert "entries 1 to 4 of this customer, without a gap" in out(capfd)


def test_subjects_of_strangers_stay_text(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "l"
    assert run(["ledger", "init", "x.example/y", "--ledger", str(place)]) == 0
    recorder(place).record([intent(1, subject="<script>alert(1)</script>\x1b[31m\u202e")])
    assert run(["ledger", "checkpoint", "--ledger", str(place)]) == 0
    for form in ("text", "html"):
        capfd.readouterr()
        assert run(["history", "--customer", "4711", "--ledger", str(place), "--format", form]) == 0
        shown = out(capfd)
        assert "\x1b" not in shown and "\u202e" not in shown
        assert form == "text" or "<script" not in shown


def test_an_export_is_written_line_by_line_and_holds_every_entry(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deliverability.api.sealing.EXPORTED_AT_ONCE", 3)
    export = ["ledger", "export", "--ledger", str(folder)]
    assert run(export) == 0
    shown = out(capfd)
    assert run([*export, "-o", "export.jsonl"]) == 0
    assert Path("export.jsonl").read_text() == shown
    *entries, head = [json.loads(line) for line in shown.splitlines()]
    assert [entry["number"] for entry in entries] == list(range(8))
    assert head["checkpoint"].splitlines()[1] == "8"
    assert run([*export, "-o", "/no/such/folder/x"]) == 6
    assert run([*export, "-o", str(folder / "ledger.sqlite" / "x")]) == 6
    with Ledger.open(folder, write=False) as log:  # what comes in meanwhile is for the next one
        lines = exported(log)
        first = next(lines)
        recorder(folder).record([intent(9)])
        assert run(["ledger", "checkpoint", "--ledger", str(folder)]) == 0
        assert b"".join([first, *lines]).decode() == shown


def test_erasing_needs_a_yes_and_keeps_the_rest(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    erase = ["ledger", "erase", "--account", "4711", "--ledger", str(folder)]
    assert run(erase) == 2
    assert run([*erase, "--yes"]) == 0
    assert run([*erase, "--yes"]) == 2
    assert run(["history", "--customer", "4711", "--ledger", str(folder)]) == 4
    capfd.readouterr()
    assert run(["ledger", "verify", "--ledger", str(folder)]) == 0
    assert "6 records erased" in capfd.readouterr().err
    assert b"chen@hinet" not in (folder / "ledger.sqlite").read_bytes()


def test_what_was_erased_is_said_though_no_head_can_be_signed_over_it(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its disk is full, or read-only: the records are gone all the same."""
    (folder / ".head.lock").unlink()
    (folder / ".head.lock").mkdir()
    given = ["--ledger", str(folder)]
    assert run(["ledger", "erase", "--account", "4711", "--yes", *given]) == 6
    said = capfd.readouterr().err
    assert said.index("records erased") < said.index("head: ")
    (folder / ".head.lock").rmdir()
    assert run(["ledger", "checkpoint", *given]) == 0
    assert run(["ledger", "verify", *given]) == 0
    assert "records erased, as the log says" in capfd.readouterr().err


def test_keys_change_and_old_bundles_stay_good(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "prove", "--to", "chen@hinet.example", "--ledger", str(folder), "-o", "old.json"]) == 0
    capfd.readouterr()
    assert run(["ledger", "rotate-key", "--ledger", str(folder)]) == 0
    Path("new-key").write_text(out(capfd))
    assert run(["ledger", "rotate-key", "--retire", "--ledger", str(folder)]) == 0
    assert run(["ledger", "prove", "--to", "chen@hinet.example", "--ledger", str(folder), "-o", "new.json"]) == 0
    assert run(["verify", "old.json", "--key", "key"]) == 0
    assert run(["verify", "new.json", "--key", "new-key"]) == 0
    assert run(["verify", "new.json", "--key", "key"]) == 5
    assert run(["ledger", "rotate-key", "--retire", "--ledger", str(folder)]) == 2


def test_a_key_that_cannot_sign_is_said_before_another_is_made(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (key,) = (folder / "keys").iterdir()
    key.chmod(0o666)
    for words in (["rotate-key"], ["rotate-key", "--retire"]):
        assert run(["ledger", *words, "--ledger", str(folder)]) == 6
        assert "others may read this key" in capfd.readouterr().err
    key.chmod(0o600)
    with Ledger.open(folder, write=False) as log:
        assert (log.store.size, len(log.key_history())) == (8, 1)


def test_keys_change_where_another_program_signs(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    held = Path("held")
    held.mkdir()
    for key in (folder / "keys").iterdir():
        key.rename(held / key.name)
    Path("sign.py").write_text(SIGNER)
    signer = json.dumps([sys.executable, "sign.py", "held"])
    Path("conf.toml").write_text(f'[ledger]\npath = "{folder}"\nsigner = {signer}\n')
    given = ["--config", "conf.toml"]
    assert run(["ledger", "rotate-key", *given]) == 0
    shown = capfd.readouterr()
    Path("new-key").write_text(shown.out)
    (fresh,) = (folder / "keys").iterdir()
    assert f"give keys/{fresh.name} to the program that signs" in shown.err
    fresh.rename(held / fresh.name)
    assert run(["ledger", "checkpoint", *given]) == 0
    assert capfd.readouterr().out.count("— hosting.example/dispatch ") == 2
    assert run(["ledger", "rotate-key", "--retire", *given]) == 0
    assert run(["ledger", "prove", "--account", "4711", "-o", "b.json", *given]) == 0
    assert run(["verify", "b.json", "--key", "new-key"]) == 0


def test_a_restored_ledger_is_refused_and_continued_under_another_name(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import shutil

    shutil.copytree(folder, "backup")
    recorder(folder).record([intent(9)])
    assert run(["ledger", "checkpoint", "--ledger", str(folder)]) == 0
    shutil.copy("backup/ledger.sqlite", folder / "ledger.sqlite")
    for path in folder.glob("ledger.sqlite-*"):
        path.unlink()
    capfd.readouterr()
    assert run(["ledger", "checkpoint", "--ledger", str(folder)]) == 5
    assert "restored from an old backup" in capfd.readouterr().err
    words = ["ledger", "incident", "hosting.example/dispatch/2", "--last-head", str(folder / "head")]
    assert run([*words, "--reason", "restored", "--ledger", "second"]) == 0
    assert (
        run(
            [
                "ledger",
                "incident",
                "hosting.example/dispatch",
                "--last-head",
                str(folder / "head"),
                "--reason",
                "x",
                "--ledger",
                "third",
            ]
        )
        == 2
    )
    assert run(["ledger", "verify", "--ledger", "second"]) == 0
    capfd.readouterr()
    assert run(["ledger", "export", "--ledger", "second"]) == 0
    assert "continues" in out(capfd)


def test_a_mistyped_head_is_not_taken_for_a_first_one(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("conf.toml").write_text(f'[ledger]\npath = "{folder}"\nhead = "{folder}-typo"\n')
    for words in (["checkpoint"], ["status"], ["verify"], ["erase", "--account", "4711", "--yes"]):
        assert run(["ledger", *words, "--config", "conf.toml"]) == 6
        assert "--head-lost" in capfd.readouterr().err
    assert not Path(f"{folder}-typo").exists()
    assert run(["ledger", "checkpoint", "--head-lost", "--config", "conf.toml"]) == 0
    assert run(["ledger", "checkpoint", "--config", "conf.toml"]) == 0
    assert run(["ledger", "checkpoint", "--head-lost", "--config", "conf.toml"]) == 2
    capfd.readouterr()
    assert run(["ledger", "verify", "--config", "conf.toml"]) == 0
    assert "incident in entry 8: head lost, at 20" in capfd.readouterr().err
    assert run(["ledger", "export", "--config", "conf.toml"]) == 0
    assert "head lost" in out(capfd)


def test_a_new_log_keeps_its_head_where_the_configuration_says(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    conf = Path("conf.toml")
    words = ["ledger", "incident", "hosting.example/dispatch/2", "--last-head", str(folder / "head"), "--reason", "r"]
    conf.write_text(f'[ledger]\npath = "second"\nhead = "{folder}/head"\n')
    assert run([*words, "--config", "conf.toml"]) == 2
    assert "name another file" in capfd.readouterr().err and not Path("second").exists()
    conf.write_text('[ledger]\npath = "second"\nhead = "second-head"\n')
    assert run([*words, "--config", "conf.toml"]) == 0
    assert run(["ledger", "checkpoint", "--config", "conf.toml"]) == 0
    assert Path("second-head").exists() and not Path("second/head").exists()


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["ledger", "status"], 2),
        (["ledger", "status", "--ledger", "none"], 6),
        (["ledger", "init", "two words", "--ledger", "new"], 6),
        (["ledger", "prove", "--ledger", "ledger"], 2),
        (["ledger", "prove", "--to", "nobody@x.example", "--ledger", "ledger"], 2),
        (["ledger", "prove", "--dispatch", "zz", "--ledger", "ledger"], 2),
        (["ledger", "anchor", "--ledger", "ledger"], 2),
        (["verify", "none.json"], 6),
        (["verify", "key", "--key", "nonsense"], 6),
        (["verify", "key", "--key", "a+b+c"], 2),
        (["ledger", "init", "x.example/y", "--ledger", "ledger"], 2),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(
    folder: Path, capfd: pytest.CaptureFixture[str], words: list[str], status: int
) -> None:
    assert run(words) == status
    said = capfd.readouterr().err
    assert said.startswith("deliverability: ") and said.count("\n") == 1 and "Traceback" not in said


# --- authorities ---


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "tsa"
    folder.mkdir()

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    (folder / "ext").write_text("extendedKeyUsage=critical,timeStamping\n")
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(
        f"[tsa]\ndefault_tsa=t\n[t]\nserial={folder}/serial\nsigner_cert={folder}/tsa.pem\nsigner_key={folder}/tsa.key\n"
        "signer_digest=sha256\ndefault_policy=1.2.3.4.1\ndigests=sha256\ness_cert_id_alg=sha256\n"
    )
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=Root")
    openssl("req", *new, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Authority")
    sign = ("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30")
    openssl(*sign, "-out", "tsa.pem", "-extfile", "ext")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            (folder / "query").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/replayed":
                openssl("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "response")
            good = self.path in ("/good", "/replayed")
            self.send_response(200 if good or self.path == "/bad" else 500)
            self.end_headers()
            self.wfile.write((folder / "response").read_bytes() if good else b"no time-stamp")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_heads_are_stamped_and_bad_tokens_are_not_kept(
    folder: Path, authority: str, capfd: pytest.CaptureFixture[str]
) -> None:
    config = Path("deliverability.toml")
    roots = Path("tsa/ca.pem").absolute()
    config.write_text(
        f'[ledger]\npath = "{folder}"\n[[tsa]]\nname = "one"\nurl = "{authority}/good"\nroots = "{roots}"\n'
    )
    assert run(["ledger", "anchor", "--config", "deliverability.toml"]) == 0
    assert run(["ledger", "prove", "--account", "4711", "--ledger", str(folder), "-o", "bundle.json"]) == 0
    capfd.readouterr()
    assert run(["verify", "bundle.json", "--key", "key", "--tsa-root", str(roots)]) == 0
    assert "The head existed on" in out(capfd)
    strict = ["verify", "bundle.json", "--key", "key", "--require-time"]
    assert run([*strict, "--tsa-root", str(roots)]) == 0
    assert run(strict) == 2  # without a root no time can ever be shown
    for path in ("bad", "broken", "replayed"):  # the last one bears the nonce of an earlier question
        config.write_text(
            f'[ledger]\npath = "{folder}"\n[[tsa]]\nname = "two"\nurl = "{authority}/{path}"\nroots = "{roots}"\n'
        )
        ask = "anchor" if path == "replayed" else "checkpoint"
        assert run(["ledger", ask, "--config", "deliverability.toml"]) == 6
    capfd.readouterr()
    assert run(["ledger", "status", "--ledger", str(folder), "--format", "json"]) == 0
    assert json.loads(out(capfd))["time_stamps"] == 1


@pytest.mark.parametrize(("hours", "said"), [(0, None), (-2, "our clock is 1"), (2, "our clock is 1")])
def test_a_clock_that_is_off_is_told_when_an_authority_knows_better(
    folder: Path, authority: str, capfd: pytest.CaptureFixture[str], hours: int, said: str | None
) -> None:
    roots = Path("tsa/ca.pem").absolute()
    Path("deliverability.toml").write_text(
        f'[ledger]\npath = "{folder}"\n[[tsa]]\nname = "one"\nurl = "{authority}/good"\nroots = "{roots}"\n'
    )
    ours = (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
    assert run(["ledger", "anchor", "--config", "deliverability.toml", *(["--now", ours] if hours else [])]) == 0
    told = capfd.readouterr().err
    assert "one: 20" in told
    assert ("our clock" in told) == bool(hours)
    assert said is None or (said in told and ("behind" if hours < 0 else "ahead of") in told)


def test_a_gate_may_ask_for_a_time_that_is_not_the_senders_own(
    folder: Path, authority: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without --require-time a bundle without a token is sealed and unchanged: that is what its status says."""
    roots = Path("tsa/ca.pem").absolute()
    assert run(["ledger", "prove", "--account", "4711", "--ledger", str(folder), "-o", "bundle.json"]) == 0
    asked = ["verify", "bundle.json", "--key", "key", "--tsa-root", str(roots)]
    assert run(asked) == 0
    said = out(capfd)
    assert run([*asked, "--require-time"]) == 3
    assert out(capfd) == said  # the findings are the same; the status alone is another
