"""``deliverability send`` and ``report --receipt``, against a server in another thread."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from names import names
from smtp_peer import Peer

from deliverability.__main__ import run

ZONE = """
mx1.customer.example. 300 IN A 127.0.0.2
customer.example. 300 IN MX 10 mx1.customer.example.
"""
NOTICE = (
    "From: Renewals <renewals@hosting.example>\nTo: mei@customer.example\nSubject: 續約通知\nMessage-ID: <1@hosting.example>\n"
    "Date: Sun, 22 Nov 2026 10:00:00 +0000\n\nPlease renew.\n"
)


def body_of(name: str) -> bytes:
    made = message_from_bytes(Path(name).read_bytes(), policy=default)
    body = made.get_body(("plain",))
    assert body
    return body.get_content().encode()


@contextmanager
def serving(peer: Peer) -> Iterator[Peer]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(peer.__aenter__(), loop).result()
    try:
        yield peer
    finally:
        asyncio.run_coroutine_threadsafe(peer.__aexit__(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "notice.eml"
    file.write_text(NOTICE, encoding="utf-8")
    return file


def test_send_and_report(notice: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    ledger = str(tmp_path / "ledger")
    with names(ZONE) as server, serving(Peer(host="127.0.0.2")) as peer:
        dns = ["--nameserver", server]
        sent = ["send", str(notice), "--ledger", ledger, "--mx-port", str(peer.port), "--allow-private", *dns]
        assert run(sent) == 0
        line = capsysbinary.readouterr().out.decode()
        assert line.startswith("accepted: mei@customer.example: 250 2.0.0 Ok: queued as 4XyZ1234567abcd [")
        dispatch = line.rpartition("[")[2].strip("]\n ")
        assert run(["report", "--receipt", dispatch, "--ledger", ledger, "--offline", "--format", "json"]) == 0
        page = json.loads(capsysbinary.readouterr().out)
        assert json.dumps(page).count("mx1.customer.example") > 1
        assert run(["report", "--receipt", dispatch, "--ledger", ledger, "--lang", "zh-Hant-TW", "--offline"]) == 0
        assert "續約通知" in capsysbinary.readouterr().out.decode()
    assert len(peer.messages) == 1


def test_through_a_relay_and_a_receipt_s_file(
    notice: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with serving(Peer()) as peer, names(ZONE) as server:
        common = ["--ledger", str(tmp_path / "ledger"), "--relay", peer.relay, "--nameserver", server]
        assert run(["send", str(notice), *common, "-o", "receipt.json"]) == 3
        assert b"handed-over: mei@customer.example" in capsysbinary.readouterr().err
    assert run(["report", "--receipt", "receipt.json", "--offline"]) == 3
    base = ["report", "--receipt", "receipt.json", "--offline"]
    assert run([*base, "--attach-to", "mei@customer.example", "-o", "reply.eml"]) == 3
    assert b"mei@customer.example" in body_of("reply.eml")
    assert run([*base, "--attach-to", "chen@customer.example", "-o", "other.eml"]) == 3
    assert b"mei@customer.example" not in body_of("other.eml")
    assert run([*base, "--bundle", "missing", "--format", "html"]) == 2
    assert run([*base, "--bundle", "missing", "--format", "pdf", "-o", "page.pdf"]) == 6
    assert run(["report", "--receipt", "missing.json", "--offline"]) == 6
    assert run(["report", "--receipt", "0" * 32, "--ledger", str(tmp_path / "ledger"), "--offline"]) == 2


@pytest.mark.parametrize(("reply", "status"), [(b"550 no\r\n", 1), (b"451 later\r\n", 3)])
def test_exit_status(notice: Path, tmp_path: Path, reply: bytes, status: int) -> None:
    with serving(Peer(says={"rcpt": reply})) as peer, names(ZONE) as server:
        common = ["--ledger", str(tmp_path / "l"), "--relay", peer.relay, "--nameserver", server]
        assert run(["send", str(notice), *common]) == status


def test_uncertain_is_unknown(notice: Path, tmp_path: Path) -> None:
    with serving(Peer(step="final", fault="close")) as peer, names(ZONE) as server:
        common = ["--ledger", str(tmp_path / "l"), "--relay", peer.relay, "--nameserver", server]
        assert run(["send", str(notice), *common, "--format", "json"]) == 4


def test_that_no_ledger_is_there_yet_is_said(notice: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The spool works before the ledger is made; a mistyped folder looks the same, and must not stay unnoticed."""
    folder = tmp_path / "ledger"
    with serving(Peer()) as peer, names(ZONE) as server:
        sent = ["send", str(notice), "--ledger", str(folder), "--relay", peer.relay, "--nameserver", server]
        assert run(sent) == 3
        told = capfd.readouterr()
        assert f"{folder}: no ledger there yet" in told.err
        assert "ledger init" in told.err
        assert "no ledger" not in told.out
        assert run(["ledger", "init", "hosting.example/dispatch", "--ledger", str(folder)]) == 0
        capfd.readouterr()
        assert run(sent) == 3
        assert "no ledger" not in capfd.readouterr().err
    assert run(["ledger", "checkpoint", "--ledger", str(folder), "--no-stamp"]) == 0
    capfd.readouterr()
    assert run(["history", "--to", "mei@customer.example", "--ledger", str(folder), "--format", "json"]) == 0
    assert len(peer.messages) == 2
    assert capfd.readouterr().out.count('"forward_path"') >= 2  # what was recorded before is sealed too


def test_a_ledger_in_a_folder_that_is_not_there_is_wrong_use(notice: Path, tmp_path: Path) -> None:
    with serving(Peer()) as peer:
        assert run(["send", str(notice), "--ledger", str(tmp_path / "lib" / "ledger"), "--relay", peer.relay]) == 2
    assert not (tmp_path / "lib").exists()
    assert not peer.messages


def test_wrong_use(notice: Path, tmp_path: Path) -> None:
    ledger = ["--ledger", str(tmp_path / "l")]
    assert run(["send", str(notice)]) == 2
    assert run(["send", str(notice), *ledger, "--relay", "a b"]) == 2
    assert run(["send", str(notice), *ledger, "--relay", "localhost", "--username", "web"]) == 2
    assert run(["send", str(tmp_path / "none.eml"), *ledger]) == 6
    assert run(["send", str(notice), *ledger, "--relay", "127.0.0.1:9", "--to", "a@b\r\nDATA"]) == 2
