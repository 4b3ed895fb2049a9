"""Log files as they lie on disk: what is found, in which order, and what cannot be read."""

import bz2
import gzip
import io
import lzma
import os
import sys
import threading
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
import zstandard

from deliverability.capture import rotation
from deliverability.capture.blocks import MAX_LINE, blocks, windows
from deliverability.capture.commands import Command, output_of
from deliverability.capture.decoders.archives import decompressed
from deliverability.capture.decoders.streams import beginning
from deliverability.capture.files import DAMAGED, LogFile, head, log_files, open_log, parse_log_argument
from deliverability.capture.sources import ALONE
from deliverability.errors import CannotLookError, UsageError

LINE = b"Nov 22 05:01:38 out1 postfix/qmgr[1]: 4jXH3k3V2zzLhRZ: removed\n"


def names(*arguments: object) -> list[str]:
    return [Path(file.path).name for file in log_files(tuple(str(a) for a in arguments))]


def whole(file: LogFile) -> bytes:
    return b"".join(block.content for block in blocks(file))


def written(path: Path, content: bytes = LINE) -> Path:
    path.write_bytes(content)
    return path


# --- rotated sets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "oldest_first",
    [
        ["mail.log.3.gz", "mail.log.2.gz", "mail.log.1", "mail.log"],
        ["mail.log.10.gz", "mail.log.9.gz", "mail.log.0", "mail.log"],
        ["maillog-20261101.gz", "maillog-20261108", "maillog"],
        ["exim_mainlog-20261101.gz", "exim_mainlog-20261102", "exim_mainlog"],
        ["exim_mainlog-20261101.gz", "exim_mainlog-20261101-1793500000.gz", "exim_mainlog-20261102", "exim_mainlog"],
        ["mail.log-2026-11-01.xz", "mail.log-2026-11-12.bz2", "mail.log"],
        ["mail.log-1793500000.gz", "mail.log-1793600000.gz", "mail.log"],
        ["mail.log.2.zst", "mail.log.1", "mail.log"],
        ["mainlog.10.gz", "mainlog.02.gz", "mainlog.01", "mainlog"],
        ["exim_mainlog-9-2026.gz", "exim_mainlog-10-2026.gz", "exim_mainlog-11-2026.gz", "exim_mainlog"],
        ["exim_mainlog-12-2025.gz", "exim_mainlog-01-2026.gz", "exim_mainlog"],
        ["mail-20261101.log.gz", "mail-20261108.log", "mail.log"],
        ["mail-2026-11-01.log.xz", "mail-2026-11-08.log", "mail.log"],
    ],
)
def test_a_log_brings_its_rotations_oldest_first(tmp_path: Path, oldest_first: list[str]) -> None:
    for name in (*oldest_first, "mail.log.offset", "other.log", "other.log.1", "mail.log.1.bak"):
        written(tmp_path / name)
    (tmp_path / f"{oldest_first[-1]}.4").mkdir()
    assert names(tmp_path / oldest_first[-1]) == oldest_first
    assert names(*sorted(tmp_path / name for name in oldest_first)) == oldest_first
    assert names(tmp_path / oldest_first[0]) == oldest_first[:1]


@pytest.mark.parametrize(
    ("present", "holes"),
    [
        (["mail.log", "mail.log.1", "mail.log.2.gz"], {}),
        (["mail.log", "mail.log.0", "mail.log.1"], {}),
        (["mail.log", "mail.log.1", "mail.log.3.gz"], {"mail.log.1": "mail.log.2 is not there"}),
        (["mail.log", "mail.log.3.gz"], {"mail.log": "mail.log.1, mail.log.2 are not there"}),
        (["mail.log.3.gz"], {}),
        (["mail.log", "mail.log-20261101", "mail.log-20261108"], {}),
        (["mail.log", "mail.log.99999999999999"], {}),
        (["mail.log.1", "mail.log.900"], {"mail.log.1": "mail.log.2 to mail.log.899 are not there"}),
    ],
)
def test_holes_in_the_numbers_are_named(present: list[str], holes: dict[str, str]) -> None:
    assert rotation.missing(present) == holes


