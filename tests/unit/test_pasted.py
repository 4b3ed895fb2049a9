"""Log lines out of tickets, terminals and containers: read as the lines that they were, and never more."""

import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deliverability.capture.blocks import blocks
from deliverability.capture.decoders.containers import HEAD
from deliverability.capture.decoders.markup import Markup
from deliverability.capture.decoders.pasted import shape_of
from deliverability.capture.files import LogFile, container_of

POSTFIX = b"""\
Nov 22 05:01:38 out1 postfix/smtpd[621]: 4jXH3k3V2zzLhRZ: client=localhost[127.0.0.1]
Nov 22 05:01:38 out1 postfix/cleanup[624]: 4jXH3k3V2zzLhRZ: message-id=<INV-10001.1795323698@billing.hosting.example>
Nov 22 05:01:38 out1 postfix/qmgr[577]: 4jXH3k3V2zzLhRZ: from=<renewals@hosting.example>, size=522, nrcpt=1 (queue active)
Nov 22 05:01:38 out1 postfix/smtp[626]: 4jXH3k3V2zzLhRZ: to=<jo32@corp.example>, relay=mx.corp.example[198.51.100.10]:25, \
delay=0.3, delays=0.1/0.1/0.1/0, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as ZMgzFGrJdvFpRDH)
Nov 22 05:01:38 out1 postfix/qmgr[577]: 4jXH3k3V2zzLhRZ: removed
"""
EXIM = b"""\
2026-11-22 05:31:15 1xV0AV-0000000002z-42Us <= renewals@hosting.example H=out1.hosting.example (whmcs) [127.0.0.1]:53332 \
P=esmtp S=583 id=INV-10001.1795325475@billing.hosting.example T="Hosting renewal notice" for jo32@corp.example
2026-11-22 05:31:16 1xV0AV-0000000002z-42Us => jo32@corp.example R=lookuphost T=remote_smtp H=mx.corp.example [127.0.2.10] \
C="250 2.0.0 Ok: queued as ZMgzFGrJdvFpRDH"
2026-11-22 05:31:16 1xV0AV-0000000002z-42Us Completed
"""
ISO = POSTFIX.replace(b"Nov 22 05:01:38", b"2026-11-22T05:01:38.123456+00:00")
LOGS = {"rfc3164": POSTFIX, "iso": ISO, "exim": EXIM}
JO = b"jo32@corp.example"
ADDRESS = re.compile(rb"[\w.-]+@[\w.-]+\.example")
CONTAINER_TIME = b"2026-11-22T05:01:39.123456789Z "


def before(prefix: bytes) -> Callable[[bytes], bytes]:
    return lambda log: b"".join(prefix + line + b"\n" for line in log.splitlines())


def numbered(form: bytes) -> Callable[[bytes], bytes]:
    return lambda log: b"".join(form % (n, line) for n, line in enumerate(log.splitlines(), 1))


def escaped(log: bytes) -> bytes:
    return log.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")


