"""The lines around a found line: what its process said before it."""

from deliverability.api.nearby import Nearby
from deliverability.api.surroundings import SESSION_REACH, session_before
from deliverability.capture.blocks import windows
from deliverability.capture.files import LogFile

SESSION = (
    b"2026-01-06T01:01:01+00:00 out1 postfix/smtp[9]: Trusted TLS connection established to mx.b.example[192.0.2.1]:25:"
    b" TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n"
)
EXIM = (
    b"2026-01-06 01:01:02 1vcxYz-00000001abc-1xyz => a@b.example R=dnslookup T=remote_smtp H=mx.b.example [192.0.2.1]\n"
)
POSTFIX = b"2026-01-06T01:01:02+00:00 out1 postfix/smtp[9]: 4dlXtV3V2zzLhRZ: to=<c@b.example>, status=sent (250 OK)\n"


def test_what_another_line_s_process_said_is_not_of_this_line() -> None:
    content = SESSION + EXIM + POSTFIX
    (window,) = windows(LogFile("", "-", None, content), SESSION_REACH)
    of_exim, of_postfix = len(SESSION), len(SESSION + EXIM)
    assert session_before(window, of_exim) == []
    assert [line.raw + b"\n" for line in session_before(window, of_postfix)] == [SESSION]


def test_lines_with_a_session_are_told_from_lines_without() -> None:
    content = SESSION + EXIM + POSTFIX
    (window,) = windows(LogFile("", "-", None, content), SESSION_REACH)
    near = Nearby(window)
    found = {}
    for line in (EXIM, POSTFIX):
        start = content.index(line)
        entry = near.entry(start, start, start + len(line), session=True)
        found[line] = [raw + b"\n" for _, _, raw, _ in entry]
    assert found == {EXIM: [EXIM], POSTFIX: [SESSION, POSTFIX]}