def test_a_number_before_the_extension_is_another_host_not_a_rotation(tmp_path: Path) -> None:
    for name in ("mx.log", "mx-1.log", "mx-2.log"):
        written(tmp_path / name)
    assert names(tmp_path / "mx.log") == ["mx.log"]


def test_a_pattern_that_no_shell_expanded(tmp_path: Path) -> None:
    for name in ("mail.log", "mail.log.1", "mail.log.2.gz", "other"):
        written(tmp_path / name)
    written(tmp_path / "star*.log")
    assert names(tmp_path / "mail.log*") == ["mail.log.2.gz", "mail.log.1", "mail.log"]
    assert names(f"mx={tmp_path}/mail.log.[12]*") == ["mail.log.2.gz", "mail.log.1"]
    assert names(tmp_path / "star*.log") == ["star*.log"]
    with pytest.raises(CannotLookError, match="No such file"):
        names(tmp_path / "nothing*")


def test_a_file_given_twice_is_read_once(tmp_path: Path) -> None:
    log = written(tmp_path / "mail.log")
    link = tmp_path / "link"
    link.symlink_to(log)
    assert names(log, log, tmp_path / "." / "mail.log", link) == ["mail.log"]
    assert names(link) == ["link"]
    assert [f.log for f in log_files((f"a={log}", f"b={log}"))] == ["a", "b"]


@pytest.mark.parametrize(
    ("argument", "meant"),
    [
        ("mail.log", ("", "mail.log")),
        ("out1=mail.log", ("out1", "mail.log")),
        ("out1=-", ("out1", "-")),
        ("mx.hosting.example:25=/var/log/mail.log", ("mx.hosting.example:25", "/var/log/mail.log")),
        ("/srv/a=b/mail.log", ("", "/srv/a=b/mail.log")),
        ("out1=/srv/a=b/mail.log", ("out1", "/srv/a=b/mail.log")),
        ("./a=b", ("", "./a=b")),
        ("伺服器=mail.log", ("伺服器", "mail.log")),
    ],
)
def test_named_logs(argument: str, meant: tuple[str, str]) -> None:
    assert parse_log_argument(argument) == meant


@pytest.mark.parametrize("argument", ["", "=x", "=", "a b=x", "a=", "\x1b[31m=x", "a" * 200 + "=x"])
def test_odd_names_are_refused(argument: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_log_argument(argument)
    assert "\x1b" not in str(refused.value)


def test_a_file_whose_name_has_an_equals_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "a=b")
    assert parse_log_argument("a=b") == ("", "a=b")


# --- what cannot be read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["nothing-here", "x" * 5000, "nul\0l", "a-directory", "a-file/below"])
def test_what_cannot_be_read_is_said_and_kept_beside_what_can(tmp_path: Path, name: str) -> None:
    (tmp_path / "a-directory").mkdir()
    written(tmp_path / "a-file")
    log = written(tmp_path / "mail.log")
    bad = f"{tmp_path}/{name}"
    with pytest.raises(CannotLookError):
        log_files((bad,))
    good, unreadable = log_files((str(log), bad))
    assert good.problem is None
    assert unreadable.problem
    assert "\0" not in unreadable.problem
    with pytest.raises(CannotLookError):
        whole(unreadable)


def test_a_log_that_was_rotated_meanwhile_is_not_taken_for_the_same(tmp_path: Path) -> None:
    (file,) = log_files((str(written(tmp_path / "mail.log")),))
    (tmp_path / "mail.log").rename(tmp_path / "mail.log.1")
    written(tmp_path / "mail.log", b"another\n")
    with pytest.raises(CannotLookError, match="rotated"):
        whole(file)


# --- pipes and archives -----------------------------------------------------------------------------------------------


def test_a_pipe_is_read_once_and_kept(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_bytes(gzip.compress(LINE * 10)))
    writer.start()
    (file,) = log_files((str(fifo),))
    writer.join()
    assert whole(file) == whole(file) == LINE * 10
    assert head(file, 7) == LINE[:7]


def frame(content: bytes, **options: Any) -> bytes:
    compressor = zstandard.ZstdCompressor(write_checksum=True)
    if not options:
        return compressor.compress(content)
    stream = compressor.compressobj()  # no size in its header
    return stream.compress(content) + stream.flush()


