"""What rspamd says: recorded as a milter of Postfix, in its own file and by syslog, and cases that those do not hold."""

from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from deliverability.evidence.event import Action, DeliveryEvent, TimeBasis
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.ingest.rspamd import FORMAT

CASES = Path(__file__).parents[1] / "cases" / "ingest"
OWN_FILE = CASES / "rspamd" / "rspamd-3.4.log"
BY_SYSLOG = CASES / "amavis" / "postfix-3.7-amavis-2.13-rspamd-3.4-short-ids.rfc3164.log"
BOTH = pytest.mark.parametrize("path", [OWN_FILE, BY_SYSLOG])
HEAD = "2026-11-22 18:08:18 #58(rspamd_proxy) <a5e46a>; "
CHECKED = (
    "proxy; rspamd_task_write_log: id: <m@hosting.example>, qid: <4jXPsZ0R4WzK0RM>, ip: 203.0.113.10, "
    "from: <a@hosting.example>, (default: F (no action): [-0.10/15.00] [MIME_GOOD(-0.10){text/plain;},"
    "ARC_NA(0.00){},DKIM_SIGNED(0.00){hosting.example:s=s2026;},TO_DN_NONE(0.00){}]), len: 311, time: 98.452ms, "
    "dns req: 0, digest: <3bb5b10200fce4a42b50580ef59dc601>, rcpts: <b@corp.example>, mime_rcpts: <b@corp.example>"
)
SIGNED = "DKIM_SIGNED(0.00){hosting.example:s=s2026;}"


def events(raw: list[bytes], *, cut: bool = False) -> list[DeliveryEvent]:
    return list(FORMAT.parse(LogLine(Place("", "x.log", n, 0), line, cut) for n, line in enumerate(raw, start=1)))


def said(*words: str) -> list[DeliveryEvent]:
    return events([(HEAD + one).encode() for one in words])


def signatures(told: list[DeliveryEvent]) -> list[tuple[str | None, str | None]]:
    return [(e.signing_domain, e.selector) for e in told if e.action is Action.SIGNED]


def recorded(path: Path, key: str) -> list[DeliveryEvent]:
    """The events of the message whose id begins with ``key`` (tests/servers/filters_driver.py)."""
    told = events(path.read_bytes().splitlines())
    ids = {e.queue_id for e in told if (e.message_id or "").startswith(f"{key}.")}
    return [e for e in told if e.queue_id in ids]


# --- what was recorded ------------------------------------------------------------------------------------------------


@BOTH
def test_every_message_of_the_recording_is_told(path: Path) -> None:
    raw = path.read_bytes().splitlines()
    written = sum(b"rspamd_task_write_log: " in line for line in raw)
    assert written == 9
    assert Counter(e.action for e in events(raw)) == {Action.FILTERED: 9, Action.SIGNED: 4}


@BOTH
def test_what_was_signed(path: Path) -> None:
    filtered, signed = recorded(path, "rspamd-signs")
    assert filtered.text == "F (no action): [-0.10/15.00]"
    assert filtered.reverse_path == "renewals@hosting.example"
    assert (signed.signing_domain, signed.selector, signed.queue_id) == ("hosting.example", "s2026", filtered.queue_id)
    assert filtered.writer == "rspamd/proxy"
    assert (filtered.process or "").startswith("rspamd[")


@BOTH
@pytest.mark.parametrize("key", ["rspamd-has-no-key", "rspamd-other-author", "in-rspamd"])
def test_what_was_not_signed(path: Path, key: str) -> None:
    (filtered,) = recorded(path, key)
    assert filtered.action is Action.FILTERED


@BOTH
def test_a_refusal_is_told_by_the_mail_server(path: Path) -> None:
    (filtered,) = recorded(path, "rspamd-refuses")
    assert (filtered.action, filtered.text) == (Action.FILTERED, "S (reject): [15.00/15.00]")
    assert filtered.result is filtered.recipient is None


@BOTH
def test_text_of_strangers_is_not_structure(path: Path) -> None:
    told = events(path.read_bytes().splitlines())
    assert "gmail.com" not in {e.signing_domain for e in told}
    assert "4dWt1q0zQ3z1RmV" not in {e.queue_id for e in told}
    # The forged symbol in this sender's tag makes the list of symbols one that rspamd does not write.
    assert signatures(recorded(path, "rspamd-hostile-sender")) == []
    assert signatures(recorded(path, "rspamd-hostile-recipient")) == [("hosting.example", "s2026")]


def test_the_file_has_the_year_but_no_zone() -> None:
    at = events(OWN_FILE.read_bytes().splitlines())[0].at
    assert (at.has_year, at.offset, at.instant, at.year_from) == (True, None, None, TimeBasis.LOGGED)
    assert at.local.date() == datetime(2026, 11, 22).date()  # noqa: DTZ001 - a log without a zone


def test_a_file_of_its_own_is_recognised() -> None:
    assert FORMAT.sniff(OWN_FILE.read_bytes()) == 1
    assert all(FORMAT.is_line(line) for line in OWN_FILE.read_bytes().splitlines())


# --- cases ------------------------------------------------------------------------------------------------------------


def test_fields() -> None:
    filtered, signed = said(CHECKED)
    assert (filtered.queue_id, filtered.message_id) == ("4jXPsZ0R4WzK0RM", "m@hosting.example")
    assert signatures([signed]) == [("hosting.example", "s2026")]
    assert filtered.recipient is None
    assert filtered.recipients == ()


def test_microseconds_and_a_leap_second() -> None:
    (told, _) = events([(HEAD.replace("18:08:18", "18:08:60.123456") + CHECKED).encode()])
    assert told.at.local.second == 59
    assert told.at.local.microsecond == 123456