WAYS: dict[str, Callable[[bytes], bytes]] = {
    "indented": before(b"    "),
    "tab": before(b"\t"),
    "quoted": before(b"> "),
    "quoted twice": before(b">> "),
    "grep with names": before(b"/var/log/mail.log-20261101.gz:"),
    "grep with numbers": numbered(b"%d:%s\n"),
    "grep with both": numbered(b"mail.log:%d:%s\n"),
    "cat -n": numbered(b"%6d\t%s\n"),
    "quoted cat -n": numbered(b"> %6d\t%s\n"),
    "docker logs -t": before(CONTAINER_TIME),
    "CRI": before(CONTAINER_TIME + b"stdout F "),
    "kubectl --prefix": before(b"[pod/mail-0/postfix] "),
    "kubectl --prefix --timestamps": before(b"[pod/mail-0/postfix] " + CONTAINER_TIME),
    "docker compose": before(b"mail-1  | "),
    "a facility in brackets": before(b"<mail.info> "),
    "HTML": escaped,
    "backticks": lambda log: b"".join(b"`%s`\n" % line for line in log.splitlines()),
    "bullets": before(b"- "),
    "stars": before(b"* "),
    "a list of code": lambda log: b"".join(b" * `%s`\n" % line for line in log.splitlines()),
    "grep's lines around": lambda log: b"".join(
        b"exim_mainlog-20261101%s%d%s%s\n" % (sign, n, sign, line)
        for n, line in enumerate(log.splitlines(), 1)
        for sign in (b":" if n == 2 else b"-",)
    ),
    "grep's lines around, no numbers": before(b"/var/log/exim_mainlog-"),
    "coloured words": lambda log: log.replace(JO, b"\x1b[01;31m\x1b[K" + JO + b"\x1b[m\x1b[K"),
    "coloured names": before(b"\x1b[35m\x1b[Kmail.log\x1b[m\x1b[K\x1b[36m\x1b[K:\x1b[m\x1b[K"),
    "a link behind": lambda log: ADDRESS.sub(rb"\g<0> <mailto:\g<0>>", log),
    "a link close behind": lambda log: ADDRESS.sub(rb"\g<0><mailto:\g<0>>", log),
    "a link in Markdown": lambda log: ADDRESS.sub(rb"[\g<0>](mailto:\g<0>)", log),
    "a link in a chat": lambda log: ADDRESS.sub(rb"<mailto:\g<0>|\g<0>>", log),
    "a link in a chat's export": lambda log: ADDRESS.sub(rb"<mailto:\g<0>|\g<0>>", escaped(log)),
    "names of hosts linked as well": lambda log: ADDRESS.sub(rb"<mailto:\g<0>|\g<0>>", log).replace(
        b"mx.corp.example", b"<http://mx.corp.example|mx.corp.example>"
    ),
    "blanks that do not break": lambda log: log.replace(b" ", "\u00a0".encode()),
    "tabs for blanks": lambda log: log.replace(b" ", b"\t"),
    "after a greeting": lambda log: b"Hello, here is the log:\n" + before(b"> ")(log),
}


def read(content: bytes) -> bytes:
    return b"".join(block.content for block in blocks(LogFile("", "-", None, content)))


def container(content: bytes) -> str | None:
    return container_of(LogFile("", "-", None, content))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("log", LOGS)
def test_what_stands_before_each_line_is_taken_off(way: str, log: str) -> None:
    pasted = WAYS[way](LOGS[log])
    assert read(pasted).removeprefix(b"Hello, here is the log:\n") == LOGS[log]
    assert container(pasted) == "pasted lines"


SPACED: dict[str, Callable[[bytes], bytes]] = {
    "a blank in the time": lambda log: log.replace(b"2026-11-22T", b"2026-11-22 "),
    "a blank before the zone": lambda log: log.replace(b"+00:00", b" +00:00").replace(b"2026-11-22T", b"2026-11-22 "),
    "tabs": lambda log: log.replace(b" out1 ", b"\tout1\t").replace(b"]: ", b"]:\t"),
}


@pytest.mark.parametrize("way", SPACED)
def test_the_head_of_other_templates_is_read_as_syslog_has_it(way: str) -> None:
    assert read(SPACED[way](ISO)) == ISO


@pytest.mark.parametrize(
    "line",
    [
        b"2026-11-22 05:31:15 1xV0AV-0000000002z-42Us <= a@b.example U=root P=local S=5",
        b"2026-11-22 05:01:38 lmtp(7463, box@hosting.example): Info: pL9eJ2ZkklUnHQAAplP5VA: msgid=<a@b>: saved mail to INBOX",
        b"2026-11-22 05:01:38 lmtp(box)<191><1FHpNZy/Amu>: Info: msgid=<a@b>: saved mail to INBOX",
        b"2026-11-22 05:01:38 #123(normal) <abc>; task; rspamd_task_write_log: id: <a@b>",
    ],
)
def test_other_programs_own_times_stay(line: bytes) -> None:
    assert read((line + b"\n") * 5) == (line + b"\n") * 5


def at_width(log: bytes, width: int, quote: bytes = b"") -> bytes:
    """As a terminal cuts it."""
    pieces = [line[at : at + width] for line in log.splitlines() for at in range(0, len(line), width)]
    return b"".join(quote + piece + b"\n" for piece in pieces)


def at_words(log: bytes, width: int, quote: bytes = b"") -> bytes:
    """As a mail program breaks it."""
    made: list[bytes] = []
    for line in log.splitlines():
        pieces = [b""]
        for word in line.split(b" "):
            if pieces[-1] and len(pieces[-1]) + 1 + len(word) > width:
                pieces.append(word)
            else:
                pieces[-1] += b" " * bool(pieces[-1]) + word
        made += pieces
    return b"".join(quote + piece + b"\n" for piece in made)


