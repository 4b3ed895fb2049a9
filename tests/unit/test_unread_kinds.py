"""Files of a known kind that tell nothing: why, and what to give instead; never a story by guess."""

from pathlib import Path

import pytest

from deliverability.api.requests import Request
from deliverability.api.tracing import read_logs
from deliverability.errors import CannotLookError
from deliverability.protocols.unread_kinds import BOUNCE, MONOTONIC, NO_COLUMNS, QUEUE, STEPS, VERBOSE, why

SENT = "4jXH3k3V2zzLhRZ: to=<mei@corp.example>, relay=mx.x[192.0.2.1]:25, delay=1, dsn=2.0.0, status=sent (250 ok)"
TRACKED = (
    "2026-11-22T05:01:01.123Z,10.0.0.5,EX1,10.0.0.9,mx.corp.example,;250 2.0.0 OK,Outbound,SMTP,SEND,12345,"
    "<inv-1@hosting.example>,2bbad36a-a467-4c7b-a82f-4b307fff549f,mei@corp.example,250 2.1.5 OK,5000,1,,,Renewal,r@h.example"
)
TABLES = {
    "since the start": (f"[88047.050040] mx1 postfix/smtp[225]: {SENT}\n", MONOTONIC),
    "since the line before": (f"[88047.050040 <    0.081091 >] mx1 postfix/smtp[225]: {SENT}\n", MONOTONIC),
    "the first of such": (f"[88047.050040                ] mx1 postfix/smtp[225]: {SENT}\n", MONOTONIC),
    "tracking without its columns": (f"{TRACKED}\r\n{TRACKED}\r\n", NO_COLUMNS),
    "tracking of a step that only some versions have": (
        TRACKED.replace(",SMTP,SEND,", ",SMTP,HAREDIRECTFAIL,") + "\r\n",
        NO_COLUMNS,
    ),
    "Postfix's queue": (
        (
            "-Queue ID- --Size-- ----Arrival Time---- -Sender/Recipient-------\n"
            "4FABC12345*     802 Wed Jan 10 00:32:03  r@h.example\n                     mei@corp.example\n"
        ),
        QUEUE,
    ),
    "Exim's queue": ("25m  2.9K 1vMhoQ-00000001AbC-0aBc <r@h.example>\n          mei@corp.example\n", QUEUE),
    "a bounce": (
        "This is the mail system at host mx1.h.example.\n\n<mei@corp.example>: host mx said: 550 no\n",
        BOUNCE,
    ),
    "a delivery by hand": (
        "LOG: MAIN\n  => mei <mei@corp.example> R=virtual_user T=dovecot_virtual_delivery\n",
        VERBOSE,
    ),
    "steps of a trace": (
        (
            "MessageId,MessageTraceId,Date,Event,Action,Detail\n"
            "<inv-1@corp.example>,2bbad36a-a467-4c7b-a82f-4b307fff549f,11/22/2026 5:01:01 AM,Send external,,to mei@corp.example\n"
        ),
        STEPS,
    ),
    "steps with all that whoever asked chose": (
        (
            "MessageTraceId,RecipientAddress,SenderAddress,MessageId,Date,Event,Detail,Subject,Status\n"
            "2bbad36a-a467-4c7b-a82f-4b307fff549f,mei@corp.example,r@h.example,<i@h.example>,2026-11-22T05:01:01Z,Fail,,x,\n"
        ),
        STEPS,
    ),
    "columns in another language": (
        "編號,日期,客戶,主旨,收件人\n17,2026-11-22 05:01:01,王小美,主機續約通知,mei@corp.example\n",
        "編號, 日期, 客戶, 主旨, 收件人",
    ),
    "times that can be read two ways": (
        (
            "TimeGenerated [UTC],Computer,ProcessName,ProcessID,SyslogMessage\n"
            f'"11/12/2026, 5:01:01.123 AM",mx1,postfix/smtp,225,"{SENT}"\n'
        ),
        "TimeGenerated [UTC], Computer",
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_what_cannot_be_read_says_why(name: str, tmp_path: Path) -> None:
    content, reason = TABLES[name]
    log = tmp_path / "given"
    log.write_text(content, "utf-8")
    with pytest.raises(CannotLookError) as told:
        read_logs(Request(logs=(str(log),), to=("mei@corp.example",)))
    assert reason in str(told.value)


@pytest.mark.parametrize("raw", [b"", b"{", b"{}", b"[1]", b'{"a":', b"hello", b"[" * 9000, b'{"a":' * 9000])
def test_of_other_lines_nothing_is_known(raw: bytes) -> None:
    assert why(raw) is None


def test_a_strangers_names_are_shown_as_text_and_not_at_length() -> None:
    told = why(b'{"\\u001b[31m' + b"x" * 500 + b'":1}')
    assert told is not None
    assert "\x1b" not in told
    assert len(told) < 300
