"""What a page says of everyday stories, held against what a careful postmaster would say of the same lines."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from deliverability import api
from deliverability.api.requests import Network, Reader, Request
from deliverability.evidence.plugin import LANGUAGES

P = "2026-11-10T05:00:00+00:00 out1 postfix"
I = "2026-11-10 05:00:00 1w4Ab1-0000000005a-2BcD"  # noqa: E741 - as short as the lines are long
OFFICE = "office@hosting.example"
POSTFIX_BEGIN = (
    f"{P}/cleanup[2]: 4F1C2A0B3D: message-id=<m1@hosting.example>\n"
    f"{P}/qmgr[3]: 4F1C2A0B3D: from=<r@hosting.example>, size=900, nrcpt=1 (queue active)\n"
)
EXIM_BEGIN = f"{I} <= r@hosting.example U=app P=local S=900 id=m1@hosting.example\n"


def postfix(to: str, relay: str, said: str, program: str = "smtp", more: str = "") -> str:
    return f"{P}/{program}[4]: 4F1C2A0B3D: to=<{to}>,{more} relay={relay}, delay=1, delays=0/0/0/1, {said}\n"


def page(folder: Path, text: str, to: str, lang: str) -> str:
    log = folder / "log"
    log.write_text(text, "utf-8")
    request = Request(
        logs=(str(log),),
        to=(to,),
        tz="UTC",
        network=Network(offline=True),
        now=datetime(2026, 11, 23, tzinfo=UTC),
    )
    (found,) = api.report(request).assessments
    text = api.render(found, Reader(lang=lang, zone="UTC"), "text", request).decode()
    return "".join(text.split()) if lang == "zh-Hant-TW" else " ".join(text.split())


ALIAS = {
    "postfix": POSTFIX_BEGIN
    + postfix(
        "anna@corp.example",
        "mx.corp.example[198.51.100.10]:25",
        "dsn=2.0.0, status=sent (250 2.0.0 Ok)",
        more=f" orig_to=<{OFFICE}>,",
    )
    + postfix(
        "bob@other.example",
        "mx.other.example[198.51.100.20]:25",
        "dsn=5.1.1, status=bounced (host mx.other.example[198.51.100.20] said: 550 5.1.1 User unknown"
        " (in reply to RCPT TO command))",
        more=f" orig_to=<{OFFICE}>,",
    ),
    "exim": EXIM_BEGIN
    + f'{I} => anna@corp.example <{OFFICE}> R=dnslookup T=remote_smtp H=mx.corp.example [198.51.100.10] C="250 ok"\n'
    f"{I} ** bob@other.example <{OFFICE}> R=dnslookup T=remote_smtp H=mx.other.example [198.51.100.20]: SMTP error"
    " from remote mail server after RCPT TO:<bob@other.example>: 550 5.1.1 User unknown\n"
    f"{I} Completed\n",
}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("server", ALIAS)
def test_a_server_refused_the_one_address_that_it_was_offered(tmp_path: Path, server: str, lang: str) -> None:
    told = page(tmp_path, ALIAS[server], OFFICE, lang)
    said = {
        "en": "there is no mailbox b•••@other.example.",
        "zh-Hant-TW": "那台伺服器表示沒有b•••@other.example這個信箱",
    }
    assert said[lang] in told


PROGRAM = {
    "postfix": (
        "info@hosting.example",
        POSTFIX_BEGIN
        + postfix("info@hosting.example", "mailman", "dsn=2.0.0, status=sent (delivered via mailman service)", "pipe"),
    ),
    "exim": (
        "info@hosting.example",
        EXIM_BEGIN
        + f"{I} => |/usr/bin/autoresponder <info@hosting.example> R=system_aliases T=address_pipe\n{I} Completed\n",
    ),
}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("server", PROGRAM)
def test_a_program_is_no_second_server(tmp_path: Path, server: str, lang: str) -> None:
    to, text = PROGRAM[server]
    told = page(tmp_path, text, to, lang)
    answered = {"en": "to a program of its own on", "zh-Hant-TW": "交給它自己的程式"}
    untrue = {"en": "another server of ours", "zh-Hant-TW": "另一台伺服器"}
    assert answered[lang] in told
    assert untrue[lang] not in told


OURS = {
    "postfix": POSTFIX_BEGIN
    + postfix("anna@corp.example", "none", "dsn=5.4.6, status=bounced (mail for corp.example loops back to myself)"),
    "exim": EXIM_BEGIN
    + f"{I} ** anna@corp.example R=dnslookup: remote host address is the local host\n{I} Completed\n",
}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("server", OURS)
def test_nobody_is_told_that_a_right_address_is_wrong(tmp_path: Path, server: str, lang: str) -> None:
    told = page(tmp_path, OURS[server], "anna@corp.example", lang)
    asked = {"en": "if it is right, tell us too", "zh-Hant-TW": "如果正確，也請告訴我們"}
    untrue = {"en": "No server of corp.example took part", "zh-Hant-TW": "沒有corp.example的伺服器參與"}
    assert asked[lang] in told
    assert untrue[lang] not in told


WAITING = {
    "postfix": POSTFIX_BEGIN
    + postfix(
        "anna@corp.example",
        "none",
        "dsn=4.4.1, status=deferred (delivery temporarily suspended: connect to mx.corp.example[198.51.100.10]:25:"
        " Connection timed out)",
        "error",
    ),
    "exim": EXIM_BEGIN
    + f"{I} == anna@corp.example R=dnslookup T=remote_smtp defer (-53): retry time not reached for any host\n",
}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("server", WAITING)
def test_where_nothing_was_tried_no_try_is_told(tmp_path: Path, server: str, lang: str) -> None:
    told = page(tmp_path, WAITING[server], "anna@corp.example", lang)
    untrue = {"en": "latest try", "zh-Hant-TW": "最近一次嘗試"}
    assert untrue[lang] not in told


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    ("ending", "untrue"),
    [
        (
            postfix(
                "bob@other.example",
                "none",
                "dsn=4.4.1, status=deferred (connect to mx.other.example[198.51.100.20]:25: Connection timed out)",
                more=f" orig_to=<{OFFICE}>,",
            ),
            {"en": "This message had not been accepted", "zh-Hant-TW": "為止，這封信還沒有被收下"},
        ),
        (
            postfix(
                "bob@other.example",
                "none",
                "dsn=5.4.4, status=bounced (Host or domain name not found. Name service error for name=other.example"
                " type=A: Host not found)",
                more=f" orig_to=<{OFFICE}>,",
            ),
            {"en": "This message could not be sent.", "zh-Hant-TW": "-這封信無法寄出"},
        ),
    ],
)
def test_what_one_address_got_is_not_denied_for_the_other(
    tmp_path: Path, ending: str, untrue: dict[str, str], lang: str
) -> None:
    first = ALIAS["postfix"].splitlines(keepends=True)[:3]
    told = page(tmp_path, "".join(first) + ending, OFFICE, lang)
    assert "b•••@other.example" in told
    assert untrue[lang] not in told
