"""Summaries: counts against what is counted by hand, the same in parts and in several processes, no more than is known."""

import contextlib
import gzip
import json
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

from deliverability.api import counting
from deliverability.api.archiving import ingest
from deliverability.api.requests import Reader, Request
from deliverability.api.scan import Part
from deliverability.api.summary import summarise
from deliverability.api.summary_rendering import rendered
from deliverability.api.tracing import read_logs
from deliverability.capture.blocks import BLOCK
from deliverability.compose.fates import judge
from deliverability.config import Configuration
from deliverability.errors import CannotLookError, UsageError
from deliverability.evidence.attempted import Said
from deliverability.evidence.bundle import Own
from deliverability.evidence.event import Result, Transport
from deliverability.evidence.smtp import Host
from deliverability.evidence.summary import BOUNDS, Fate, Times

ROOT = Path(__file__).parents[2]
LOGS = ROOT / "tests" / "cases" / "logs"
POSTFIX = LOGS / "postfix" / "postfix-3.10.iso8601.log"
EXIM = LOGS / "exim" / "4.98-cpanel" / "mainlog"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def of(*logs, **given):
    jobs = given.pop("jobs", 1)
    return summarise(Request(logs=tuple(map(str, logs)), now=NOW, **given), jobs=jobs)


def line(second, words, queue_id="4jXH3k3V2zzLhRZ"):
    return f"2026-11-22T05:01:{second:02}+00:00 h postfix/smtp[7]: {queue_id}: {words}\n"


def attempt(second, to, outcome, queue_id="4jXH3k3V2zzLhRZ", delay=1):
    dsn = {"sent": "2.0.0", "deferred": "4.2.0", "bounced": "5.1.1"}[outcome.partition(" ")[0]]
    words = f"to=<{to}>, relay=mx.x.example[192.0.2.1]:25, delay={delay}, delays=0/0/0/1, dsn={dsn}, status={outcome}"
    return line(second, words, queue_id)


@pytest.fixture
def log(tmp_path):
    def write(*lines, name="mail.log"):
        path = tmp_path / name
        path.write_text("".join(lines), encoding="utf-8")
        return path

    return write


def test_deferred_then_sent_is_two_attempts_and_one_outcome(log):
    told = of(
        log(
            attempt(1, "a@x.example", "deferred (host mx said: 450 4.2.0 later)"),
            attempt(9, "a@x.example", "sent (250 ok)"),
        )
    )
    assert told.total.attempts == {Fate.DEFERRED: 1, Fate.HANDED_OVER: 1}
    assert told.total.outcomes == {Fate.HANDED_OVER: 1}


def test_one_recipient_settles_nothing_for_another(log):
    path = log(
        attempt(1, "a@x.example", "deferred (host mx said: 450 4.2.0 later)"),
        attempt(9, "b@x.example", "sent (250 ok)"),
    )
    assert of(path).total.outcomes == {Fate.DEFERRED: 1, Fate.HANDED_OVER: 1}


def test_an_expired_message_gives_up_whoever_was_left(log):
    path = log(
        attempt(1, "a@x.example", "deferred (host mx said: 450 4.2.0 later)"),
        attempt(2, "b@y.example", "deferred (host mx said: 450 4.2.0 later)"),
        "2026-11-22T05:09:00+00:00 h postfix/qmgr[9]: 4jXH3k3V2zzLhRZ: from=<s@h.example>, status=expired, returned to sender\n",
    )
    told = of(path)
    assert told.total.attempts == {Fate.DEFERRED: 2}
    assert told.total.outcomes == {Fate.EXPIRED: 2}
    assert {row.name: row.outcomes for row in told.domains}["y.example"] == {Fate.EXPIRED: 1}


@pytest.mark.parametrize(
    ("words", "fate"),
    [
        ("250 2.5.0 Ok, id=00012-07, DISCARD(bounce.suppressed)", Fate.DISCARDED),
        ("250 2.7.0 Ok, discarded, id=00012-07 - spam", Fate.DISCARDED),
        ("250 2.0.0 Ok, id=00012-07, from MTA([127.0.0.1]:10025): 250 2.0.0 Ok: queued as 4jXH3k4D4hz", Fate.PASSED_ON),
    ],
)
def test_what_a_filter_of_ours_kept_nothing_of_is_not_told_as_passed_on(log, words, fate):
    handed = "to=<a@x.example>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/0/1, dsn=2.5.0, status=sent"
    assert of(log(line(1, f"{handed} ({words})"))).total.attempts == {fate: 1}


