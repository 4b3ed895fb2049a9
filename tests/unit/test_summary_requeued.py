"""What an operator requeues (``postsuper -r``) goes on under another id: it is one message to one recipient, counted once."""

from pathlib import Path

import pytest

from deliverability.api.requests import Request
from deliverability.api.summary import summarise

HEAD = "2026-11-22T0"
DEFERRED = (
    "status=deferred (host mx.corp.example[198.51.100.10] said: 450 4.2.0 Greylisted (in reply to RCPT TO command))"
)


def tried(at: str, queue_id: str, who: str, said: str) -> str:
    dsn = "2.0.0" if "=sent" in said else "4.2.0"
    server = "mx.corp.example[198.51.100.10]:25"
    return f"{HEAD}{at} out1 postfix/smtp[7]: {queue_id}: to=<{who}@corp.example>, relay={server}, delay=1, delays=0/0/1/0, dsn={dsn}, {said}"


FIRST = [
    f"{HEAD}1:00:00.000000+00:00 out1 postfix/qmgr[3]: 4jXH3k3V2zzLhRZ: from=<a@hosting.example>, size=100, nrcpt=2 (queue active)",
    tried("1:00:01.000000+00:00", "4jXH3k3V2zzLhRZ", "mei", DEFERRED),
    tried("1:00:01.000000+00:00", "4jXH3k3V2zzLhRZ", "chen", "status=sent (250 2.0.0 Ok: queued as 1A2B3C4D5E)"),
]
REQUEUED = [
    f"{HEAD}2:00:00.000000+00:00 out1 postfix/postsuper[9]: Requeued: 1 message",
    f"{HEAD}2:00:01.000000+00:00 out1 postfix/pickup[4]: 4jXJP21000z4hZy: uid=100 from=<a@hosting.example> orig_id=4jXH3k3V2zzLhRZ",
]
SENT = [tried("2:00:02.000000+00:00", "4jXJP21000z4hZy", "mei", "status=sent (250 2.0.0 Ok: queued as 5E4D3C2B1A)")]
AGAIN = [tried("2:00:02.000000+00:00", "4jXJP21000z4hZy", "mei", DEFERRED)]
EXPIRED = [
    f"{HEAD}9:00:02.000000+00:00 out1 postfix/qmgr[3]: 4jXJP21000z4hZy: from=<a@hosting.example>, status=expired, returned to sender"
]


@pytest.mark.parametrize("rotated", [False, True])
@pytest.mark.parametrize(
    ("lines", "outcomes"),
    [
        (SENT, {"handed-over": 2}),
        (AGAIN, {"handed-over": 1, "deferred": 1}),
        (AGAIN + EXPIRED, {"handed-over": 1, "expired": 1}),
    ],
)
def test_a_requeued_message_is_counted_once(
    tmp_path: Path, lines: list[str], outcomes: dict[str, int], *, rotated: bool
) -> None:
    log, before = tmp_path / "mail.log", tmp_path / "mail.log.1"
    if rotated:
        before.write_text("\n".join(FIRST) + "\n", "utf-8")
    log.write_text("\n".join([*([] if rotated else FIRST), *REQUEUED, *lines]) + "\n", "utf-8")
    total = summarise(Request(logs=(str(log),))).total
    assert {fate.value: count for fate, count in dict(total.outcomes).items() if count} == outcomes


LOST = (
    "status=deferred (lost connection with mx.corp.example[198.51.100.10] while sending end of data"
    " -- message may be sent more than once)"
)


@pytest.mark.parametrize("rotated", [False, True])
@pytest.mark.parametrize("lost", [False, True])
def test_deferred_in_two_files_and_expired_in_the_second_is_counted_once(
    tmp_path: Path, *, rotated: bool, lost: bool
) -> None:
    log, before = tmp_path / "mail.log", tmp_path / "mail.log.1"
    first = [line.replace(DEFERRED, LOST) if lost else line for line in FIRST]
    later = [line.replace("4jXJP21000z4hZy", "4jXH3k3V2zzLhRZ") for line in AGAIN + EXPIRED]
    if rotated:
        before.write_text("\n".join(first) + "\n", "utf-8")
    log.write_text("\n".join([*([] if rotated else first), *later]) + "\n", "utf-8")
    total = summarise(Request(logs=(str(log),))).total
    assert {fate.value: count for fate, count in dict(total.outcomes).items() if count} == {
        "handed-over": 1,
        "unknown" if lost else "expired": 1,
    }


def test_what_ended_before_the_rest_was_requeued_is_not_open_again(tmp_path: Path) -> None:
    log, before = tmp_path / "mail.log", tmp_path / "mail.log.1"
    waits = [*FIRST, tried("1:00:01.000000+00:00", "4jXH3k3V2zzLhRZ", "hsu", DEFERRED)]
    waits.append(tried("1:00:01.000000+00:00", "4jXH3k4n00z4hZy", "lin", LOST))
    ended = [tried("1:30:00.000000+00:00", "4jXH3k3V2zzLhRZ", "mei", "status=bounced (host mx said: 550 5.1.1 no)")]
    ended.append(ended[0].replace("mei@", "lin@").replace("4jXH3k3V2zzLhRZ", "4jXH3k4n00z4hZy"))
    later = [line.replace("mei@", "hsu@") for line in SENT]
    before.write_text("\n".join(waits) + "\n", "utf-8")
    log.write_text("\n".join([*ended, *REQUEUED, *later]) + "\n", "utf-8")
    total = summarise(Request(logs=(str(log),))).total
    assert {fate.value: count for fate, count in dict(total.outcomes).items() if count} == {
        "handed-over": 2,
        "refused": 1,
        "unknown": 1,
    }