@pytest.mark.parametrize("width", [72, 80, 100])
@pytest.mark.parametrize("quote", [b"", b"> "])
@pytest.mark.parametrize("wrapped", [at_width, at_words])
@pytest.mark.parametrize("log", LOGS)
def test_a_wrapped_line_is_one_line_again(
    log: str, wrapped: Callable[[bytes, int, bytes], bytes], quote: bytes, width: int
) -> None:
    pasted = wrapped(LOGS[log], width, quote)
    found = read(pasted)
    assert [line for line in found.splitlines() if line] == LOGS[log].splitlines()
    assert found.count(b"\n") == pasted.count(b"\n")  # line numbers stay


@pytest.mark.parametrize(
    "content",
    [
        *LOGS.values(),
        EXIM
        + b"2026-11-22 05:31:31 1xV0Al-000000000Gs-0bJd H=(x) [127.0.0.1]:40584 F=<a@b.example> rejected after DATA: no\n"
        b"Envelope-from: <a@b.example>\nEnvelope-to: <c@d.example>\nP Received: from x\n\tby y\nT To: c@d.example\n",
        POSTFIX + b"Nov 22 05:01:40 out1 java[1]: failed\njava.lang.Error: x\n    at a.b.c(D.java:1)\n" + POSTFIX,
        b"-- Boot 7f6a --\n" + POSTFIX + b"-- Boot 7f6b --\n" + POSTFIX,
        b"a line whose head was cut off: to=<a@b.example>\n" + POSTFIX,
    ],
)
def test_a_log_stays_as_it_is(content: bytes) -> None:
    assert read(content) == content
    assert container(content) is None


@pytest.mark.parametrize("before", [b"", b"> ", b"12:", b"rejectlog:", b"     7\t"])
@pytest.mark.parametrize("fold", [b"\t", b"  X-A:", b"    "])
def test_headers_that_a_reject_log_quotes_never_become_log_lines(before: bytes, fold: bytes) -> None:
    made_up = (
        b'2026-11-22 05:31:32 1xV0Am-000000000Gs-0bJd => mei@customer.example R=r T=t H=mx [192.0.2.9] C="250 OK"\n'
    )
    rejected = (
        b"2026-11-22 05:31:31 1xV0Al-000000000Gs-0bJd H=(x) [192.0.2.1] F=<a@b.example> rejected after DATA: no\n"
        b"Envelope-from: <a@b.example>\nEnvelope-to: <c@hosting.example>\nP Received: from x ([192.0.2.1])\n"
        b"  X-A: 1\n" + (fold + made_up) * 60 + b"-" * 40 + b"\n"
    )
    content = b"".join(before + line for line in rejected.splitlines(keepends=True))
    assert made_up.strip() not in [line.strip(b"\r\n") for line in read(content).split(b"\n")]


def test_text_within_a_log_never_becomes_a_line_of_its_own() -> None:
    """A stranger's words hold a whole log line; most lines stand as they were written, so none is looked for in them."""
    forged = b"> " + POSTFIX.splitlines()[3].replace(b"jo32", b"victim")
    log = POSTFIX * 3 + b"Nov 22 05:01:39 out1 postfix/smtpd[1]: warning: x\n" + forged + b"\n"
    assert read(log) == log


ODD = [
    b"\x1b[1m" + POSTFIX[:60],
    b"- `" + EXIM[:70] + b"`",
    b"[a@b](mailto:a@b)",
    POSTFIX[:80].replace(b" ", b"\xc2\xa0"),
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.sampled_from([*POSTFIX.splitlines(), *ODD, b"> x", b"\xff\0", b"&lt;", b"", b"12: y", b"> " * 40]),
        max_size=30,
    )
)
def test_any_mixture_keeps_its_line_numbers(lines: list[bytes]) -> None:
    content = b"\n".join(lines)
    assert read(content).count(b"\n") == content.count(b"\n")


@pytest.mark.parametrize("before", [b"\t", b"  ", b"\t> ", b"  Subject: "])
def test_folded_header_lines_beside_log_lines_never_become_log_lines(before: bytes) -> None:
    real = b"2026-11-22 13:00:00 1vMabc-000000001AB-0001 H=h.example [192.0.2.1] rejected after DATA: no\n"
    forged = (
        b'2026-11-22 13:00:01 1vMabd-000000001AC-0001 => v@b.example R=r T=t H=mx.b.example [192.0.2.2] C="250 OK"\n'
    )
    assert shape_of(real + (before + forged) * 40, complete=True) is None
    header = b"P Received: from a by b\nI Message-ID: <1@a.example>\n"
    assert shape_of(header + (before + forged) * 40, complete=True) is None


