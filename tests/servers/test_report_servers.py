"""One report for each real server, from end to end: log, names, and the notice as the receiving server took it."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.server


def report(world, *arguments: str) -> tuple[int, bytes]:
    """The main story: a signed notice to a mailbox at Gmail, as its MX (of this private world) received it."""
    sent = world.sent("gmail")
    record = world.records("mei.lin@gmail.com", "end")[-1]
    notice = Path(world.truth["sink_folder"]) / record["file"]
    connected = [] if world.mta == "exim" else ["--from-ip", world.truth["from_ip"]]  # Exim's I= says it
    done = world.run(
        "report", "--log", world.main_log, "--to", "mei.lin@gmail.com", "--message-id", sent["message_id"],
        "--message", str(notice), "--nameserver", world.truth["nameserver"], *connected, *arguments,
    )  # fmt: skip
    assert done.returncode in {0, 1, 3}, done.stderr.decode(errors="replace")
    return done.returncode, done.stdout


def test_the_notice_passes_and_was_accepted(world):
    status, page = report(world, "--format", "json")
    answer = json.loads(page)
    assert status == 0
    assert answer["claim"]["state"] == "accepted"
    assert answer["claim"]["level"] == "L2"
    assert answer["claim"]["role"] == "recipient-mx"
    assert answer["provider"] == "gmail"
    verdicts = {v["check"]: (v["outcome"], v["protocol_result"]) for v in answer["verdicts"]}
    for check in ("spf-pass", "dkim-pass", "dmarc-pass"):
        assert verdicts[check] == ("pass", "pass"), check
    for check in ("spf-aligned", "dkim-aligned", "accepted-by-recipient-mx"):
        assert verdicts[check][0] == "pass", check
    assert not {check for check, (outcome, _) in verdicts.items() if outcome in {"fail", "error"}}, verdicts
    assert answer["evidence"]["client_ip"]["value"] == world.records("mei.lin@gmail.com", "end")[-1]["peer"]


@pytest.mark.parametrize("lang", ["en", "zh-Hant-TW"])
@pytest.mark.parametrize("form", ["text", "html"])
def test_the_page_names_the_notice_and_the_host_that_took_it(world, form, lang):
    status, page = report(world, "--format", form, "--lang", lang)
    assert status == 0
    text = page.decode()
    for word in ("mei.lin@gmail.com", "主機續約通知", "gmail-smtp-in.l.google.com"):
        assert word in text
    said = world.records("mei.lin@gmail.com", "end")[-1]["remote"]
    assert said in text


def test_another_mail_is_not_taken_for_the_notice(world):
    """The mail of another message proves nothing of this one, and is turned away."""
    other = world.records("ok-1@corp.example", "end")[-1]
    notice = Path(world.truth["sink_folder"]) / other["file"]
    done = world.run(
        "report", "--log", world.main_log, "--to", "mei.lin@gmail.com",
        "--message-id", world.sent("gmail")["message_id"], "--message", str(notice),
        "--nameserver", world.truth["nameserver"], "--format", "json",
    )  # fmt: skip
    assert done.returncode == 2
