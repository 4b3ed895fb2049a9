"""The spool: durable before it returns, one file a process, whatever threads, forks and kills do."""

import os
import resource
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_records import AT, OUTCOME, intent

from deliverability.errors import CannotLookError, ParseError, RecordingError
from deliverability.evidence.recorder import Finish, Later, Outcome, Record, Snapshot
from deliverability.evidence.smtp import Reply
from deliverability.ledger.spool import Spool, Spooled, spooled
from deliverability.protocols.records import record_from_bytes, record_to_bytes

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
LATER = Later(dispatch="1" * 32, at=AT, kind="dsn", finish=Finish.REFUSED, level=None, witness="hinet.example")


def read(folder: Path) -> list[Record]:
    return [record_from_bytes(line) for file in spooled(folder) for line, _ in file.lines()]


# --- the records ---


@pytest.mark.parametrize(
    "record", [intent(), OUTCOME, LATER, Snapshot(dispatch="1" * 32, at=AT, verified=(("a", "b", "pass"),))]
)
def test_a_record_is_read_as_it_was_written(record: Record) -> None:
    octets = record_to_bytes(record)
    assert record_from_bytes(octets) == record
    assert record_to_bytes(record_from_bytes(octets)) == octets


@given(TEXT, TEXT, st.datetimes(timezones=st.just(UTC)))
def test_strangers_texts_stay_texts(subject: str, reply: str, at: datetime) -> None:
    for record in (
        intent(subject=subject, at=at, account=subject),
        Outcome(dispatch="0" * 32, at=at, finish=Finish.REFUSED, stage="rcpt", reply=Reply(550, None, reply)),
    ):
        octets = record_to_bytes(record)
        assert b"\n" not in octets
        assert record_from_bytes(octets) == record


@given(st.binary(max_size=300))
def test_octets_are_a_record_or_refused(octets: bytes) -> None:
    with pytest.raises(ParseError):
        record_from_bytes(octets)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"kind":"outcome"', b'"kind":"other"'),
        (b'"finish":"accepted"', b'"finish":"delivered"'),
        (b'"at":"2026-11-22T05:31:12.345678Z"', b'"at":"2026-11-22T05:31:12Z"'),
        (b'"dispatch":"1111', b'"dispatch":"G111'),
        (b'"schema_version":1', b'"schema_version":2'),
        (b'"detail":""', b'"detail":"","extra":1'),
        (b'"stage":"end-of-data"', b'"stage":7'),
        (b'"code":250', b'"code":true'),
    ],
)
def test_another_shape_is_refused(old: bytes, new: bytes) -> None:
    octets = record_to_bytes(OUTCOME)
    assert old in octets
    with pytest.raises(ParseError):
        record_from_bytes(octets.replace(old, new, 1))


# --- the files ---


def test_records_are_there_when_it_returns(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.record([intent(1), intent(2)])
    spool.record([OUTCOME])
    assert read(tmp_path / "spool") == [intent(1), intent(2), OUTCOME]
    (file,) = spooled(tmp_path / "spool")
    assert not file.abandoned
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
    spool.close()
    assert spooled(tmp_path / "spool")[0].abandoned


def test_many_threads_lose_nothing_and_tear_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path)

    def work(first: int) -> None:
        for number in range(25):
            spool.record([intent(first * 1000 + number), intent(first * 1000 + number + 500)])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [r.dispatch for r in read(tmp_path)]
    assert len(found) == len(set(found)) == 16 * 25 * 2
    # What one call records stands together.
    pairs = list(zip(found[::2], found[1::2], strict=True))
    assert all(int(b, 16) - int(a, 16) == 500 for a, b in pairs)


def test_a_fork_gets_a_file_of_its_own(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.record([intent(1)])
    child = os.fork()
    if child == 0:
        try:
            spool.record([intent(2)])
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    spool.record([intent(3)])
    files = spooled(tmp_path)
    assert sorted([r.dispatch for r in read(tmp_path)]) == [f"{n:032x}" for n in (1, 2, 3)]
    assert sorted(f.abandoned for f in files) == [False, True]


KILLED = """
import sys, datetime
sys.path.insert(0, {here!r})
from ledger_records import intent
from deliverability.ledger.spool import Spool
from pathlib import Path
spool, number = Spool(Path(sys.argv[1])), 0
while True:
    number += 1
    spool.record([intent(number)])
    print(number, flush=True)
"""


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    code = KILLED.format(here=str(Path(__file__).parents[1] / "helpers"))
    for round_ in range(5):
        folder = tmp_path / str(round_)
        process = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True)
        assert process.stdout
        acknowledged = [process.stdout.readline() for _ in range(3 + 7 * round_)]
        process.send_signal(signal.SIGKILL)
        acknowledged += process.stdout.readlines()
        process.wait()
        process.stdout.close()
        said = {int(line) for line in acknowledged if line.endswith("\n")}
        assert said <= {int(r.dispatch, 16) for r in read(folder)}
        assert spooled(folder)[0].abandoned


def write_behind(path: Path, content: bytes, zeros: int = 0) -> None:
    """As a process that was about to record more would have left it."""
    with path.open("r+b") as file:
        file.seek(len(path.read_bytes().rstrip(b"\0")) + zeros)
        file.write(content)


def test_a_torn_last_line_is_no_record_yet(tmp_path: Path) -> None:
    Spool(tmp_path).record([intent(1)])
    (file,) = spooled(tmp_path)
    write_behind(file.path, record_to_bytes(intent(2))[:-40])
    assert read(tmp_path) == [intent(1)]
    (_, position), *rest = file.lines()
    assert not rest
    assert list(file.lines(position)) == []