def test_a_session_speaks_for_its_own_process_and_its_first_message(log):
    def lines(process, queue_id, second):
        sent = attempt(second, "a@x.example", "sent (250 ok)", queue_id)
        return sent.replace("smtp[7]", f"smtp[{process}]")

    secured = "2026-11-22T05:01:00+00:00 h postfix/smtp[7]: Trusted TLS connection established to mx.x.example[192.0.2.1]:25: TLSv1.3"
    path = log(
        f"{secured} with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n",
        lines(7, "4jXH3k3V2zzLhRZ", 1),
        lines(8, "4jXH3k3Y9TzLhRb", 2),
        lines(7, "4jXH3k3g2vzLhRf", 3),
        lines(7, "4jXH3k3ZxKzLhRd", 4).replace(", delay=", ", conn_use=2, delay="),
    )
    total = of(path).total
    assert (total.smtp, total.tls) == (4, 2)


def test_times_are_counted_within_the_bound_that_they_kept(log):
    delays = ("0.05", "1", "1.01", "2", "7", "11", "11", "500000")
    told = of(log(*(attempt(n, f"a{n}@x.example", "sent (250 ok)", delay=delay) for n, delay in enumerate(delays))))
    counts = [0] * (len(BOUNDS) + 1)
    for delay in delays:
        counts[sum(float(delay) > bound for bound in BOUNDS)] += 1
    assert told.total.times == Times(tuple(counts))
    assert [slow.seconds for slow in told.slowest] == [500000, 11, 11, 7, 2, 1.01]


@pytest.mark.parametrize("to", ["a@x.example", '"odd name"@x.example', "é@x.example"])
def test_the_time_that_a_line_states_is_told_whatever_the_address(log, to):
    told = of(log(attempt(1, to, "sent (250 ok)", "0A1B2C3D4E", delay="7.5")))
    assert told.total.times.total == 1
    assert [slow.seconds for slow in told.slowest] == [7.5]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00"])
@pytest.mark.parametrize("zone", ["Asia/Taipei", "America/New_York"])
def test_a_time_at_the_ends_of_all_calendars_is_none(log, time, zone):
    sent = attempt(1, "a@x.example", "sent (250 ok)")
    request = Request(logs=(str(log(sent, sent.replace("2026-11-22T05:01:01+00:00", time))),), now=NOW, tz=zone)
    told = summarise(request, zone=zone)
    assert (told.total.attempts, told.coverage.unread) == ({Fate.HANDED_OVER: 1}, 1)
    assert read_logs(replace(request, to=("a@x.example",)))[0].messages


def test_the_sample_is_counted_as_the_lines_are():
    told = of(POSTFIX)
    lines = POSTFIX.read_bytes().splitlines()
    sent = sum(b", status=sent (" in one for one in lines)
    deferred = sum(b", status=deferred (" in one for one in lines)
    bounced = sum(b", status=bounced (" in one for one in lines)
    counts = told.total.attempts
    own = (Fate.DELIVERED, Fate.HANDED_OVER, Fate.PASSED_ON)
    assert sum(counts.get(fate, 0) for fate in own) == sent
    assert counts[Fate.DEFERRED] + counts[Fate.UNKNOWN] == deferred
    assert counts[Fate.REFUSED] + counts[Fate.FAILED] == bounced
    assert told.coverage.files[0].lines == len(lines)
    assert told.coverage.unread == 0
    assert sum(told.hours) == sum(day.attempts[f] for day in told.days for f in day.attempts) == sum(counts.values())


@pytest.mark.parametrize("logs", [(POSTFIX,), (EXIM,), (POSTFIX, EXIM)])
def test_parts_and_processes_change_nothing(monkeypatch, logs):
    whole = of(*logs)
    monkeypatch.setattr(counting, "PART", 20_000)
    parted = of(*logs)
    both = of(*logs, jobs=2)
    for name in ("total", "domains", "providers", "days", "hours", "probes", "untimed", "coverage"):
        assert getattr(parted, name) == getattr(both, name), name
    assert parted.causes == both.causes
    assert parted.slowest == both.slowest
    assert parted.total == whole.total
    assert [(c.code, c.attempts, c.example, c.words) for c in parted.causes] == [
        (c.code, c.attempts, c.example, c.words) for c in whole.causes
    ]
    assert parted.coverage == whole.coverage


def test_a_compressed_log_says_the_same(tmp_path):
    path = tmp_path / "mail.log.gz"
    path.write_bytes(gzip.compress(POSTFIX.read_bytes()))
    assert of(path).total == of(POSTFIX).total


def journal(lines):
    entries = (
        json.dumps(
            {
                "__REALTIME_TIMESTAMP": str(int(datetime.fromisoformat(head.split()[0]).timestamp() * 1_000_000)),
                "_HOSTNAME": head.split()[1],
                "SYSLOG_IDENTIFIER": head.split()[2].partition("[")[0],
                "_PID": head.partition("[")[2].partition("]")[0] or "1",
                "MESSAGE": words,
            }
        )
        for head, _, words in (line.partition(": ") for line in lines)
    )
    return "\n".join(entries) + "\n"