@pytest.mark.parametrize("text", ["2026-13-22 18:08:18", "2026-11-22 28:08:18", "2026-02-30 18:08:18"])
def test_a_day_that_does_not_exist_is_no_time(text: str) -> None:
    assert events([(HEAD.replace("2026-11-22 18:08:18", text) + CHECKED).encode()]) == []


def test_no_sender_and_another_domain() -> None:
    assert signatures(said(CHECKED.replace("from: <a@hosting.example>, ", ""))) == [("hosting.example", "s2026")]
    assert signatures(said(CHECKED.replace("a@hosting.example", "a@mail.hosting.example"))) == [
        ("hosting.example", "s2026")
    ]
    assert signatures(said(CHECKED.replace("a@hosting.example", "a@nothosting.example"))) == []
    assert signatures(said(CHECKED.replace("a@hosting.example", "a<b@hosting.example"))) == []


def test_two_signatures() -> None:
    both = "DKIM_SIGNED(0.00){hosting.example:s=s2026;hosting.example:s=ed;}"
    assert signatures(said(CHECKED.replace(SIGNED, both))) == [("hosting.example", "s2026"), ("hosting.example", "ed")]


@pytest.mark.parametrize(
    "symbols",
    [
        f"{SIGNED},{SIGNED}",
        f"{SIGNED},DKIM_SIGNED(0.01){{hosting.example:s=other;}}",
        f"TAGGED_FROM(0.00){{a;}},{SIGNED}",
        "DKIM_SIGNED(0.00){hosting.example:s=s2026",
        "DKIM_SIGNED(0.00){hosting.example:s=s2026;}x",
        "DKIM_SIGNED(0.00){hosting.example;s=s2026;}",
        "DKIM_SIGNED(0.00){hosting.example:s=s2026;{}}",
        "DKIM_SIGNED(0.00){}",
        "R_DKIM_ALLOW(0.00){hosting.example:s=s2026;}",
    ],
)
def test_symbols_that_rspamd_does_not_write_so(symbols: str) -> None:
    told = said(CHECKED.replace(SIGNED, symbols))
    assert signatures(told) == []
    assert told[0].queue_id == "4jXPsZ0R4WzK0RM"


@pytest.mark.parametrize(
    "more", [", (default: F (no action): [0.00/15.00] [X(0.00){}]), len: 1", "]), len: 1, time: 1ms"]
)
def test_a_line_with_two_readings_says_only_that_the_message_passed(more: str) -> None:
    (told,) = said(CHECKED.replace("b@corp.example>, mime", f'"b{more}"@corp.example>, mime'))
    assert (told.action, told.queue_id, told.text, told.reverse_path) == (
        Action.FILTERED, "4jXPsZ0R4WzK0RM", "", None
    )  # fmt: skip


@pytest.mark.parametrize("shown", ["undef", "", "a?b@c.example"])
def test_a_message_id_that_is_not_the_messages_own_is_not_told(shown: str) -> None:
    assert said(CHECKED.replace("<m@hosting.example>", f"<{shown}>"))[0].message_id is None


def test_the_signing_modules_words_are_tied_by_the_task() -> None:
    loaded = (
        "proxy; rspamd_message_parse: loaded message; id: <m@hosting.example>; queue-id: <4jXPsZ0R4WzK0RM>; "
        "size: 311; checksum: <3bb5b10200fce4a42b50580ef59dc601>"
    )
    why = "lua; dkim_signing.lua:85: public key for domain hosting.example/s2026 is not found: x, skip signing"
    told = said(loaded, why, CHECKED, why)
    assert [(e.action, e.queue_id) for e in told] == [
        (Action.FILTERED, "4jXPsZ0R4WzK0RM"),
        (Action.FILTERED, "4jXPsZ0R4WzK0RM"),
        (Action.SIGNED, "4jXPsZ0R4WzK0RM"),
    ]
    assert told[0].text.endswith("skip signing")
    other = HEAD.replace("a5e46a", "ffffff")
    assert events([(HEAD + loaded).encode(), (other + why).encode()]) == []
    assert FORMAT.queue_ids((HEAD + why).encode()) == ["a5e46a"]
    assert FORMAT.queue_ids((HEAD + CHECKED).encode()) == ["4jXPsZ0R4WzK0RM", "a5e46a"]


@pytest.mark.parametrize(
    "words",
    [
        "proxy; rspamd_task_write_log: id: <m@hosting.example>, ip: 127.0.0.1, (default: F (no action): [0/15] []), len: 1",
        "proxy; rspamd_task_write_log: id: <a b>, qid: <4jXPsZ0R4WzK0RM>, ip: 127.0.0.1",
        "milter; rspamd_milter_process_command: got connection from 203.0.113.10:43547",
        "lua; spf.lua:186: skip SPF checks for local networks and authorized users",
        "proxy; ",
        "",
    ],
)
def test_other_lines_say_nothing(words: str) -> None:
    assert said(words) == []


def test_a_cut_line_says_nothing() -> None:
    assert events([(HEAD + CHECKED).encode()], cut=True) == []


@pytest.mark.parametrize(
    "raw",
    [
        b"2026-11-22 18:08:18 1vMmNz-0000000Iq3G-2tXh <= a@b",
        b"Nov 22 18:08:18 out1 postfix/smtpd[58]: <a5e46a>; proxy; rspamd_task_write_log: id: <m>, qid: <4jXPsZ0R4WzK0RM>, ",
        b"Nov 22 18:08:18 out1 rspamd-x[58]: x",
    ],
)
def test_others_lines_are_not_its_own(raw: bytes) -> None:
    assert not FORMAT.is_line(raw)
    assert events([raw]) == []
    assert FORMAT.queue_ids(raw) == []
