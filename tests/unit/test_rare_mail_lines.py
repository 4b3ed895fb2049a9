"""A system's log may hold a few lines of its mail server far from its beginning: a summary counts them as a trace finds them."""

from pathlib import Path

import pytest

from deliverability.api.noting import MAX_SNIFFED
from deliverability.api.requests import Request
from deliverability.api.summary import summarise
from deliverability.api.tracing import read_logs

NOISE = "Nov 22 05:00:00 mx1 sshd[1]: Connection closed by 203.0.113.9 port 40022 [preauth]\n"
POSTFIX = (
    "Nov 22 05:01:38 mx1 postfix/smtp[4]: 4F1C2A0B3D: to=<anna@corp.example>, relay=mx.corp.example[198.51.100.10]:25,"
    " delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok)\n"
)
EXIM = (
    "2026-11-22 05:31:13 1w4Ab1-0000000005a-2BcD => anna@corp.example R=dnslookup T=remote_smtp H=mx.corp.example"
    ' [198.51.100.10] C="250 OK"\n'
)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("mail", [POSTFIX, EXIM])
def test_they_are_counted_wherever_they_stand(tmp_path: Path, mail: str, jobs: int) -> None:
    log = tmp_path / "messages"
    before = 2 * MAX_SNIFFED // len(NOISE)
    log.write_text(NOISE * before + mail + NOISE * 100, "utf-8")
    request = Request(logs=(str(log),), to=("anna@corp.example",))
    assert len(read_logs(request)[0].messages) == 1
    found = summarise(Request(logs=(str(log),)), jobs=jobs)
    assert sum(found.total.attempts.values()) == 1
    assert found.coverage.files[0].unread == 0


BEFORE = "2026-11-23 08:43:0{} 1xVI96-00005j-2f {} "
ROUTE = " R=lookuphost T=remote_smtp"
HOST = "H=mx5a.example [198.51.100.60]"
ASIDE = [
    ("r31 0 => x@y.example r=a t=b@s5.example", '"r31 0 => x@y.example R=a T=b"@s5.example'),
    ("r31 R=x@s5.example", '"r31 R=x"@s5.example'),
    ("a@b.example c@s5.example", '"a@b.example c"@s5.example'),
    ("a@b.example: c@s5.example", '"a@b.example: c"@s5.example'),
]


@pytest.mark.parametrize(("shown", "repeated"), ASIDE)
@pytest.mark.parametrize("flag", ["==", "**"])
def test_a_quoted_local_part_that_imitates_other_words_of_exim_is_one_recipient(
    tmp_path: Path, shown: str, repeated: str, flag: str
) -> None:
    """A deferral is settled by what comes later of the same recipient, and a failure is its domain's."""
    error = f"{HOST}: SMTP error from remote mail server after end of data: "
    code = f" defer (-46) {error}451 later" if flag == "==" else f" {error}551 no"
    lines = [f"{BEFORE.format(1, flag)}{shown} <{repeated}>{ROUTE}{code}\n"]
    if flag == "==":
        lines.append(f'{BEFORE.format(2, "=>")}{shown} <{repeated}> F=<>{ROUTE} S=625 {HOST} C="250 ok"\n')
    log = tmp_path / "exim_mainlog"
    log.write_text("".join(lines), "utf-8")
    told = summarise(Request(logs=(str(log),)))
    assert [row.name for row in told.domains] == ["s5.example"]
    assert len(told.total.outcomes) == 1
    assert sum(told.total.outcomes.values()) == 1
