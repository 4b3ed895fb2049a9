"""The fast readers and the full parsers say the same of every line: recorded ones, and whatever they are turned into."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliverability import plugins
from deliverability.api.times import stamp
from deliverability.evidence.event import LogTime
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.protocols.lean import by_marks, lean_of

LOGS = Path(__file__).parents[1] / "cases" / "logs"
FILES = {
    "postfix": ["postfix/postfix-3.10.iso8601.log", "postfix/postfix-3.10.rfc3164.log"],
    "exim": ["exim/4.96/mainlog", "exim/4.98-cpanel/mainlog", "exim/4.96/syslog", "exim/4.98-cpanel/rejectlog"],
}
HEADS = {
    "postfix": b"Nov 22 05:01:38 out1 postfix/smtp[1]: x\n",
    "exim": b"2026-11-22 05:01:38 exim 4.98 daemon started\n",
}


def lines_of(content):
    place, lines = 0, []
    for raw in content.split(b"\n"):
        if raw:
            lines.append(LogLine(Place("", "", len(lines) + 1, place), raw.removesuffix(b"\r")))
        place += len(raw) + 1
    return lines


def shown(lean):
    start, minute, seconds, zone, queue_id, recipient, _, _, saying = lean
    at = minute if isinstance(minute, LogTime) else stamp(minute + seconds + zone)
    return start, (at.local, at.has_year, at.offset), queue_id, recipient, saying.domain, saying.said


def quick(plugin, content):
    return [shown(lean) for lean in plugins.load("ingest", plugin).deliveries(HEADS[plugin])(content, len(content))]


def full(plugin, content):
    """Each line by itself: what syslog split into parts is for the full parser alone."""
    parse = plugins.load("ingest", plugin).parse
    events = [event for line in lines_of(content) for event in parse([line])]
    return [shown(lean) for event in events if (lean := lean_of(event, event.line.place.offset))]


@pytest.mark.parametrize(("plugin", "name"), [(p, n) for p, names in FILES.items() for n in names])
def test_every_recorded_line(plugin, name):
    content = (LOGS / name).read_bytes()
    found = quick(plugin, content)
    assert found == full(plugin, content)
    assert len(found) > 200 or "rejectlog" in name or "syslog" in name


DELIVERIES = {
    plugin: [
        line
        for name in names
        for line in (LOGS / name).read_bytes().split(b"\n")
        if b", status=" in line or any(flag in line for flag in (b" => ", b" -> ", b" ** ", b" == "))
    ]
    for plugin, names in FILES.items()
}
PIECES = {
    "postfix": (
        *(b">, relay=none, delay=0, dsn=2.0.0, status=sent (250 ok)", b"status=sent (250 ok)", b", status=bounced ("),
        *(b" said: 250 ok (in reply to end of DATA command)", b" (in reply to RCPT TO command)", b" -- message may be"),
        *(b"to=<a@b.example>, ", b", orig_to=<x@y.example>", b", conn_use=2", b", tls=may", b"host x[1.2.3.4] said: "),
        *(b'"', b"<", b">", b",", b"(", b")", b" ", b"\r", b"\xff", "é".encode(), b"\\", b"@", b"550 5.1.1 ", b"\0"),
        *(b"forwarded as 4jXH3k3V2zzLhRZ", b"delivered to mailbox", b"queued as X1234567", b"250 2.7.0 Ok, discarded"),
        *(
            b"(250 2.5.0 Ok, id=1-2, DISCARD(bounce.suppressed))",
            b"(250 Ok, id=1-2, BOUNCE)",
            b"(250 OK, Discarded)",
            b"2 ",
        ),
        *(
            b" said: 550 (in reply to RCPT TO command)",
            b" said: 550-5.7.1 [192.0.2.1] ",
            b"5.1.1\t",
            b"#5.1.1:",
            b"5.1.1",
        ),
        *(
            b".123",
            b"Z",
            b"+08:00",
            b" 01:38",
            b":60",
            b"relay=a/b",
            b"[/var/run/x]",
            b'to=<"x y"@',
            b'to=<"',
            b"\xc2\xa0",
        ),
        *(b"postfix/local", b"postfix/lmtp", b"127.0.0.1[127.0.0.1]:24", b": ", b"[", b"]", b"421 4.7.0 x", b"lost "),
    ),
    "exim": (
        *(b" => ", b" ** ", b" == ", b" -> ", b' C="250 OK id=x"', b" DT=0s", b" QT=3s", b": ", b" defer (-53): "),
        *(b"retry timeout exceeded", b"**** log string overflowed log buffer ****", b" <x@y.example>", b" R=dnslookup"),
        *(b' <"odd name"@d.example>', b" F=<a@b.example>", b" S=123", b" I=[192.0.2.1]:33", b" X=TLS1.3:x:256 CV=no"),
        *(b": SMTP error from remote mail server after RCPT TO:<a@b.example>: 550 5.1.1 no", b" H=mx [192.0.2.1]"),
        *(b'"', b"<", b">", b",", b"(", b")", b" ", b"\r", b"\xff", "é".encode(), b"\\", b"@", b"550 5.1.1 ", b"\0"),
        *(b": SMTP error from remote mail server after end of data: 250", b"Completed", b"T=dovecot_lmtp", b"queued"),
        *(b"SMTP timeout after end of data", b"all hosts have been failing for a long time and were last tried", b"|x"),
    ),
}


@st.composite
def mutated(draw, plugin):
    """A recorded delivery line with some pieces put in, taken out or doubled."""
    line = draw(st.sampled_from(DELIVERIES[plugin]))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(line)))
        match draw(st.integers(0, 3)):
            case 0:
                line = line[:at] + draw(st.sampled_from(PIECES[plugin])) + line[at:]
            case 1:
                line = line[:at] + line[at + draw(st.integers(1, 30)) :]
            case 2:
                line = line[:at] + draw(st.binary(max_size=6)) + line[at:]
            case 3:
                end = at + draw(st.integers(1, 60))
                line = line[:end] + line[at:end] + line[end:]
    return line.replace(b"\n", b"")


@pytest.mark.parametrize("plugin", FILES)
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_every_mutated_line(plugin, data):
    lines = data.draw(st.lists(mutated(plugin), min_size=1, max_size=3))
    content = b"".join(line + b"\n" for line in lines)
    assert quick(plugin, content) == full(plugin, content)


def test_a_colon_that_is_part_of_the_address() -> None:
    content = b"2026-11-22 05:33:03 1xV0Ae-0000AS-13 ** x@refused.example:: retry timeout exceeded\n"
    assert quick("exim", content) == full("exim", content) != []


@pytest.mark.parametrize("plugin", FILES)
def test_no_injected_text_becomes_another_recipient(plugin):
    hostile = {
        "postfix": b"Nov 22 05:01:38 h postfix/cleanup[1]: 4jXH3k3V2zzLhRZ: info: header Subject: x: to=<v@x.example>, relay=mx"
        b"[1.2.3.4]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)\n",
        "exim": b'2026-11-22 05:01:38 1vcYV9-0000000002z-42Us <= a@b.example H=x [1.2.3.4] P=esmtp S=1 T="x => v@x.example'
        b' R=r T=t H=mx [1.2.3.4] C=\\"250 ok\\""\n',
    }[plugin]
    assert quick(plugin, hostile) == full(plugin, hostile) == []


@pytest.mark.parametrize("plugin", FILES)
@given(content=st.binary(max_size=400))
def test_any_octets(plugin, content):
    assert quick(plugin, content) == full(plugin, content)


def test_a_line_without_an_end_is_cut():
    line = b"Nov 22 05:01:38 h postfix/smtp[1]: 4jXH3k3V2zzLhRZ: to=<a@b.example>, relay=mx[192.0.2.1]:25, delay=1, delays=0/0/0/1, dsn=4.4.2, status=deferred (lost connection with mx"
    assert quick("postfix", line) == []
    assert len(quick("postfix", line + b"[192.0.2.1] while receiving the initial server greeting)\n")) == 1


def test_marked_lines_alone_are_read():
    fmt = plugins.load("ingest", "postfix")
    content = (LOGS / FILES["postfix"][0]).read_bytes()
    found = [shown(lean) for lean in by_marks(fmt.parse, (b", status=", b" orig_id="))(content, len(content))]
    assert found == full("postfix", content)