PACKED = {
    "gz": gzip.compress(LINE * 5000) + gzip.compress(LINE * 5000),
    "bz2": bz2.compress(LINE * 5000) + bz2.compress(LINE * 5000),
    "zst": frame(LINE * 5000) + b"\x50\x2a\x4d\x18\x03\0\0\0abc" + frame(LINE * 5000, stream=True),
    "xz": lzma.compress(LINE * 5000) + bytes(8) + lzma.compress(LINE * 5000) + bytes(4),
}


@pytest.mark.parametrize("form", PACKED)
def test_archives_of_several_members_are_read_to_the_end(tmp_path: Path, form: str) -> None:
    (file,) = log_files((str(written(tmp_path / "named-like-no-archive", PACKED[form])),))
    assert whole(file) == LINE * 10_000
    assert head(file, 100) == (LINE * 2)[:100]


@pytest.mark.parametrize("form", PACKED)
def test_a_truncated_archive_gives_what_it_holds_and_says_where_it_breaks_off(tmp_path: Path, form: str) -> None:
    packed = PACKED[form]
    (file,) = log_files((str(written(tmp_path / f"mail.log.1.{form}", packed[: len(packed) - 30])),))
    found: list[bytes] = []
    with pytest.raises(CannotLookError, match=r"past octet \d+") as stopped:
        found.extend(block.content for block in blocks(file))
    given = b"".join(found)
    assert (LINE * 10_000).startswith(given)
    assert len(given) >= len(LINE) * 5000
    assert f"past octet {len(given)}:" in str(stopped.value)


@pytest.mark.parametrize("form", PACKED)
def test_however_an_archive_is_cut_it_never_ends_quietly(form: str) -> None:
    packed = PACKED[form]
    ends = {0, len(packed)}
    for cut in (*range(6, 60), *range(60, len(packed), 7)):
        stream = io.BytesIO(packed[:cut])
        unpacked = decompressed(stream, "x")
        assert unpacked is not None
        content = b""
        try:
            while more := unpacked.read1(1 << 20):
                content += more
        except DAMAGED:
            with pytest.raises(DAMAGED):  # and again: a second look does not take it for the end
                unpacked.read1(10)
        else:
            ends.add(cut)
            assert len(content) in (len(LINE) * 5000, len(LINE) * 10_000)
        assert (LINE * 10_000).startswith(content)
    assert len(ends) < 20  # between two members, and nowhere else