def test_records_are_written_over_room_that_was_made_before(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.record([intent(1)])
    (path,) = (file.path for file in spooled(tmp_path))
    size = path.stat().st_size
    spool.record([intent(2, subject="\0")])
    assert path.stat().st_size == size
    octets = path.read_bytes()
    assert octets.rstrip(b"\0") == b"".join(record_to_bytes(r) + b"\n" for r in read(tmp_path))
    numbers = range(3, 400)  # more than the first room, and the second
    for number in numbers:
        spool.record([intent(number)])
    assert path.stat().st_size > size
    assert [int(r.dispatch, 16) for r in read(tmp_path)] == [1, 2, *numbers]


@pytest.mark.parametrize("ended", [False, True])
def test_zeros_with_a_line_behind_them(tmp_path: Path, ended: bool) -> None:
    """While its process lives, somebody may be writing there; of one that has ended, it is damage, and is not hidden."""
    spool = Spool(tmp_path)
    spool.record([intent(1)])
    (file,) = spooled(tmp_path)
    write_behind(file.path, b"half a record\n" + record_to_bytes(intent(2)) + b"\n", zeros=700)
    if ended:
        spool.close()
    (file,) = spooled(tmp_path)
    lines = [line for line, _ in file.lines()]
    behind = [b"\0" * 700 + b"half a record", record_to_bytes(intent(2))]
    assert lines == [record_to_bytes(intent(1)), *(behind if ended else [])]


def test_a_full_disk_is_an_error_and_the_next_file_is_whole(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.record([intent(1)])
    room = len(record_to_bytes(intent(1))) * 20  # none is left to be made ahead, and that is no error yet
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (spooled(tmp_path)[0].path.stat().st_size + room, hard))
    said = [1]

    def fill() -> None:
        for number in range(2, 1000):
            spool.record([intent(number)])
            said.append(number)

    try:
        with pytest.raises(RecordingError, match="cannot be recorded"):
            fill()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    spool.record([intent(1000)])
    assert sum(file.path.stat().st_size > 0 for file in spooled(tmp_path)) == 2
    assert sorted(int(r.dispatch, 16) for r in read(tmp_path)) == [*said, 1000]


def test_a_full_disk_is_not_filled_up_with_names(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        for number in range(3):
            with pytest.raises(RecordingError, match="cannot be recorded"):
                spool.record([intent(number)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert list((tmp_path / "spool").iterdir()) == []
    spool.record([intent(9)])
    assert read(tmp_path / "spool") == [intent(9)]


def test_a_file_that_vanishes_while_the_spool_is_read_is_no_error(tmp_path: Path) -> None:
    """Whoever made it could write nothing into it, and took it away."""
    spool = Spool(tmp_path)
    spool.record([intent(1)])
    (file,) = spooled(tmp_path)
    file.remove()
    assert list(file.lines()) == [] and spooled(tmp_path) == ()


def test_new_folders_are_durable_with_those_above_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    Spool(tmp_path / "ledger" / "spool").record([intent(1)])
    assert {str(tmp_path), str(tmp_path / "ledger"), str(tmp_path / "ledger" / "spool")} <= set(synced)
    synced.clear()
    Spool(tmp_path / "ledger" / "spool").record([intent(2)])
    assert synced == [str(tmp_path / "ledger" / "spool")]


def test_nothing_is_written_over_what_was_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal's handler raises while the disk is at work, and the sequencer has read the record meanwhile."""
    spool, sync = Spool(tmp_path), os.fdatasync
    spool.record([intent(1)])
    (file,) = spooled(tmp_path)

    def interrupted(descriptor: int) -> None:
        monkeypatch.setattr(os, "fdatasync", sync)
        sync(descriptor)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fdatasync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        spool.record([intent(2, subject="a longer record than the next one " * 9)])
    *_, (_, position) = file.lines()
    before = file.path.read_bytes()
    spool.record([intent(3)])
    spool.record([intent(4)])
    assert file.path.read_bytes() == before
    assert list(file.lines(position)) == []
    assert sorted(int(record.dispatch, 16) for record in read(tmp_path)) == [1, 2, 3, 4]


def test_octets_of_several_calls_are_written_at_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.record_octets(spool.to_octets([intent(1), OUTCOME]) + spool.to_octets([intent(2)]))
    assert read(tmp_path) == [intent(1), OUTCOME, intent(2)]


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError):
        Spool(tmp_path / "file" / "spool").record([intent()])


def test_a_record_without_a_form_is_an_error_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(RecordingError):
        Spool(tmp_path).record([intent(1), intent(2, subject="\ud800")])
    assert not spooled(tmp_path)


def test_an_endless_line_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.spool").write_bytes(b"x" * (2 << 20))
    with pytest.raises(CannotLookError, match="longer than any record"):
        read(tmp_path)


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "folder"])
def test_what_somebody_put_among_the_spools_is_neither_read_nor_written(tmp_path: Path, kind: str) -> None:
    """Where mailers of several users share a spool: no file of root's is read, blanked, or waited for for ever."""
    victim, planted = tmp_path / "victim", tmp_path / "spool" / "a.spool"
    victim.write_bytes(b"secret\n")
    planted.parent.mkdir()
    if kind in {"link", "dangling"}:
        planted.symlink_to(victim if kind == "link" else tmp_path / "none")
    elif kind == "pipe":
        os.mkfifo(planted)
    else:
        planted.mkdir()
    with pytest.raises(CannotLookError, match="take it away"):
        spooled(planted.parent)
    file = Spooled(planted, abandoned=True)
    with pytest.raises(CannotLookError, match="take it away"):
        list(file.lines())
    with pytest.raises(CannotLookError, match="take it away"):
        file.blank(0, 7)
    assert victim.read_bytes() == b"secret\n"