@pytest.mark.parametrize("field", [b"X-A:", b" ", b"\t", b"X-A-1:", b" X: 1:"])
@pytest.mark.parametrize("first", [b"From: a@b.example\n", b"Return-Path: <a@b.example>\nReceived: from a by b\n"])
def test_header_fields_of_a_message_never_become_log_lines(field: bytes, first: bytes) -> None:
    """A stranger's message that was saved as a file: its fields may hold whole log lines."""
    forged = b"".join(field + line + b"\n" for line in EXIM.splitlines())
    for header in (first + forged, b"X-First: 1\n" + forged + first):
        assert shape_of(header + b"\nbody\n", complete=True) is None
        assert read(header + b"\nbody\n") == header + b"\nbody\n"


def test_a_log_below_the_head_of_a_mail_is_read() -> None:
    mail = b"From: a@b.example\nSubject: our log\n\nHello,\n" + before(b"> ")(POSTFIX)
    assert POSTFIX.splitlines()[0] in read(mail).splitlines()


def test_curly_quotation_marks_are_straight_again_where_one_pair_stands_in_a_line() -> None:
    curly = re.sub(rb'"([^"]*)"', "\u201c".encode() + rb"\1" + "\u201d".encode(), EXIM)
    assert read(curly) == EXIM


def test_a_strangers_curly_quotation_marks_close_no_field() -> None:
    forged = EXIM.replace(b"Hosting renewal notice", "Hi\u201d id=forged@a.example T=\u201cx".encode())
    assert read(forged) == forged
    curly = forged.replace(b'T="', "T=\u201c".encode()).replace(b'x\xe2\x80\x9c"', b"x\xe2\x80\x9d").replace(b'"', b"")
    assert b'T="' not in read(curly)


@pytest.mark.parametrize(
    "subject",
    [
        b"jo32@corp.example <mailto:mei@corp.example>",
        b"xjo32@corp.example <mailto:jo32@corp.example>",
        b"[jo32@corp.example](mailto:mei@corp.example)",
        b"<mailto:jo32@corp.example|mei@corp.example>",
    ],
)
def test_a_link_that_goes_elsewhere_stays(subject: bytes) -> None:
    log = EXIM.replace(b"Hosting renewal notice", subject)
    linked = ADDRESS.sub(rb"<mailto:\g<0>|\g<0>>", EXIM)
    assert read(log) == log
    assert subject in read(linked + log)


def test_lines_in_a_list_beside_plain_ones_never_become_log_lines() -> None:
    real = b"2026-11-22 13:00:00 1vMabc-000000001AB-0001 H=h.example [192.0.2.1] rejected after DATA: no\n"
    forged = b"* 2026-11-22 13:00:01 1vMabd-000000001AC-0001 => v@b.example R=r T=t H=mx [192.0.2.2]\n"
    assert read(real + forged * 40) == real + forged * 40


def test_a_line_with_entities_in_a_log_that_has_none_stays() -> None:
    log = POSTFIX + b"Nov 22 05:01:39 out1 postfix/smtpd[1]: warning: &lt;mei@corp.example&gt; said &amp;\n"
    assert read(log) == log


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([b"a@b", b"<mailto:", b">", b"|", b"[", b"](mailto:", b")", b"\x1b[1m", b" ", b'"'])))
def test_what_is_left_of_a_line_was_in_it(pieces: list[bytes]) -> None:
    """No octet is made: a stranger could have written the result himself."""
    line = b"".join(pieces)
    left = iter(line)
    assert all(octet in left for octet in Markup(coloured=True, linked=True).undone(line))


@pytest.mark.parametrize(
    "subject", [b"[b]Sale[/b]", b"[email]a@b.example[/email]", b"write to a@b.example <mailto:a@b.example>"]
)
def test_a_strangers_subject_makes_no_paste_of_a_log(subject):
    """One line of a long log, as links and a forum's marks would leave it: the others stay as they were written."""
    line = (
        b'2026-11-22 05:01:38 1vcYV9-0000000002z-42Us <= a@b.example H=x [192.0.2.7] P=esmtp S=900 T="%s"\n' % subject
    )
    log = (line + EXIM) * (HEAD // len(EXIM) + 2)
    assert shape_of(log[:HEAD], complete=False) is None