@pytest.mark.parametrize("form", ["gz", "gz-zlib", "bz2", "xz", "zst"])
def test_what_follows_an_archive_and_is_none_is_told(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if form == "gz-zlib":
        monkeypatch.setitem(sys.modules, "isal", None)
    packed = PACKED[form.removesuffix("-zlib")]
    unpacked = decompressed(io.BytesIO(packed + b"Nov 22 05:01:38 some other text, appended"), "x")
    assert unpacked is not None
    content, rest = beginning(unpacked, 1 << 30)
    assert content == LINE * 10_000
    with pytest.raises(DAMAGED, match=r"."):
        rest.read1(10)


@pytest.mark.parametrize("isal", [True, False])
def test_a_gzip_member_that_was_changed_is_told(isal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not isal:
        monkeypatch.setitem(sys.modules, "isal", None)
    packed = bytearray(gzip.compress(LINE * 5000))
    packed[-6] ^= 1  # its checksum
    file = LogFile("", "-", None, bytes(packed))
    with pytest.raises(CannotLookError, match="octet"):
        whole(file)
    assert whole(LogFile("", "-", None, PACKED["gz"] + bytes(512))) == LINE * 10_000  # padding of a tape is none


def test_without_the_extra_one_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = log_files((str(written(tmp_path / "mail.log.1.zst", PACKED["zst"])),))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(CannotLookError, match=r"pip install 'deliverability\[logs\]'"):
        whole(file)


def test_a_zstandard_archive_that_wants_gigabytes_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=28)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    packed = stream.compress(LINE) + stream.flush()
    with pytest.raises(CannotLookError, match="octet 0"):
        whole(LogFile("", "-", None, packed))


@pytest.mark.parametrize("form", ["gz", "bz2", "xz", "zst"])
@pytest.mark.parametrize("filler", [b"\0", LINE])
def test_a_bomb_takes_time_and_no_memory(tmp_path: Path, form: str, filler: bytes) -> None:
    size = 24 << 20
    path = tmp_path / f"bomb.{form}"
    opener = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open, "zst": zstandard.open}[form]
    with opener(path, "wb") as packed:
        for _ in range(24):
            packed.write(filler * ((1 << 20) // len(filler)))
    assert path.stat().st_size < size // 100
    (file,) = log_files((str(path),))
    tracemalloc.start()
    octets = sum(len(block.content) + (block.passed_over or 0) for block in blocks(file))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert octets == 24 * ((1 << 20) // len(filler)) * len(filler)
    assert peak < 16 << 20


def test_an_xz_archive_that_wants_gigabytes_is_refused(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 20}]
    packed = bytearray(lzma.compress(LINE, filters=filters))
    # Block header at 12: size, flags, then filter id, size of properties, and the dictionary's size as one octet.
    assert packed[14:16] == b"\x21\x01"
    packed[16] = 40  # 4 GiB - 1
    packed[12 + 12 - 4 : 12 + 12] = __import__("zlib").crc32(packed[12 : 12 + 8]).to_bytes(4, "little")
    (file,) = log_files((str(written(tmp_path / "mail.log.1.xz", bytes(packed))),))
    with pytest.raises(
        CannotLookError, match=r"octet 0: it needs more memory than is granted here; unpack it first: xz -d"
    ):
        whole(file)


@pytest.mark.parametrize("magic", [b"\x1f\x9d\x90" + bytes(20), b"\x04\x22\x4d\x18" + bytes(20)])
def test_archives_that_are_not_read_say_what_to_do(tmp_path: Path, magic: bytes) -> None:
    (file,) = log_files((str(written(tmp_path / "mail.log.2.Z", magic)),))
    with pytest.raises(CannotLookError, match="--log -"):
        whole(file)


# --- blocks -----------------------------------------------------------------------------------------------------------


def test_an_overlong_line_is_passed_over_and_its_end_is_no_new_line() -> None:
    forged = b"x" * (3 << 20) + LINE  # what stands late in a long line must not become a line
    content = LINE + forged + LINE
    found = list(blocks(LogFile("", "-", None, content)))
    starts = [(b.offset, b.line, len(b.content) + (b.passed_over or 0)) for b in found]
    assert [b.passed_over is not None for b in found] == [False, True, False]
    assert starts == [(0, 0, len(LINE)), (len(LINE), 1, len(forged)), (len(LINE + forged), 2, len(LINE))]
    lines = [w.line(w.start)[0] for w in windows(LogFile("", "-", None, content), 4096)]
    assert [(line.place.line, line.place.offset, line.cut) for line in lines] == [
        (1, 0, False),
        (2, len(LINE), True),
        (3, len(LINE + forged), False),
    ]
    assert len(lines[1].raw) == MAX_LINE


def test_windows_hold_their_surroundings_and_count_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliverability.capture.blocks.BLOCK", 700)
    content = b"".join(b"line %d\n" % n for n in range(50_000)) + b"no end"
    file = LogFile("", "-", None, content)
    seen = b""
    for window in windows(file, 5000):
        assert content[window.offset : window.offset + len(window.content)] == window.content
        assert min(5000, window.offset + window.start) <= window.start
        assert window.offset + window.start == len(seen)
        assert len(window.content) - window.end >= min(128 << 10, len(content) - window.offset - window.end)
        for start in (window.start, window.start_of(window.end - 1), window.start_of(0)):
            expected = content.count(b"\n", 0, window.offset + start) + 1
            assert window.line(start)[0].place.line == expected
        seen += window.content[window.start : window.end]
    assert seen == content


# --- commands ---------------------------------------------------------------------------------------------------------


def printing(code: str) -> Command:
    return Command("mail1", (sys.executable, "-c", code))


def test_what_a_command_prints_is_a_log() -> None:
    (file,) = log_files((), [printing(f"import sys; sys.stdout.buffer.write({gzip.compress(LINE)!r})")])
    assert (file.log, file.problem, whole(file)) == ("mail1", None, LINE)
    with open_log(file) as stream:
        assert stream.read1(3) == LINE[:3]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (printing("import sys; print('half', flush=True); sys.exit('no route\x1b[31m')"), "exit status 1: no route"),
        (printing("import os; os.kill(os.getpid(), 9)"), "exit status -9"),
        (printing("import time; time.sleep(60)"), "ended after"),
        (printing("print('x' * 2000)"), "printed more than"),
        (Command("mail1", ("/nonexistent/program",)), "No such file"),
    ],
)
def test_a_command_that_fails_is_a_log_that_could_not_be_read(command: Command, said: str) -> None:
    content, problem = output_of(command, limit=1000, seconds=1)
    assert problem
    assert said in problem
    assert "\x1b" not in problem
    assert len(content) <= 1000


