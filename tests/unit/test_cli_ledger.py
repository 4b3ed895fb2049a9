"""The ledger on the command line, as its operator and a customer use it."""

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from ledger_records import AT, intent

from deliverability.__main__ import run
from deliverability.evidence.recorder import Finish, Outcome
from deliverability.evidence.smtp import Reply
from deliverability.ledger.log import recorder

NOW = "2026-11-22T06:00:00+00:00"


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


def test_erasing_needs_a_yes_and_keeps_the_rest(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    erase = ["ledger", "erase", "--account", "4711", "--ledger", str(folder)]
    assert run(erase) == 2
    assert run([*erase, "--yes"]) == 0
    assert run([*erase, "--yes"]) == 2
    assert run(["history", "--customer", "4711", "--ledger", str(folder)]) == 4
    assert run(["ledger", "verify", "--ledger", str(folder)]) == 0
    assert b"chen@hinet" not in (folder / "ledger.sqlite").read_bytes()


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