@pytest.mark.parametrize("name", ["mail.log.gz", "journal.json", "lines.ndjson"])
def test_a_wrapped_log_covers_as_much_as_its_lines(tmp_path, name):
    text = POSTFIX.read_text(encoding="utf-8")
    path = tmp_path / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    elif name.startswith("journal"):
        path.write_text(journal(text.splitlines()), encoding="utf-8")
    else:
        path.write_text("".join(json.dumps({"message": one}) + "\n" for one in text.splitlines()), encoding="utf-8")
    plain, told = of(POSTFIX), of(path)
    assert told.total.attempts == plain.total.attempts

    def span(one):
        file = one.coverage.files[0]
        return [edge.instant.replace(microsecond=0) for edge in (file.first, file.last)]

    assert span(told) == span(plain)
    assert span(told)[0] < span(told)[1]


OTHER_PROGRAM = "2026-11-22T05:00:59+00:00 h cron[9]: (root) CMD (something that has nothing to do with mail)\n"


@pytest.mark.parametrize("wrapped", [False, True])
def test_lines_of_other_programs_at_both_ends_hide_neither(tmp_path, wrapped):
    noise = OTHER_PROGRAM * 1000  # more than a sample holds
    mail = attempt(1, "a@x.example", "sent (250 ok)") + attempt(9, "b@x.example", "sent (250 ok)", "4jXH3k3Y9TzLhRb")
    content = (noise + mail + noise).encode()
    path = tmp_path / "mail.log"
    path.write_bytes(gzip.compress(content) if wrapped else content)
    told = of(path)
    assert told.total.attempts == {Fate.HANDED_OVER: 2}
    file = told.coverage.files[0]
    assert (file.first.instant.second, file.last.instant.second) == (1, 9)


