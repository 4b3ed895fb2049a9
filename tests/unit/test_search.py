"""The search in raw bytes: what a file is, what it covers and lacks, and which lines belong to a notice."""

import gzip
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bounded import calls

from deliverability.api import progress
from deliverability.api import search as searching
from deliverability.api.requests import Request
from deliverability.api.search import Found, load_formats, search
from deliverability.api.tracing import read_logs
from deliverability.capture.files import LogFile
from deliverability.config import Configuration, LogSource
from deliverability.errors import CannotLookError, UsageError
from deliverability.evidence.event import Action
from deliverability.evidence.story import State

LOGS = Path(__file__).parents[1] / "cases" / "logs"
POSTFIX = (LOGS / "postfix" / "postfix-3.10.rfc3164.log").read_bytes()
EXIM = (LOGS / "exim" / "4.98-cpanel" / "mainlog").read_bytes()
OTHER = b"Nov 22 05:01:%02d out1 systemd[1]: Started session %d of user root.\n"


def found_in(*contents: bytes, needle: bytes = b"jo32@corp.example") -> Found:
    files = [LogFile("", f"log{n}", None, content) for n, content in enumerate(contents)]
    return search(files, lambda _format: [needle])


def address(text: str, content: bytes, tmp_path: Path, **asked: object) -> list[str]:
    """The recipients of the messages that are told."""
    log = tmp_path / "mail.log"
    log.write_bytes(content)
    trace, _ = read_logs(Request(logs=(str(log),), to=(text,), **asked))  # type: ignore[arg-type]
    return [d.recipient for m in trace.messages for d in m.deliveries]


# --- what a file is ---------------------------------------------------------------------------------------------------


def test_mail_lines_deep_in_a_shared_syslog_are_found() -> None:
    others = b"".join(OTHER % (n % 60, n) for n in range(20_000))  # more than the sample by which a file is recognised
    found = found_in(others + POSTFIX + others)
    (scan,) = found.scans
    assert [f.id for f in scan.formats] == ["postfix"]
    assert scan.unread == 0
    assert scan.first
    assert {e.recipient for e in found.events if e.action is Action.ATTEMPTED} == {"jo32@corp.example"}


def test_one_mail_line_in_a_hundred_is_enough() -> None:
    lines = POSTFIX.splitlines(keepends=True)
    content = b"".join(b"".join(OTHER % (n % 60, n) for _ in range(99)) + line for n, line in enumerate(lines))
    found = found_in(content)
    assert found.scans[0].unread == 0
    assert [e.recipient for e in found.events if e.action is Action.ATTEMPTED] == ["jo32@corp.example"]
    assert found.scans[0].first and found.scans[0].last


@pytest.mark.parametrize("content", [POSTFIX + EXIM, EXIM + POSTFIX], ids=["postfix-first", "exim-first"])
def test_a_log_of_two_mail_servers_is_read_as_both(content: bytes) -> None:
    found = found_in(content)
    assert {f.id for f in found.scans[0].formats} == {"postfix", "exim"}
    assert found.scans[0].unread == 0
    sent = {(e.writer, e.recipient) for e in found.events if e.action is Action.ATTEMPTED}
    assert sent == {("postfix/smtp", "jo32@corp.example"), ("exim", "jo32@corp.example")}


def test_a_second_format_beyond_the_sample_is_found_and_counted() -> None:
    found = found_in(POSTFIX * 3 + EXIM)
    assert {e.writer for e in found.events if e.action is Action.ATTEMPTED} == {"postfix/smtp", "exim"}
    assert found.scans[0].unread == 0


