"""A file in two halves, the second in a child: nothing of the answer may show it."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deliverability.api import search as searching
from deliverability.api.progress import tell, watched
from deliverability.api.scan import FileScan
from deliverability.api.search import Found, search
from deliverability.capture import aside
from deliverability.capture.files import LogFile
from deliverability.evidence.event import Action, DeliveryEvent, LogTime, Session
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.names import Domain

LOGS = Path(__file__).parents[1] / "cases" / "logs"
SAMPLES = sorted(p for p in LOGS.rglob("*log*") if p.is_file() and p.parent.parent.name in ("exim", "logs"))
OTHERS = b"".join(
    b"Nov 22 05:01:%02d out1 systemd[1]: Started session %d of user root.\n" % (n % 60, n) for n in range(9000)
)


def look(path: Path, needle: bytes) -> Found:
    return search([LogFile("", str(path), None)], lambda _format: [needle])


def told(found: Found) -> tuple[object, ...]:
    (scan,) = found.scans
    shown = (scan.size, scan.lines, scan.unread, scan.unread_lines, scan.lost, scan.cut, scan.binary, scan.overlong)
    return (
        found.events,
        found.too_many,
        *shown,
        [f.id for f in scan.formats],
        scan.first[:3],
        scan.last[-3:],
        scan.part,
    )


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every file is worth a child; gives the process ids of the children."""
    started: list[int] = []
    begin = aside.start

    def start(work: object) -> aside.Aside:
        child = begin(work)  # type: ignore[arg-type]
        started.append(child.pid)
        return child

    monkeypatch.setattr(aside, "possible", lambda: True)
    monkeypatch.setattr(aside, "WORTHWHILE", 1)
    monkeypatch.setattr(aside, "start", start)
    return started


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: "-".join(p.parts[-2:]))
@pytest.mark.parametrize("needle", [b"@gmail.example", b"x-reject-me", b"out1"])
def test_recorded_logs(path: Path, needle: bytes, two_cores: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    halved = told(look(path, needle))
    assert two_cores
    monkeypatch.setattr(aside, "possible", lambda: False)
    assert halved == told(look(path, needle))


@pytest.mark.parametrize(
    "damage", [b"\0\0", b"\n\n\n", b"no log line\n", b"x" * 300_000, b"\r\n", OTHERS, b"rsyslogd: lost 5 messages\n"]
)
@pytest.mark.parametrize("share", [0.1, 0.49, 0.5, 0.51, 0.9])
def test_damaged_logs(
    tmp_path: Path, damage: bytes, share: float, two_cores: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (LOGS / "postfix" / "postfix-3.10.iso8601.log").read_bytes()
    at = int(len(content) * share)
    path = tmp_path / "mail.log"
    path.write_bytes(content[:at] + damage + content[at:-7])
    halved = told(look(path, b"@outlook.example"))
    assert two_cores
    monkeypatch.setattr(aside, "possible", lambda: False)
    assert halved == told(look(path, b"@outlook.example"))


def test_two_mail_servers_one_in_each_half(
    tmp_path: Path, two_cores: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    postfix = (LOGS / "postfix" / "postfix-3.10.iso8601.log").read_bytes()
    path = tmp_path / "mail.log"
    path.write_bytes(postfix * 2 + (LOGS / "exim" / "4.96" / "mainlog").read_bytes() * 4)
    halved = told(look(path, b"@outlook.example"))
    assert two_cores
    monkeypatch.setattr(aside, "possible", lambda: False)
    assert halved == told(look(path, b"@outlook.example"))


def test_too_many_lines_are_too_many_in_halves_too(two_cores: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "MAX_LINES", 20)
    assert look(SAMPLES[-1], b"out1").too_many
    assert two_cores


def test_a_child_that_fails_is_no_answer() -> None:
    assert aside.start(lambda: [1, b"two"]).result() == [1, b"two"]
    assert aside.start(lambda: 1 // 0).result() is None
    child = aside.start(lambda: open("/dev/zero", "rb").read(1 << 20) and __import__("time").sleep(600))  # noqa: PTH123, SIM115
    child.abandon()
    assert child.pid == 0


def test_what_a_child_makes_bit_by_bit() -> None:
    line = LogLine(Place("", "mail.log", 1, 0), b"raw")
    at = LogTime("today", datetime(2026, 11, 22, tzinfo=UTC), has_year=True, offset=timedelta(0))
    event = DeliveryEvent(action=Action.ARRIVED, line=line, at=at, writer="exim", session=Session(helo="a"))
    bits: list[object] = [["one", 2], line, event, [event, line, line], Domain("a.example"), b"x" * (3 << 20), None]
    bits += [Action, Action.ARRIVED, FileScan(LogFile("", "mail.log", None), first=[event]), re.compile("a"), at]
    stream = aside.Stream(lambda: iter(bits))
    assert [*stream] == bits
    stream.close()
    stream.close()


def test_a_child_that_fails_on_the_way_has_made_what_it_made() -> None:
    def some() -> Iterator[int]:
        yield 1
        yield 2
        raise ZeroDivisionError

    stream = aside.Stream(some)
    assert [*stream] == [1, 2]
    stream.close()


def test_a_child_ends_though_it_makes_more_than_anybody_takes() -> None:
    stream = aside.Stream(lambda: (b"x" * (1 << 20) for _ in range(1 << 30)))
    assert len(next(iter(stream))) == 1 << 20
    stream.close()


def test_a_child_is_not_watched(tmp_path: Path) -> None:
    seen = tmp_path / "seen"

    def show(file: str, octets: int) -> None:
        with seen.open("a") as talk:
            talk.write(f"{file} {octets}\n")

    with watched(show):
        tell("parent", 1)
        child = aside.start(lambda: tell("child", 2) or "done")
        assert child.result() == "done"
    assert seen.read_text() == "parent 1\n"