def test_a_command_never_gets_our_standard_input_or_a_shell() -> None:
    content, problem = output_of(printing("import sys; print(len(sys.stdin.read()), sys.argv)"), 1000)
    assert (content.split()[0], problem) == (b"0", None)
    content, _ = output_of(Command("x", ("/bin/echo", "$(id)", ";", "ls")), 1000)
    assert content == b"$(id) ; ls\n"


def test_a_reader_that_stops_early_leaves_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliverability.capture.blocks.BLOCK", 1000)
    monkeypatch.setattr("deliverability.capture.aside.possible", lambda: False)
    content = b"".join(b"line %d\n" % n for n in range(20_000))
    (tmp_path / "log.gz").write_bytes(gzip.compress(content))
    file = LogFile("", str(tmp_path / "log.gz"), None)
    reading = blocks(file)
    seen = [next(reading).content for _ in range(ALONE + 1)]
    assert any(thread.name == "decompressing" for thread in threading.enumerate())
    reading.close()
    assert not any(thread.name == "decompressing" for thread in threading.enumerate())
    assert content.startswith(b"".join(seen))
    assert b"".join(block.content for block in blocks(file)) == content


@pytest.mark.parametrize("change", ["cut", "emptied", "gone"])
def test_a_log_that_was_rotated_since_it_was_named_cannot_be_read(tmp_path: Path, change: str) -> None:
    path = written(tmp_path / "mail.log", LINE * 9)
    (file,) = log_files((str(path),))
    assert whole(file) == LINE * 9
    if change == "gone":
        path.rename(tmp_path / "mail.log.1")
    else:
        os.truncate(path, 0 if change == "emptied" else len(LINE) * 3)
    with pytest.raises(CannotLookError, match="was rotated while it was read"):
        whole(file)


def test_a_log_that_grew_since_it_was_named_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "mail.log")
    (file,) = log_files((str(path),))
    with path.open("ab") as more:
        more.write(LINE)
    assert whole(file) == LINE * 2


def test_a_rotated_set_in_an_archive_whose_files_bear_one_date(tmp_path: Path) -> None:
    """``zip`` of copies: only their names tell which is older."""
    archive = tmp_path / "logs.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for name in ("maillog", "maillog.1", "maillog.4.gz", "maillog.2"):
            content = gzip.compress(LINE) if name.endswith(".gz") else LINE
            made.writestr(zipfile.ZipInfo(f"logs/{name}", (2026, 11, 22, 5, 0, 0)), content)
    found = log_files((str(archive),))
    assert [Path(file.path).name for file in found] == ["maillog.4.gz", "maillog.2", "maillog.1", "maillog"]
    assert [file.missing for file in found if file.missing] == ["maillog.3 is not there"]


def test_a_folder_names_the_mail_logs_that_lie_in_it(tmp_path: Path) -> None:
    (tmp_path / "exim4").mkdir()
    with pytest.raises(CannotLookError, match=r"is a directory; name the log file in it\Z"):
        log_files((str(tmp_path),))
    for name in ("mail.log", "exim4/mainlog", "syslog", "mail.log.1"):
        (tmp_path / name).touch()
    (tmp_path / "maillog").mkdir()
    with pytest.raises(CannotLookError) as told:
        log_files((str(tmp_path),))
    assert str(told.value).endswith(f", such as {tmp_path}/exim4/mainlog, {tmp_path}/mail.log")