def test_half_a_line_behind_the_last_whole_block_hides_no_time(tmp_path):
    """A compressed log is read in pieces that end at line ends: the last may be half a line alone."""
    one, two = (attempt(at, "a@x.example", "sent (250 ok)") for at in (1, 9))
    content = (one * (BLOCK // len(one) + 1) + two).encode()
    path = tmp_path / "mail.log.gz"
    path.write_bytes(gzip.compress(content + two.encode()[:60]))
    file = of(path).coverage.files[0]
    assert (file.first.instant.second, file.last.instant.second) == (1, 9)


BASE_62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def base_62(number, width):
    digits = ""
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits = BASE_62[digit] + digits
    return digits


@pytest.mark.parametrize(
    ("turn", "hours"), [(datetime(2026, 3, 8, 7, tzinfo=UTC), -5), (datetime(2026, 11, 1, 6, tzinfo=UTC), -4)]
)
@pytest.mark.parametrize("jobs", [1, 2])
def test_summer_time_begins_and_ends_in_a_log_without_a_zone(tmp_path, turn, hours, jobs):
    """Only the ids tell the zone; a delivery of two seconds is none of an hour, nor in another hour of the day."""
    lines, expected = [], [0] * 24
    for number in range(9000):
        at = turn + timedelta(seconds=4 * (number - 4500))
        zone = hours if at < turn else hours + (1 if hours == -5 else -1)
        queue_id = f"{base_62(int(at.timestamp()), 6)}-{base_62(number, 11)}-0000"
        local = [(at + timedelta(hours=zone, seconds=second)).strftime("%Y-%m-%d %H:%M:%S") for second in (0, 2)]
        lines += [
            (
                f"{local[0]} {queue_id} <= s@h.example H=whmcs.h.example [192.0.2.7] P=esmtps X=TLS1.3:ECDHE:256 CV=no S=583"
                f" id={number}.{'x' * 60}@h.example for a@b.example"
            ),
            f'{local[1]} {queue_id} => a@b.example R=r T=remote_smtp H=mx.b.example [192.0.2.1] C="250 OK" DT=1s',
            f"{local[1]} {queue_id} Completed",
        ]
        expected[(at + timedelta(seconds=2)).hour] += 1
    path = tmp_path / "mainlog"
    path.write_text("\n".join([*lines, ""]))
    assert path.stat().st_size > 2 * BLOCK
    told = of(path, jobs=jobs)
    assert told.total.times.total > 4000
    assert told.total.times.within(1) == 2
    # In the block in which the clock is set, lines are told by one of the two zones.
    assert (
        sum(abs(mine - true) for mine, true in zip(told.hours, expected, strict=True))
        <= 2 * 9000 * BLOCK // path.stat().st_size
    )


@pytest.mark.parametrize("part", [500, 5000])
def test_a_session_that_began_before_a_part_is_known_in_it(tmp_path, monkeypatch, part):
    """Its TLS line stands before the delivery, which may be the first line of the next part."""
    text = POSTFIX.read_text(encoding="utf-8")
    path = tmp_path / "mail.log"
    path.write_text(text, encoding="utf-8")
    whole = of(path).total
    assert whole.tls > 20
    monkeypatch.setattr(counting, "PART", part)
    parted = of(path).total
    assert (parted.smtp, parted.tls) == (whole.smtp, whole.tls)


def test_a_log_that_is_given_twice_is_named(tmp_path):
    """Its lines count twice: nobody can tell a copy from a log that goes on where it stopped."""
    text = POSTFIX.read_bytes()
    half = text[: text.index(b"\n", len(text) // 2) + 1]
    files = {
        "mail.log": text,
        "mail.log.bak": text,
        "half.log": half,
        "other.log": EXIM.read_bytes(),
        "short.log": b"x\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "packed.gz").write_bytes(gzip.compress(text))

    def said(*names):
        return [note for note in of(*(tmp_path / name for name in names)).notes if "counted twice" in note]

    assert said("mail.log", "other.log") == []
    for name in ("mail.log.bak", "packed.gz", "half.log"):
        (note,) = said("mail.log", "other.log", name)
        assert f"{name} begins with the same lines as" in note or f"same lines as {tmp_path / name}" in note
    assert said("short.log", "mail.log") == []


def attempts_of(*logs):
    """By fate, over all logs."""
    found = {}
    for told in map(of, logs):
        for fate, count in told.total.attempts.items():
            found[fate] = found.get(fate, 0) + count
    return found


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("part", [8 << 20, 20_000])
def test_lines_of_another_server_in_the_midst_are_counted_too(tmp_path, monkeypatch, part, wrapped):
    monkeypatch.setattr(counting, "PART", part)
    postfix, exim = POSTFIX.read_bytes().splitlines(keepends=True), EXIM.read_bytes().splitlines(keepends=True)
    some = tmp_path / "some.log"
    some.write_bytes(b"".join(exim[:400]))
    expected = attempts_of(POSTFIX, some)
    content = b"".join([*postfix[:900], *exim[:400], *postfix[900:]])
    path = tmp_path / "mixed.log"
    path.write_bytes(gzip.compress(content) if wrapped else content)
    told = of(path)
    assert told.total.attempts == expected
    assert told.coverage.unread == 0
    for cause in told.causes:
        assert content.splitlines()[cause.example.place.line - 1] == cause.example.raw


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize(
    ("words", "fate"),
    [
        (
            (
                "sendmail[9]: 5AM51Dpx000009: to=<c@y.example>, delay=00:00:01, xdelay=00:00:01, mailer=esmtp, pri=1,"
                " relay=mx.y.example. [192.0.2.2], dsn=5.1.1, stat=User unknown"
            ),
            Fate.REFUSED,
        ),
        (
            (
                "exim[9]: 2026-11-22 05:01:07 1xV0Al-000000000Gs-0bJd ** c@y.example R=r T=smtp H=mx.y.example [192.0.2.2]:"
                " SMTP error from remote mail server after RCPT TO:<c@y.example>: 550 5.1.1 no such user"
            ),
            Fate.REFUSED,
        ),
        (
            (
                "smtpd[9]: 1f2a3b4c5d6e7f80 mta delivery evpid=00e7c12ab6d2e7f1 from=<s@h.example> to=<c@y.example>"
                ' rcpt=<-> source="192.0.2.9" relay="192.0.2.2 (mx.y.example)" delay=1s result="PermFail"'
                ' stat="550 5.1.1 no such user"'
            ),
            Fate.REFUSED,
        ),
    ],
)
def test_one_line_of_another_server_in_a_shared_syslog_is_counted(tmp_path, words, fate, wrapped):
    mail = POSTFIX.read_bytes()
    half = mail.index(b"\n", len(mail) // 2) + 1
    content = mail[:half] + f"2026-11-22T05:01:07+00:00 h {words}\n".encode() + mail[half:]
    path = tmp_path / "maillog"
    path.write_bytes(gzip.compress(content) if wrapped else content)
    before, told = of(POSTFIX).total.attempts, of(path).total.attempts
    assert told == {**before, fate: before[fate] + 1}


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_log_that_goes_on_as_that_of_another_server(tmp_path, monkeypatch, jobs):
    monkeypatch.setattr(counting, "PART", 100_000)
    exim = LOGS / "exim" / "4.98-cpanel" / "syslog"
    path = tmp_path / "maillog"
    path.write_bytes(POSTFIX.read_bytes() + OTHER_PROGRAM.encode() * 1000 + exim.read_bytes())
    assert of(path, jobs=jobs).total.attempts == attempts_of(POSTFIX, exim)


def test_a_log_whose_beginning_shows_no_mail_server(tmp_path):
    path = tmp_path / "syslog"
    path.write_bytes(OTHER_PROGRAM.encode() * 1000 + POSTFIX.read_bytes())
    told, plain = of(path), of(POSTFIX)
    assert told.total.attempts == plain.total.attempts
    assert told.coverage.files[0].format == "postfix"
    assert told.coverage.files[0].first == plain.coverage.files[0].first


def test_what_a_mail_store_files_is_not_counted_beside_its_server(tmp_path):
    filed = "2026-11-22T05:00:59+00:00 h dovecot: lmtp(a@x.example)<7><BzxcKzkvUVxYagAAyr5WGQ>: msgid=<1@x.example>: saved mail to INBOX\n"
    store, both = tmp_path / "dovecot.log", tmp_path / "both.log"
    store.write_text(filed * 1000, encoding="utf-8")
    both.write_text(filed * 1000 + attempt(1, "a@x.example", "sent (250 ok)"), encoding="utf-8")
    assert sum(of(store).total.attempts.values()) == 1000
    assert of(both).total.attempts == {Fate.HANDED_OVER: 1}


@pytest.mark.parametrize("version", ["4.96", "4.98-cpanel"])
def test_the_headers_that_a_reject_log_quotes_are_lines_of_it(version):
    told = of(LOGS / "exim" / version / "rejectlog")
    assert told.coverage.unread == 0
    assert told.total.attempts == {}
    log = str(LOGS / "exim" / version / "rejectlog")
    found, unread = read_logs(Request(logs=(log,), to=("rej@corp.example",), now=NOW))
    assert found.messages
    assert (found.coverage.unread, unread) == (0, ())


def test_what_no_server_wrote_is_still_counted_as_unread(log):
    path = log(attempt(1, "a@x.example", "sent (250 ok)"), "what is this\n", "Envelope-to: <a@x.example>\n")
    assert of(path).coverage.unread == 2


@pytest.mark.parametrize("name", ["postfix/postfix-3.10.rfc3164.log", "exim/4.98-cpanel/mainlog"])
def test_the_archive_is_counted_like_its_log(tmp_path, name):
    log, kept = Path(__file__).parents[1] / "cases" / "logs" / name, tmp_path / "a.db"
    request = Request(logs=(str(log),), now=NOW)
    ingest(request, kept)
    whole, again = summarise(request), summarise(Request(archive=kept, now=NOW), jobs=2)
    for part in ("total", "domains", "providers", "days", "hours", "causes", "slowest", "untimed", "probes"):
        assert getattr(again, part) == getattr(whole, part), part
    assert [file.lines for file in again.coverage.files] == [file.lines for file in whole.coverage.files]
    assert "as the archive holds them" in again.notes[0]


def test_a_damaged_archive_is_counted_as_far_as_it_can_be_read(tmp_path):
    log, kept = tmp_path / "mail.log", tmp_path / "a.db"
    log.write_bytes(
        (Path(__file__).parents[1] / "cases" / "logs" / "postfix" / "postfix-3.10.rfc3164.log").read_bytes()
    )
    ingest(Request(logs=(str(log),), now=NOW), kept)
    with contextlib.closing(sqlite3.connect(kept)) as base:
        base.execute("UPDATE segment SET content = x'00'")
        base.commit()
    counted = summarise(Request(archive=kept, now=NOW))
    assert any(gap.kind == "damaged" for file in counted.coverage.files for gap in file.gaps)


def test_an_archive_cut_short_is_counted_as_far_as_it_goes_and_says_so(tmp_path):
    path = tmp_path / "mail.log.gz"
    content = gzip.compress(POSTFIX.read_bytes())
    path.write_bytes(content[: len(content) // 2])
    told = of(path)
    assert 0 < sum(told.total.attempts.values()) < sum(of(POSTFIX).total.attempts.values())
    assert [gap.kind for gap in told.coverage.files[0].gaps if gap.kind == "damaged"]


def test_nothing_to_read_is_not_nothing_found(tmp_path):
    with pytest.raises(CannotLookError):
        of(tmp_path / "none.log")


def test_a_window(log):
    path = log(
        attempt(1, "a@x.example", "sent (250 ok)"), attempt(9, "b@x.example", "sent (250 ok)", "4jXH3k3Y9TzLhRb")
    )
    since = datetime(2026, 11, 22, 5, 1, 5, tzinfo=UTC)
    assert of(path, since=since).total.attempts == {Fate.HANDED_OVER: 1}
    assert of(path, until=since).total.attempts == {Fate.HANDED_OVER: 1}


def test_a_window_that_is_found_by_seeking_names_the_same_lines(monkeypatch):
    since = datetime(2026, 11, 22, 5, 1, 45, tzinfo=UTC)
    read = of(POSTFIX, since=since)
    monkeypatch.setattr(counting, "PART", 20_000)
    begin = POSTFIX.read_bytes().index(b"2026-11-22T05:01:43")
    asked = []

    def parts_of(files, *_):
        asked.append(begin)
        return dict.fromkeys(files, Part(begin, None))

    monkeypatch.setattr("deliverability.api.summary.parts_of", parts_of)
    sought = of(POSTFIX, since=since)
    assert asked
    assert sought.total.attempts == read.total.attempts
    assert [(c.code, c.example) for c in sought.causes] == [(c.code, c.example) for c in read.causes]
    lines = POSTFIX.read_bytes().splitlines()
    assert all(lines[c.example.place.line - 1] == c.example.raw for c in sought.causes)


def test_a_hostile_domain_is_one_row_and_no_markup(log):
    path = log(
        *(
            attempt(
                n,
                f"a@{'<b>' if n % 2 else ''}evil{n}.example",
                "bounced (host mx said: 550 5.1.1 <script>alert(1)</script>)",
            )
            for n in range(8)
        )
    )
    told = of(path)
    page = rendered(told, Reader(lang="en"), "html", Request()).decode()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert json.loads(rendered(told, Reader(), "json", Request()))["total"]["attempts"]["refused"] == 8


@pytest.mark.parametrize("lang", ["en", "zh-Hant-TW"])
@pytest.mark.parametrize("form", ["text", "html"])
def test_every_form_in_every_language(form, lang):
    page = rendered(of(POSTFIX, EXIM), Reader(lang=lang), form, Request()).decode()
    for expected in ("corp.example", "5.1.1", "5.7.26", "postfix-3.10.iso8601.log", "1\u202f346"):
        assert expected in page
    if form == "html":
        assert page.count("<svg") == 5
        assert "<script" not in page
        assert "style=" not in page


def test_a_plot_has_a_twin_in_words():
    page = rendered(of(POSTFIX), Reader(lang="en"), "html", Request()).decode()
    for plot in page.split('<figure class="plot">')[1:]:
        assert plot.partition("</figure>")[2].lstrip().startswith("<table")


def test_an_unknown_form_is_refused():
    with pytest.raises(UsageError):
        rendered(of(POSTFIX), Reader(), "pdf", Request())


def test_json_fits_its_closed_schema():
    schema = json.loads((ROOT / "docs" / "schema" / "summary.v1.json").read_text())
    check = jsonschema.Draft202012Validator(schema)
    for told in (of(POSTFIX, EXIM), of(POSTFIX, since=NOW)):
        value = json.loads(rendered(told, Reader(), "json", Request()))
        assert [error.message for error in check.iter_errors(value)] == []
    assert list(check.iter_errors({**value, "more": 1}))


MX = Host("mx.x.example", "192.0.2.1", 25)


@pytest.mark.parametrize(
    ("said", "own", "fate"),
    [
        (Said(Result.SENT, Transport.SMTP, MX), Own(), Fate.HANDED_OVER),
        (Said(Result.SENT, Transport.SMTP, MX), Own(routed_by_mx=True), Fate.ACCEPTED),
        (Said(Result.SENT, Transport.SMTP, MX), Own(hosts=frozenset({"mx.x.example"})), Fate.PASSED_ON),
        (
            Said(Result.SENT, Transport.SMTP, MX),
            Own(routed_by_mx=True, intermediaries=frozenset({"x.example"})),
            Fate.HANDED_OVER,
        ),
        (Said(Result.SENT, Transport.SMTP, Host(None, "127.0.0.1")), Own(routed_by_mx=True), Fate.PASSED_ON),
        (Said(Result.SENT, Transport.LMTP, MX), Own(), Fate.DELIVERED),
        (Said(Result.SENT, Transport.LMTP, MX, taken_on=True), Own(), Fate.PASSED_ON),
        (Said(Result.SENT, Transport.LMTP, MX, thrown_away=True), Own(), Fate.DISCARDED),
        (Said(Result.SENT, Transport.MAILBOX, None), Own(), Fate.DELIVERED),
        (Said(Result.SENT, Transport.PIPE, None), Own(), Fate.PASSED_ON),
        (Said(Result.SENT, None, None), Own(), Fate.PASSED_ON),
        (Said(Result.FAILED, Transport.SMTP, MX, 550, "5.1.1"), Own(), Fate.REFUSED),
        (Said(Result.FAILED, Transport.SMTP, MX, 450), Own(), Fate.EXPIRED),
        (Said(Result.FAILED, Transport.NONE, None, dsn_code="5.4.4"), Own(), Fate.FAILED),
        (Said(Result.UNCERTAIN, Transport.SMTP, MX), Own(), Fate.UNKNOWN),
    ],
)
def test_fates(said, own, fate):
    assert judge(said, own).fate is fate


def test_a_probe_counts_as_nothing():
    assert judge(Said(None, Transport.SMTP, MX), Own()) is None


def test_no_answer_of_the_dns_is_not_a_missing_domain():
    words = "host or domain name not found. name service error"
    failed = judge(Said(Result.FAILED, Transport.NONE, None, words=words), Own())
    waiting = judge(Said(Result.DEFERRED, Transport.SMTP, None, words=words), Own())
    assert (failed.reason, waiting.reason) == ("no-domain", "dns")


def test_times_are_told_by_a_bound_that_was_kept():
    counts = [0] * (len(BOUNDS) + 1)
    counts[0], counts[3], counts[-1] = 90, 8, 2
    times = Times(tuple(counts))
    assert (times.within(0.5), times.within(0.9), times.within(0.95), times.within(0.99)) == (1, 1, 10, None)
    assert Times().within(0.5) is None


def test_exim_times_come_from_its_ids():
    assert of(EXIM).total.times.total > 100


def test_the_configuration_vouches_for_acceptance(log):
    path = log(attempt(1, "a@x.example", "sent (250 ok)"))
    told = of(path, configuration=Configuration(routed_by_mx=True))
    assert told.total.attempts == {Fate.ACCEPTED: 1}


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_that_is_far_too_long_is_one_line(tmp_path, end):
    path = tmp_path / "mail.log"
    long = b"Nov 22 05:01:32 out1 x: " + b"y" * 3_000_000
    path.write_bytes(line(1, "removed").encode() + long + end)
    (file,) = of(path).coverage.files
    assert file.lines == read_logs(Request(logs=(str(path),), to=("a@b.example",)))[0].coverage.files[0].lines == 2


COPIES = """\
=> anna <anna@corp.example> R=keep_copy T=copy_maildir
=> bob <bob@corp.example> R=note T=note_pipe
=> carl <carl@corp.example> R=keep_copy T=copy_maildir
=> dan <dan@corp.example> R=virtual_user T=virtual_userdelivery
** |/usr/bin/note <dan@corp.example> R=virtual_aliases T=virtual_address_pipe: Child process of virtual_address_pipe returned 1
** anna@corp.example R=dnslookup T=remote_smtp H=mx.x [192.0.2.1]: SMTP error from remote mail server after end of data: 550 no
== bob@corp.example R=dnslookup T=remote_smtp defer (-46) H=mx.x [192.0.2.1]: SMTP error from remote mail server after end of data: 451 no
=> carl@corp.example R=dnslookup T=remote_smtp H=mx.x [192.0.2.1] C="250 OK queued as 77AB"
""".splitlines()


@pytest.mark.parametrize("part", [8 << 20, 64])
def test_a_copy_that_exims_unseen_router_makes_is_no_outcome_of_the_message(log, monkeypatch, part):
    monkeypatch.setattr(counting, "PART", part)
    total = of(
        log(*(f"2025-11-22 07:13:{38 + n} 1vMhoQ-00000001AbC-0aBc {words}\n" for n, words in enumerate(COPIES)))
    ).total
    assert total.attempts == {
        Fate.DELIVERED: 3,
        Fate.PASSED_ON: 1,
        Fate.FAILED: 1,
        Fate.REFUSED: 1,
        Fate.DEFERRED: 1,
        Fate.HANDED_OVER: 1,
    }
    assert total.outcomes == {
        Fate.DELIVERED: 1,
        Fate.FAILED: 1,
        Fate.REFUSED: 1,
        Fate.DEFERRED: 1,
        Fate.HANDED_OVER: 1,
    }


DEFERRED = "== a@x.example R=dns T=remote_smtp defer (-46) H=mx.x [192.0.2.1]: SMTP error from remote mail server after end of data: 451 no"


@pytest.mark.parametrize("part", [8 << 20, 64])
@pytest.mark.parametrize(
    "lines",
    [
        [
            f"2025-11-22 07:13:38 1vMhoQ-00000001AbC-0aBc {DEFERRED}\n",
            "2025-11-22 08:13:38 1vMhoQ-00000001AbC-0aBc removed by root\n",
            "2025-11-22 08:13:38 1vMhoQ-00000001AbC-0aBc Completed\n",
        ],
        [
            attempt(1, "a@x.example", "deferred (host mx said: 450 4.2.0 later)"),
            "2026-11-22T05:09:00+00:00 h postfix/postsuper[9]: 4jXH3k3V2zzLhRZ: removed\n",
            "2026-11-22T05:09:00+00:00 h postfix/postsuper[9]: Deleted: 1 message\n",
        ],
    ],
)
def test_what_somebody_removed_waits_for_no_other_try(log, monkeypatch, part, lines):
    monkeypatch.setattr(counting, "PART", part)
    total = of(log(*lines)).total
    assert (total.attempts, total.outcomes) == ({Fate.DEFERRED: 1}, {Fate.DISCARDED: 1})


UNCERTAIN = "lost connection with mx.x[192.0.2.1] while sending end of data -- message may be sent more than once"
GIVEN_UP = "2026-11-22T05:09:00+00:00 h postfix/qmgr[9]: 4jXH3k3V2zzLhRZ: from=<s@h.example>, status=expired, returned to sender\n"
UNCERTAIN_EXIM = """\
== a@x.example R=dns T=smtp defer (-18) H=mx.x [192.0.2.1]: Remote host closed connection in response to end of data
== a@x.example R=dns T=smtp defer (-54) DT=0s: retry time not reached for any host for 'x.example'
** a@x.example: retry timeout exceeded
""".splitlines()


@pytest.mark.parametrize("part", [8 << 20, 64])
@pytest.mark.parametrize(
    ("lines", "fate"),
    [
        (
            [
                attempt(1, "a@x.example", f"deferred ({UNCERTAIN})"),
                attempt(2, "a@x.example", "deferred (host mx said: 450 4.2.0 later)"),
                attempt(3, "a@x.example", "bounced (host mx said: 550 5.1.1 unknown)"),
            ],
            Fate.UNKNOWN,
        ),
        ([attempt(1, "a@x.example", f"deferred ({UNCERTAIN})"), GIVEN_UP], Fate.UNKNOWN),
        (
            [
                attempt(1, "a@x.example", f"deferred ({UNCERTAIN})"),
                attempt(3, "a@x.example", "sent (250 2.0.0 ok)"),
            ],
            Fate.HANDED_OVER,
        ),
        (
            [f"2025-11-22 07:13:3{n} 1vMhoQ-00000001AbC-0aBc {said}\n" for n, said in enumerate(UNCERTAIN_EXIM)],
            Fate.UNKNOWN,
        ),
        (
            [f"2025-11-22 07:13:3{n} 1vMhoQ-00000001AbC-0aBc {said}\n" for n, said in enumerate(UNCERTAIN_EXIM[1:])],
            Fate.EXPIRED,
        ),
    ],
    ids=["refused later", "the message is given up", "sent later", "Exim gives up", "never uncertain"],
)
def test_what_may_have_been_accepted_stays_unknown_unless_it_is_sent(log, monkeypatch, part, lines, fate):
    monkeypatch.setattr(counting, "PART", part)
    assert of(log(*lines)).total.outcomes == {fate: 1}


def test_a_stranger_removes_nothing_by_what_a_header_says(log):
    subject = '<= <> U=a P=local S=1 T="1vMhoQ-00000001AbC-0aBc removed by root" for b@x.example'
    lines = (f"2025-11-22 07:13:38 1vMhoQ-00000001AbC-0aBc {words}\n" for words in (DEFERRED, subject))
    assert of(log(*lines)).total.outcomes == {Fate.DEFERRED: 1}


AUTOMATIC = (
    (
        "=> |/usr/local/cpanel/bin/autorespond info@shop.example /home/u/.autorespond (info@shop.example)",
        "address_pipe",
    ),
    ("=> >a@ext.example", "address_reply"),
)


@pytest.mark.parametrize("part", [8 << 20, 64])
@pytest.mark.parametrize(("reply", "transport"), AUTOMATIC)
@pytest.mark.parametrize("first", [True, False])
def test_an_automatic_reply_is_no_outcome_beside_a_mailbox(log, monkeypatch, part, reply, transport, first):
    monkeypatch.setattr(counting, "PART", part)
    stored = "=> info <info@shop.example> R=virtual_user T=dovecot_virtual_delivery"
    answered = f"{reply} <info@shop.example> R=virtual_aliases T={transport}"
    tried = [answered, stored] if first else [stored, answered]
    told = of(log(*(f"2025-11-22 07:13:{38 + n} 1vMhoQ-00000001AbC-0aBc {words}\n" for n, words in enumerate(tried))))
    assert told.total.attempts == {Fate.DELIVERED: 1, Fate.DISCARDED: 1}
    assert told.total.outcomes == {Fate.DELIVERED: 1}
    assert [domain.name for domain in told.domains] == ["shop.example"]


@pytest.mark.parametrize(("reply", "transport"), AUTOMATIC)
def test_an_automatic_reply_alone_kept_nothing(log, reply, transport):
    told = of(log(f"2025-11-22 07:13:38 1vMhoQ-00000001AbC-0aBc {reply} <info@shop.example> R=a T={transport}\n"))
    assert told.total.outcomes == {Fate.DISCARDED: 1}
    assert [domain.name for domain in told.domains] == ["shop.example"]