def test_a_central_syslog_keeps_the_hosts_apart() -> None:
    second = POSTFIX.replace(b" out1 ", b" out2 ").replace(b"4jX", b"4jY")
    lines = [b for pair in zip(POSTFIX.splitlines(True), second.splitlines(True), strict=True) for b in pair]
    found = found_in(b"".join(lines))
    assert len({e.queue_id for e in found.events if e.action is Action.ATTEMPTED}) == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (bytes(range(256)) * 99, "no mail log"),
        (b"".join(OTHER % (1, n) for n in range(9)) + b"and no mail\n", "no mail log"),
        (bytes(3 << 20), "no mail log"),
    ],
)
def test_what_holds_no_mail_could_not_be_looked_at(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(CannotLookError, match=reason):
        address("a@b.example", content, tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n \r\n\t\n"])
def test_an_empty_log_was_looked_at_and_says_so(tmp_path: Path, content: bytes) -> None:
    log = tmp_path / "mail.log"
    log.write_bytes(content)
    trace, _ = read_logs(Request(logs=(str(log),), to=("a@b.example",)))
    assert trace.messages == ()
    assert trace.notes == (f"{log}: empty: nothing to look at",)


# --- what it lacks ----------------------------------------------------------------------------------------------------


def test_crlf_changes_nothing() -> None:
    def told(found: Found) -> list[tuple[object, ...]]:
        return [
            (e.action, e.queue_id, e.recipient, e.subject, e.text, e.line.raw, e.line.place.line) for e in found.events
        ]

    windows = found_in(POSTFIX.replace(b"\n", b"\r\n"))
    assert told(windows) == told(found_in(POSTFIX))
    assert windows.scans[0].unread == 0


def test_nul_octets_are_shown_as_a_gap_and_hide_no_other_line() -> None:
    lines = POSTFIX.splitlines(keepends=True)
    found = found_in(b"".join(lines[:1]) + bytes(4096) + b"".join(lines[1:]))
    scan = found.scans[0]
    assert scan.binary and scan.binary.place.line == 2
    assert scan.unread == 1
    assert len(found.events) == len(found_in(POSTFIX).events)


def test_a_receivers_words_are_no_gap_and_the_loggers_are() -> None:
    reply = b"Nov 22 05:01:38 out1 postfix/smtp[9]: 4jXH3k3V2zzLhRZ: to=<a@b.example>, relay=mx.b.example[192.0.2.1]:25, delay=1, dsn=4.7.28, status=deferred (host said: 421 lost due to rate-limiting, uppressed 5 messages)\n"
    logger = b"Nov 22 05:01:39 out1 rsyslogd: imuxsock lost 50 messages from pid 123 due to rate-limiting\n"
    assert found_in(POSTFIX + reply * 300).scans[0].lost == []
    (lost,) = found_in(POSTFIX + reply + logger + reply).scans[0].lost
    assert lost.raw == logger.rstrip()


@pytest.mark.parametrize("word", [b"messages ", b"rate-limit "])
@pytest.mark.parametrize("around", [1, 6000])  # the block is read line by line, or as a large one is
def test_a_line_with_a_loggers_words_is_looked_at_once(word: bytes, around: int) -> None:
    def work(times: int) -> int:
        said = OTHER % (1, 1) + b"Nov 22 05:01:39 out1 rsyslogd: messages rate-limit " + word * times + b"\n"
        return calls(lambda: found_in(POSTFIX + said * 2 + (OTHER % (40, 2)) * 3 * around))

    work(1)  # what is made once has been made
    assert work(5000) < work(1) + 500_000  # a few for each place; to have the line read takes 300


def test_unread_lines_are_counted_without_limit_and_kept_within_one() -> None:
    found = found_in(POSTFIX + (b"?" * 5000 + b"\n") * 3000)
    scan = found.scans[0]
    assert scan.unread == 3000
    assert len(scan.unread_lines) == 1000
    assert sum(len(line.raw) for line in scan.unread_lines) < 2 << 20


def test_a_line_of_a_hundred_megabytes_is_one_line(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    first, rest = POSTFIX.split(b"\n", 1)
    with log.open("wb") as file:
        file.write(first + b" ")
        for _ in range(100):
            file.write(b"jo32@corp.example " * 58_254)
        file.write(b"\n" + rest)
    trace, _ = read_logs(Request(logs=(str(log),), to=("jo32@corp.example",)))
    assert len(trace.messages) == 1
    (file_,) = trace.coverage.files
    assert file_.lines == POSTFIX.count(b"\n")
    assert file_.size == log.stat().st_size
    assert [(g.kind, g.line and g.line.place.line) for g in file_.gaps] == [("cut-line", 1)]


def test_a_missing_rotation_qualifies_the_answer(tmp_path: Path) -> None:
    (tmp_path / "mail.log").write_bytes(POSTFIX)
    (tmp_path / "mail.log.1").write_bytes(POSTFIX[:5000])
    (tmp_path / "mail.log.3.gz").write_bytes(gzip.compress(POSTFIX[:5000]))
    trace, _ = read_logs(Request(logs=(str(tmp_path / "mail.log"),), to=("a@b.example",)))
    assert [[g.kind for g in f.gaps] for f in trace.coverage.files][1][0] == "missing-rotation"
    assert any("mail.log.2 is not there" in note for note in trace.notes)


def test_an_unreadable_file_beside_others_is_a_gap(tmp_path: Path) -> None:
    (tmp_path / "mail.log").write_bytes(POSTFIX)
    trace, _ = read_logs(
        Request(logs=(str(tmp_path / "mail.log"), str(tmp_path / "gone.log")), to=("jo32@corp.example",))
    )
    assert len(trace.messages) == 1
    assert [[g.kind for g in f.gaps] for f in trace.coverage.files] == [[], ["unreadable"]]
    (note,) = [n for n in trace.notes if "gone.log" in n]
    assert note.count("gone.log") == 1


# --- what is asked for ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked", ["jo32@corp.example", "JO32@Corp.Example", "<jo32@corp.example>", "jo32@corp.example."]
)
def test_an_address_in_other_spellings(asked: str, tmp_path: Path) -> None:
    assert address(asked, POSTFIX, tmp_path) == ["jo32@corp.example"]


def line(recipient: str, queue_id: str = "4jXH3k3V2zzLhRZ") -> bytes:
    return (
        f"Nov 22 05:01:38 out1 postfix/smtp[9]: {queue_id}: to=<{recipient}>, relay=mx.b.example[192.0.2.1]:25,"
        " delay=1, dsn=2.0.0, status=sent (250 ok)\n"
    ).encode()


def test_a_short_local_part_is_no_suffix_of_another(tmp_path: Path) -> None:
    content = line("aa@b.example") + line("a@b.example.org", "4jXH3k3V2zzLhRX")
    assert address("a@b.example", content, tmp_path) == []
    both = content + line("a@b.example", "4jXH3k3V2zzLhRY")
    assert address("a@b.example", both, tmp_path) == ["a@b.example"]


def test_plus_tags_are_exact(tmp_path: Path) -> None:
    content = line("mei+bills@b.example") + line("mei@b.example", "4jXH3k3V2zzLhRY")
    assert address("mei@b.example", content, tmp_path) == ["mei@b.example"]
    assert address("mei+bills@b.example", content, tmp_path) == ["mei+bills@b.example"]


@pytest.mark.parametrize("asked", ["info@bücher.example", "info@xn--bcher-kva.example", "INFO@BÜCHER.example"])
def test_both_spellings_of_an_international_domain(asked: str, tmp_path: Path) -> None:
    content = line("info@xn--bcher-kva.example") + line("info@bücher.example", "4jXH3k3V2zzLhRY")
    assert len(address(asked, content, tmp_path)) == 2


@pytest.mark.parametrize("asked", ["*", "%@corp.example", "", "@", "*@"])
def test_what_names_nobody_or_everybody_is_not_looked_for(asked: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        address(asked, POSTFIX, tmp_path)


# --- many -------------------------------------------------------------------------------------------------------------

ALPHABET = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"


def many(count: int) -> bytes:
    """``count`` messages to one address, one a minute from 2026-11-01 on, with Postfix's long ids."""
    lines = []
    start = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
    for n in range(count):
        seconds, digits = start + 60 * n, ""
        for _ in range(6):
            digits, seconds = ALPHABET[seconds % 52] + digits, seconds // 52
        queue_id = f"{digits}0000z{'1234'}"
        at = f"{datetime.fromtimestamp(start + 60 * n, UTC):%Y-%m-%dT%H:%M:%S.000000+00:00} out1 postfix/"
        lines += [
            f"{at}smtpd[7]: {queue_id}: client=app[192.0.2.5]",
            f"{at}smtp[8]: Trusted TLS connection established to mx.b.example[192.0.2.1]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
            f"{at}smtp[8]: {queue_id}: to=<mei@b.example>, relay=mx.b.example[192.0.2.1]:25, delay=1, dsn=2.0.0, status=sent (250 ok)",
            f"{at}qmgr[9]: {queue_id}: removed",
        ]
    return ("\n".join(lines) + "\n").encode()


def test_many_messages_come_out_whole() -> None:
    found = found_in(many(1500), needle=b"mei@b.example")
    assert len(found.events) == 6000
    assert not found.too_many


def test_since_leaves_earlier_messages_out_and_later_ones_whole(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_bytes(many(4000))
    since, until = datetime(2026, 11, 3, tzinfo=UTC), datetime(2026, 11, 3, 1, tzinfo=UTC)
    trace, _ = read_logs(Request(logs=(str(log),), to=("mei@b.example",), since=since, until=until))
    assert len(trace.messages) == 61
    assert all(m.arrived and len(m.lines) == 4 for m in trace.messages)
    never = datetime(2999, 1, 1, tzinfo=UTC)
    assert read_logs(Request(logs=(str(log),), to=("mei@b.example",), since=never))[0].messages == ()


def test_too_many_messages_must_be_narrowed_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "MAX_IDS", 500)
    log = tmp_path / "mail.log"
    log.write_bytes(many(4000))
    request = Request(logs=(str(log),), to=("mei@b.example",))
    with pytest.raises(UsageError, match="--since"):
        read_logs(request)
    narrowed = Request(logs=(str(log),), to=("mei@b.example",), since=datetime(2026, 11, 3, 18, tzinfo=UTC))
    assert read_logs(narrowed)[0].messages


@pytest.mark.parametrize("count", [1, 8, 9, 64, 65, 300])
def test_few_and_many_ids_find_the_same_lines(count: int) -> None:
    ids = sorted({e.queue_id for e in found_in(POSTFIX, needle=b"example").events if e.queue_id})[:count]
    file = LogFile("", "-", None, POSTFIX)
    at_once = search([file], lambda _format: [], ids)
    singly: dict[int, object] = {}
    for queue_id in ids:
        singly |= {e.line.place.offset: e for e in search([file], lambda _format: [], [queue_id]).events}
    assert [e.line for e in at_once.events if e.queue_id in ids] == [
        e.line
        for _, e in sorted(singly.items())
        if e.queue_id in ids  # type: ignore[attr-defined]
    ]


# --- other sources ----------------------------------------------------------------------------------------------------


def test_logs_of_the_configuration_are_read_when_none_is_named(tmp_path: Path) -> None:
    log = tmp_path / "mail log"
    log.write_bytes(POSTFIX)
    sources = (LogSource("out1", path=str(tmp_path / "gone")), LogSource("out2", command=("/bin/cat", str(log))))
    request = Request(to=("jo32@corp.example",), configuration=Configuration(logs=sources))
    trace, _ = read_logs(request)
    assert [m.deliveries[0].state for m in trace.messages] == [State.HANDED_OVER]
    assert [(f.log, f.format) for f in trace.coverage.files] == [("out1", None), ("out2", "postfix")]


def test_a_watcher_is_told_and_only_inside_its_context() -> None:
    told: list[tuple[str, int]] = []
    with progress.watched(lambda file, octets: told.append((file, octets))):
        found_in(POSTFIX)
    before = len(told)
    found_in(POSTFIX)
    assert told[0] == ("log0", len(POSTFIX))
    assert len(told) == before


def test_every_format_knows_its_own_recorded_lines() -> None:
    def share(lines: Iterable[bytes], name: str) -> float:
        fmt = next(f for f in load_formats() if f.id == name)
        return sum(fmt.sniff(one) > 0 for one in lines) / len(list(lines))

    assert share(POSTFIX.splitlines(), "postfix") > 0.9
    assert share(EXIM.splitlines(), "exim") > 0.9


def test_a_compressed_log_gives_what_the_plain_one_does_where_looking_starts_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deliverability.capture.blocks.BLOCK", 20_000)
    monkeypatch.setattr("deliverability.api.surroundings.MAX_SESSION", 1000)
    monkeypatch.setattr(searching, "SESSION_REACH", 1000 + 4096)
    monkeypatch.setattr(searching, "CLOCK_SLACK", timedelta(0))
    content = (LOGS / "postfix" / "postfix-3.10.iso8601.log").read_bytes()
    (tmp_path / "plain").write_bytes(content)
    (tmp_path / "packed").write_bytes(gzip.compress(content))
    name = content[: content.rindex(b": removed")].rsplit(b" ", 1)[-1].decode()
    found = {}
    for file in ("plain", "packed"):
        both = search([LogFile("", str(tmp_path / file), None)], lambda _format: [name.lower().encode()])
        (scan,) = both.scans
        assert scan.damaged is None
        assert searching._beginning(scan, [searching.clock_of(name)]) > 0
        found[file] = [(e.action, e.line.raw, e.line.place.line, e.line.place.offset) for e in both.events]
    assert found["plain"] == found["packed"]
    assert Action.REMOVED in {action for action, *_ in found["plain"]}
