"""Containers: what each becomes, that line numbers stay, and that no octets harm."""

import csv
import errno
import io
import json
import sqlite3
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deliverability.capture.blocks import blocks
from deliverability.capture.decoders import archive_files, database
from deliverability.capture.decoders.streams import DAMAGED, DamagedError
from deliverability.capture.files import LogFile, container_of, head, log_files, open_log
from deliverability.errors import CannotLookError
from deliverability.protocols.syslog import parse_prologue

WORDS = "4jXH3k3V2zzLhRZ: to=<jo@corp.example>, relay=mx.corp.example[192.0.2.1]:25, status=sent (250 ok)"
LINE = f"Nov 22 05:01:38 out1 postfix/smtp[123]: {WORDS}"
FORGED = "Nov 22 05:01:38 out1 postfix/smtp[1]: 4jXH3k3V2zzLhRZ: to=<victim@corp.example>, status=sent (250 ok)"
AT = "2026-11-22T05:01:38.5Z"


def file_of(content: bytes | str) -> LogFile:
    return LogFile("", "-", None, content.encode() if isinstance(content, str) else content)


def unwrapped(content: bytes | str) -> bytes:
    with open_log(file_of(content)) as stream:
        return b"".join(iter(lambda: stream.read1(1 << 20), b""))


def read(content: bytes | str) -> list[str]:
    """The lines, as the search reads them."""
    made = b"".join(block.content for block in blocks(file_of(content)))
    return made.decode().split("\n")


def entry(message: bytes, tag: bytes = b"postfix/smtp", *, binary: bool = False) -> bytes:
    said = b"MESSAGE\n" + len(message).to_bytes(8, "little") + message if binary else b"MESSAGE=" + message
    return (
        b"__CURSOR=s=e60b;i=1\n__REALTIME_TIMESTAMP=1795323698123456\n_HOSTNAME=out1\nPRIORITY=6\n"
        b"SYSLOG_IDENTIFIER=" + tag + b"\n" + said + b"\nSYSLOG_PID=12\n_PID=99\n\n"
    )


MADE = f"2026-11-22T05:01:38.123456+00:00 out1 postfix/smtp[12]: {WORDS}"


def rows(table: list[list[str]], delimiter: str = ",", end: str = "\r\n") -> str:
    made = io.StringIO()
    csv.writer(made, delimiter=delimiter, lineterminator=end).writerows(table)
    return made.getvalue()


# --- plain ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n",
        LINE,
        f"{LINE}\n" * 3,
        f"to=<a@b.example>, relay=mx, delay=1, status=sent (250 ok)\n{LINE}\n",  # the head was cut off
        "2026-11-22 05:01:38 1vMdgY-0000000005A-3Xyz <= a@b.example, c\n" * 5,
        f"{LINE}\n{{}}\n[]\n",
        json.dumps({"@timestamp": AT, "message": FORGED, "appname": "x"}) + f"\n{LINE}" * 20,  # so was this one's
        f'{{"events":[\n{LINE} {json.dumps({"message": FORGED})}\n' * 20,
        f"[{{}},\n{LINE} {json.dumps({'message': FORGED})}\n" * 20,
        "{}\n",
        "[1, 2]\n",
        '{"type":"Delivery","id":"x","recipient":"a@b.example"}\n' * 3,
        "a,b,c\n" + "Nov 22 05:01:38 out1 postfix/qmgr[1]: 4jXH3k3V2zzLhRZ: from=<a@b.example>, size=1, nrcpt=1\n" * 9,
        "some words, and more\nNov 22, words\nother words\n",
        "=======\nFIELD=value\n\n",
    ],
)
def test_what_is_no_container_stays_as_it_is(content: str) -> None:
    assert "\n".join(read(content)) == content
    assert container_of(file_of(content)) is None


# --- journal ----------------------------------------------------------------------------------------------------------


def test_a_journal_export() -> None:
    hostile = f"\n\n__CURSOR=1\nMESSAGE=x\n{FORGED}\n".encode()
    content = entry(WORDS.encode()) + entry(hostile, b"web app[1]:", binary=True) + entry(WORDS.encode()) * 3000
    made = read(content)
    assert container_of(file_of(content)) == "journal export"
    assert (len(made), made[0], made[2:3002], made[-1]) == (3003, MADE, [MADE] * 3000, "")
    assert made[1].startswith(
        "2026-11-22T05:01:38.123456+00:00 out1 web_app_1__[12]: #012#012__CURSOR=1#012MESSAGE=x#012Nov"
    )


def test_octets_that_are_no_text_are_kept() -> None:
    with open_log(file_of(entry(b"\xa4\xa4 \x00", binary=True))) as stream:
        assert stream.read1().endswith(b": \xa4\xa4 #000\n")


def test_an_export_that_breaks_off_is_told_and_gives_what_came_before() -> None:
    whole = entry(WORDS.encode()) + entry(WORDS.encode(), binary=True)
    for cut in range(len(whole) // 2 + 60, len(whole) - 2):
        found: list[bytes] = []
        try:
            found.extend(block.content for block in blocks(file_of(whole[:cut])))
        except CannotLookError as problem:
            assert "breaks off" in str(problem)  # noqa: PT017 - some cuts leave whole fields, and are no damage
        assert b"".join(found).decode().startswith(MADE)
        assert b"".join(found).count(b"\n") <= 2


@pytest.mark.parametrize("size", [2**64 - 1, 2**63, 1 << 40])
def test_an_export_that_claims_exabytes(size: int) -> None:
    content = entry(b"x") + b"__CURSOR=1\nMESSAGE\n" + size.to_bytes(8, "little") + b"short"
    with pytest.raises(CannotLookError, match="breaks off"):
        read(content)


def test_a_huge_value_takes_no_memory() -> None:
    def content() -> Iterator[bytes]:
        yield entry(b"first")
        yield b"__CURSOR=1\n__REALTIME_TIMESTAMP=1795323698123456\nSYSLOG_IDENTIFIER=x\nMESSAGE\n"
        yield (24 << 20).to_bytes(8, "little")
        yield from (bytes(1 << 20) for _ in range(24))
        yield b"\nCOREDUMP="
        yield from (b"x" * (1 << 20) for _ in range(24))
        yield b"\n\n" + entry(b"last")

    from deliverability.capture.decoders.journal import export_lines
    from deliverability.capture.decoders.streams import Decoded

    tracemalloc.start()
    made = b"".join(export_lines(Decoded(content())))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert made.count(b"\n") == 3
    assert made.endswith(b"postfix/smtp[12]: last\n")
    assert peak < 16 << 20


@pytest.mark.parametrize("name", ["journal.export", "loki.jsonl", "graylog.csv"])
def test_the_examples_hold_the_words_of_the_log_that_they_were_made_of(name: str) -> None:
    folder = Path(__file__).parents[2] / "examples"
    (file,) = log_files((str(folder / "wrapped" / name),))
    made = b"".join(block.content for block in blocks(file)).splitlines()
    log = (folder / "postfix" / "mail.log").read_bytes().splitlines()
    found = [parse_prologue(line) for line in made if line]
    expected = [parse_prologue(line) for line in log]
    assert [(p.host, p.tag, p.pid, p.rest) for p in found if p] == [
        (p.host, p.tag, p.pid, p.rest) for p in expected if p
    ]
    assert [p.at.instant for p in found if p] == [p.at.instant for p in expected if p]
    assert len(expected) == 63


# --- JSON -------------------------------------------------------------------------------------------------------------

RECORD = {
    "@timestamp": AT,
    "message": WORDS,
    "host": {"hostname": "out1"},
    "process": {"name": "postfix/smtp", "pid": 7},
}
OUT = f"{AT} out1 postfix/smtp[7]: {WORDS}"


def test_ndjson_keeps_line_numbers_and_counts_what_it_cannot_read() -> None:
    text = json.dumps({"_source": RECORD})
    content = f"{text}\n\nrubbish {FORGED}\n{text[:-9]}\n{{}}\n{text}"
    made = read(content)
    assert container_of(file_of(content)) == "NDJSON"
    assert (made[0], made[1], made[5], len(made)) == (OUT, "", OUT, 6)
    assert all(line.startswith("[") for line in made[2:5])


@pytest.mark.parametrize("indent", [None, 1, "\t"])
@pytest.mark.parametrize(
    "document",
    [
        [RECORD, RECORD],
        {"took": 1, "_shards": {"failures": [{"index": "x"}]}, "hits": {"total": {"value": 2}, "hits": [{"_source": RECORD, "sort": [1, {"a": 2}]}] * 2}},
        {"events": [RECORD, RECORD], "searchedLogStreams": [{"name": "x"}]},
    ],
)  # fmt: skip
def test_a_json_document(document: object, indent: int | str | None) -> None:
    text = json.dumps(document, indent=indent)
    if text.startswith("{") and indent is None:
        text = " " + text + "\n"
    made = read(text)
    if container_of(file_of(text)) == "JSON":
        assert made[:2] == [OUT, OUT]
        assert not any(line and not line.startswith(("[", "{")) for line in made[2:])
        with pytest.raises(CannotLookError, match="breaks off"):
            read(text.rstrip()[:-30] if indent is None or isinstance(document, list) else text[: text.rindex(WORDS)])
    else:
        assert indent is None  # an object on one line is a record, and wraps nothing


def test_journal_json_in_its_forms() -> None:
    record = {"__REALTIME_TIMESTAMP": "1795323698123456", "MESSAGE": WORDS, "SYSLOG_IDENTIFIER": "postfix/smtp", "_HOSTNAME": "out1", "SYSLOG_PID": "12"}  # fmt: skip
    text = json.dumps(record)
    for content in (f"{text}\n" * 2, f"\x1e{text}\n" * 2, f"data: {text}\n\n" * 2, json.dumps(record, indent="\t") * 2):
        assert [line for line in read(content) if line] == [MADE, MADE]
    assert container_of(file_of(f"\x1e{text}\n")) == "journal JSON"


def test_a_document_in_small_pieces() -> None:
    from deliverability.capture.decoders.ndjson import document_lines
    from deliverability.capture.decoders.streams import Decoded
    from deliverability.protocols.wrapped import layout_of

    layout = layout_of([RECORD])
    assert layout
    text = json.dumps(
        {"ok": True, "n": [1.5e3, None], "events": [RECORD, False, RECORD], "end": [{}]}, indent=1
    ).encode()
    for size in (1, 2, 7, 64):
        pieces = (text[at : at + size] for at in range(0, len(text), size))
        made = b"".join(document_lines(Decoded(pieces), layout)).decode().splitlines()
        assert made == [OUT, OUT, "[{}]"]


def test_brackets_without_end() -> None:
    for content in ("[{" * 400_000, '[{"a":' * 300_000, "[" + "[" * 1_000_000, '[{"message":"' + "x" * 5_000_000):
        assert unwrapped(content).decode() == content  # nothing in it is a record
    begun = json.dumps([RECORD])[:-1] + " " * 70_000
    for rest in (
        ",[" * 200_000,
        ',{"x":"' + "x" * 5_000_000,
        f",\n{LINE}\n",
        ", nul",
        "]x",
        "",
        f",{json.dumps(RECORD)}",
    ):
        with pytest.raises(CannotLookError):
            read(begun + rest)


# --- tables -----------------------------------------------------------------------------------------------------------

HEADER = ["date-time", "client-ip", "event-id", "message-subject"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_rows_become_objects_and_line_numbers_stay(delimiter: str, coding: str) -> None:
    table = [
        HEADER,
        [AT, "192.0.2.1", "SEND", "續約, 'x' \"y\""],
        [AT, "", "FAIL", "a\nb\n\nc"],
        [AT, "1", "2", "last"],
    ]
    content = rows(table, delimiter).encode(coding)
    made = read(content)
    expected = [
        json.dumps(dict(zip(HEADER, r, strict=True)), ensure_ascii=False, separators=(",", ":")) for r in table[1:]
    ]
    assert made == ["", expected[0], expected[1], "", "", "", expected[2], ""]
    form = "TSV" if delimiter == "\t" else "CSV"
    assert container_of(file_of(content)) == (f"{form} in UTF-16" if "16" in coding else form)


def test_exchange_names_its_columns_in_a_remark() -> None:
    top = "#Software: Microsoft Exchange Server\r\n#Version: 15.0\r\n#Fields: date-time,client-ip,subject\r\n"
    content = f"\ufeff{top}{AT},192.0.2.1,x\r\n#Fields: date-time,subject,client-ip\r\n{AT},#y,1\r\n"
    made = read(content)
    assert made == [
        *[""] * 3,
        f'{{"date-time":"{AT}","client-ip":"192.0.2.1","subject":"x"}}',
        "",
        f'{{"date-time":"{AT}","subject":"#y","client-ip":"1"}}',
        "",
    ]


def test_a_row_of_another_form_is_counted_as_unread_and_is_no_line() -> None:
    good = ["x", "1", "2", "3"]
    bad = [[FORGED, "1"], [f"a\n{FORGED}", "x"], ["#remark", "1", "2", "3"]]
    made = read(rows([HEADER, *[good] * 20, *bad, good]))[16:]
    assert json.loads(made[5])[0].rstrip("\r") == f'"{FORGED}",1'
    assert made[6].startswith("[")
    assert made[7] == ""
    assert json.loads(made[8])["date-time"] == "#remark"
    assert json.loads(made[9])["date-time"] == "x"


def test_a_quote_that_never_ends_loses_nothing_quietly() -> None:
    good = "a,b,c,d\r\n"
    content = rows([HEADER]) + good * 60 + 'x,"open\r\n' + good * 5000
    made = read(content)
    assert len(made) == content.count("\n") + 1
    unread = sum(line.startswith("[") for line in made)
    assert unread >= 1000
    assert unread + sum(line.startswith("{") for line in made) == 5061


def test_a_table_of_syslog_messages() -> None:
    table = [["timestamp", "source", "message"], [AT, "out1", f"out1 postfix/smtp[7]: {WORDS}"], [AT, "out1", f"postfix/smtp[7]: a\n{FORGED}"]]  # fmt: skip
    made = read(rows(table))
    assert made == ["", OUT, f"{AT} out1 postfix/smtp[7]: a#012{FORGED}", "", ""]


def test_a_second_column_of_the_same_name_keeps_its_value() -> None:
    assert json.loads(read("Date;To;To\n1;2;3\n")[1]) == {"Date": "1", "To": "2", "To#2": "3"}
    assert json.loads(read("sep=;\nDate;To;x\n1;2;3\n")[2]) == {"Date": "1", "To": "2", "x": "3"}


# --- SQLite -----------------------------------------------------------------------------------------------------------

SCHEMA = """
CREATE TABLE sends (mailtime TEXT, sendunixtime INTEGER, msgid TEXT, email TEXT);
CREATE TABLE smtp (sendunixtime INTEGER, msgid TEXT, email TEXT, message);
CREATE TABLE other (secret TEXT);
INSERT INTO sends VALUES ('late', 3, 'b', 'x'), ('early', 1, 'a', 'y');
INSERT INTO smtp VALUES (2, 'a', 'jo@corp.example', '250 ok'), (4, NULL, x'ff41', 1.5);
INSERT INTO other VALUES ('s3cret');
"""


def made_database(path: Path, *scripts: str) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        for script in scripts:
            connection.executescript(script)
    connection.close()
    return path


def test_an_eximstats_database(tmp_path: Path) -> None:
    path = made_database(tmp_path / "eximstats_db.sqlite3", SCHEMA)
    before = path.read_bytes()
    for content in (None, before):
        file = LogFile("", str(path), None, content)
        made = b"".join(block.content for block in blocks(file)).decode().splitlines()
        assert container_of(file) == "SQLite"
        assert [json.loads(line)["sendunixtime"] for line in made] == ["1", "2", "3", "4"]
        assert (
            made[1] == '{"_table":"smtp","sendunixtime":"2","msgid":"a","email":"jo@corp.example","message":"250 ok"}'
        )
        assert json.loads(made[3]) == {"_table": "smtp", "sendunixtime": "4", "msgid": "", "email": "\\xffA", "message": "1.5"}  # fmt: skip
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_another_database_and_changes_that_are_not_merged(tmp_path: Path) -> None:
    (other,) = log_files((str(made_database(tmp_path / "x.db", "CREATE TABLE a (b)")),))
    with pytest.raises(CannotLookError, match="without the tables"):
        list(blocks(other))
    path = made_database(tmp_path / "e.db", SCHEMA)
    (tmp_path / "e.db-wal").write_bytes(b"x")
    found: list[bytes] = []
    with pytest.raises(CannotLookError, match="not merged"):
        found.extend(block.content for block in blocks(LogFile("", str(path), None)))
    assert b"".join(found).count(b"\n") == 4


@pytest.mark.parametrize(
    "script",
    [
        "CREATE VIEW failures AS SELECT secret FROM other",
        "CREATE TABLE d (x); CREATE VIEW defers AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT * FROM c",
        "CREATE VIRTUAL TABLE failures USING fts5(sendunixtime)",
        "ALTER TABLE smtp ADD COLUMN b AS (replace(hex(zeroblob(100000000)), '0', 'xxxx')) VIRTUAL",
    ],
)  # fmt: skip
def test_what_is_computed_in_a_database_is_not_run_and_told(tmp_path: Path, script: str) -> None:
    path = made_database(tmp_path / "e.db", SCHEMA, script)
    made: list[bytes] = []
    with pytest.raises(DamagedError, match="not stored"):
        made.extend(database.rows(str(path), "x"))
    assert len(made) == 4
    assert b"s3cret" not in b"".join(made)
    found: list[bytes] = []
    with pytest.raises(CannotLookError, match="not stored"):
        found.extend(block.content for block in blocks(LogFile("", str(path), None)))
    assert b"".join(found) == b"".join(made)


def test_triggers_in_a_database_are_not_run(tmp_path: Path) -> None:
    path = made_database(
        tmp_path / "e.db", SCHEMA, "CREATE TRIGGER t AFTER INSERT ON sends BEGIN DELETE FROM smtp; END"
    )
    assert len(list(database.rows(str(path), "x"))) == 4


def test_no_column_passes_for_the_name_of_the_table(tmp_path: Path) -> None:
    script = """ALTER TABLE smtp ADD COLUMN " _Table" TEXT; UPDATE smtp SET " _Table" = 'failures'"""
    made = [json.loads(row) for row in database.rows(str(made_database(tmp_path / "e.db", SCHEMA, script)), "x")]
    assert {key for row in made for key in row if "able" in key} == {"_table"}
    assert "failures" not in {row["_table"] for row in made}


def test_a_column_whose_name_is_no_text_is_left_out(tmp_path: Path) -> None:
    path = made_database(tmp_path / "e.db", SCHEMA)
    path.write_bytes(path.read_bytes().replace(b"message", b"mess\xffge"))
    made = [json.loads(row) for row in database.rows(str(path), "x")]
    assert [sorted(row) for row in made if row["_table"] == "smtp"] == [
        ["_table", "email", "msgid", "sendunixtime"]
    ] * 2


def test_a_schema_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = made_database(tmp_path / "e.db", SCHEMA)
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE smtp", b"CREATE TABL\xff smtp"))
    with pytest.raises(DamagedError, match="malformed"):
        list(database.rows(str(path), "x"))


def test_a_column_with_any_name_is_asked_by_it(tmp_path: Path) -> None:
    path = made_database(
        tmp_path / "e.db",
        'CREATE TABLE sends (sendunixtime INTEGER, "a""; DROP" TEXT)',
        "INSERT INTO sends VALUES (1, 'x')",
    )
    assert b"".join(database.rows(str(path), "x")) == b'{"_table":"sends","sendunixtime":"1","a\\"; DROP":"x"}\n'


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_database_is_told(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "e.db"
    if not path.exists():
        made_database(path, SCHEMA)
    octets = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        octets[data.draw(st.integers(16, len(octets) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(16, len(octets)))
    try:
        for _ in blocks(file_of(bytes(octets[:cut]))):
            pass
    except CannotLookError as problem:
        assert str(problem)  # noqa: PT017 - much damage is where nobody looks


# --- zip --------------------------------------------------------------------------------------------------------------


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for day, (name, content) in enumerate(members.items(), 1):
            archive.writestr(zipfile.ZipInfo(name, (2026, 11, 28 - day, 1, 2, 4)), content, method)
    return path


def test_each_file_of_a_zip_archive_is_a_log(tmp_path: Path) -> None:
    import gzip

    inside = {
        "logs/mail.log": f"{LINE}\n".encode(),
        "logs/mail.log.1": b"older\n",
        "logs/mail.log.2.gz": gzip.compress(b"oldest\n"),
        "export.csv": rows([HEADER, ["1", "2", "3", "4"]]).encode(),
        "logs/": b"",
        "__MACOSX/logs/._mail.log": b"x",
    }
    path = zipped(tmp_path / "logs.zip", inside)
    for given_ in (path, tmp_path / "*.zip"):
        files = log_files((f"web1={given_}",))
        names = [Path(file.path).relative_to(path).as_posix() for file in files]
        assert names == ["export.csv", "logs/mail.log.2.gz", "logs/mail.log.1", "logs/mail.log"]
        assert [file.log for file in files] == ["web1"] * 4
        assert [container_of(file) for file in files] == ["CSV", None, None, None]
        texts = [b"".join(block.content for block in blocks(file)) for file in files]
        assert texts[1:] == [b"oldest\n", b"older\n", f"{LINE}\n".encode()]
        assert head(files[3], 3) == b"Nov"


def test_a_rotation_that_was_zipped_keeps_its_place(tmp_path: Path) -> None:
    (tmp_path / "mail.log").write_text("now\n")
    (tmp_path / "mail.log.1").write_text("older\n")
    zipped(tmp_path / "mail.log.2.zip", {"mail.log.2": b"oldest\n"})
    texts = [b"".join(block.content for block in blocks(file)) for file in log_files((str(tmp_path / "mail.log"),))]
    assert texts == [b"oldest\n", b"older\n", b"now\n"]


def read_all(path: Path) -> None:
    for file in log_files((str(path),)):
        list(blocks(file))


@pytest.mark.parametrize(
    "damage", ["encrypted", "method", "crc", "cut", "overlap", "claims", "directory", "empty", "many"]
)
def test_zip_archives_that_cannot_be_read_are_told(tmp_path: Path, damage: str) -> None:
    members = {"mail.log": f"{LINE}\n".encode() * 50}
    if damage == "many":
        members = {str(n): b"" for n in range(archive_files.MAX_MEMBERS + 1)}
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            for name in members:
                archive.writestr(name, b"")
    else:
        zipped(tmp_path / "x.zip", {} if damage == "empty" else members, zipfile.ZIP_BZIP2 if damage == "method" else zipfile.ZIP_DEFLATED)  # fmt: skip
    octets = bytearray((tmp_path / "x.zip").read_bytes())
    entry_ = octets.find(b"PK\x01\x02")
    match damage:
        case "encrypted":
            octets[6] |= 1
            octets[entry_ + 8] |= 1
        case "crc":
            octets[60] ^= 0xFF
        case "cut":
            del octets[entry_:]
        case "overlap":
            end = octets.rfind(b"PK\x05\x06")
            octets[end:end] = octets[entry_:end]
            end += end - entry_
            octets[end + 8 : end + 12] = b"\2\0\2\0"
            octets[end + 12 : end + 16] = (end - entry_).to_bytes(4, "little")
        case "claims":
            octets[entry_ + 24 : entry_ + 28] = (1 << 31).to_bytes(4, "little")
        case "directory":
            octets[-10:-6] = (1 << 30).to_bytes(4, "little")
    (tmp_path / "x.zip").write_bytes(octets)
    with pytest.raises(CannotLookError, match=r"zip|encrypt|compress"):
        read_all(tmp_path / "x.zip")


class Failing(io.BytesIO):
    """A file whose disk fails once its directory was read."""

    failing = False

    def read(self, size: int | None = -1, /) -> bytes:
        if self.failing:
            raise OSError(errno.EIO, "Input/output error")
        return super().read(size)


def test_a_zip_archive_on_a_failing_disk_is_not_called_damaged(tmp_path: Path) -> None:
    raw = Failing(zipped(tmp_path / "x.zip", {"mail.log": LINE.encode() * 50}).read_bytes())
    member = archive_files.MemberStream(raw, "mail.log")
    raw.failing = True
    with pytest.raises(DamagedError, match=r"the zip archive cannot be read: .*Input/output error"):
        member.read()


def test_what_this_reader_does_not_know_is_not_called_damaged(tmp_path: Path) -> None:
    octets = bytearray(zipped(tmp_path / "x.zip", {"mail.log": LINE.encode() * 50}).read_bytes())
    patched = 0x20  # APPNOTE.TXT 6.3.10 §4.4.4: compressed patched data
    octets[6] |= patched
    octets[octets.find(b"PK\x01\x02") + 8] |= patched
    with pytest.raises(DamagedError, match=r"the zip archive cannot be read: .*patched"):
        archive_files.MemberStream(io.BytesIO(octets), "mail.log")


@pytest.mark.parametrize("content", [b"PK\x03\x04" + bytes(100), b"x" * 257 + b"ustar\x0000" + bytes(300)])
def test_archives_in_archives_say_what_to_do(content: bytes) -> None:
    import gzip

    with pytest.raises(CannotLookError, match="unpack"):
        read(gzip.compress(content))


# --- journalctl -o verbose ----------------------------------------------------------------------------------------------


def test_an_entry_shown_in_full_is_one_line_and_its_values_forge_none() -> None:
    forged = b"\n".join(
        (b"", b"            ", b"            MESSAGE=y", b"            " + FORGED.encode(), b"    MESSAGE=z", b"")
    )
    made = read(VERBOSE_ENTRY + forged + VERBOSE_ENTRY + b"\n")
    assert made[0].endswith(f" h t: x#012#012MESSAGE=y#012{FORGED}")
    assert made[1:8] == [""] * 7
    assert made[8].endswith(" h t: x")
    assert not any(line.startswith("Nov 22") for line in made)


def test_an_entry_whose_words_were_not_shown_is_counted_as_unread() -> None:
    (line, *_) = read(VERBOSE_ENTRY.removesuffix(b"x") + b"[1.2K blob data]\n")
    assert line.startswith("[")


# --- anything ---------------------------------------------------------------------------------------------------------

VERBOSE_ENTRY = (
    b"Sun 2026-11-22 05:00:01.000000 UTC [s=1a;i=1;b=0123456789abcdef0123456789abcdef;m=1;t=660ec62a13f31;x=1]\n"
    b"    SYSLOG_IDENTIFIER=t\n    _HOSTNAME=h\n    MESSAGE=x"
)
BEGINNINGS = [
    b"",
    entry(b"x"),
    entry(b"x", binary=True),
    json.dumps(RECORD).encode() + b"\n",
    json.dumps([RECORD])[:-1].encode() + b",",
    rows([HEADER, ["1", "2", "3", "4"]]).encode(),
    rows([HEADER, ["1", "2", "3", "4"]]).encode("utf-16"),
    rows([["timestamp", "source", "message"], [AT, "h", "t[1]: x"]]).encode(),
    b"#Fields: a,b,c\n",
    b"7\t2026-11-22T05:00:01Z\t2026-11-22T05:00:01Z\t9\tmx1\t192.0.2.1\tMail\tInfo\tt[1]\tx",
    VERBOSE_ENTRY,
    b"\x1f\x8b\x08\x00",
    b"BZh9",
    b"\xfd7zXZ\x00",
    b"\x28\xb5\x2f\xfd",
    b"\x50\x2a\x4d\x18",
    b"SQLite format 3\x00",
    b"PK\x03\x04",
    b"PK\x05\x06",
]
PIECES = st.sampled_from([b"\n", b'"', b"{", b"}", b"[", b"]", b",", b"MESSAGE\n", b"MESSAGE=", b"\0" * 8, b"#Fields: ", b"x" * 70_000, FORGED.encode()])  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(BEGINNINGS), st.lists(PIECES | st.binary(max_size=40), max_size=30))
def test_any_octets_give_lines_or_our_error(beginning: bytes, pieces: list[bytes]) -> None:
    file = file_of(beginning + b"".join(pieces))
    made = b""
    try:
        for block in blocks(file):
            made += block.content
        assert made == b"" or container_of(file) is not None or made in beginning + b"".join(pieces) or pieces
    except CannotLookError as problem:
        assert "\n" not in str(problem)  # noqa: PT017 - either is right
    if container_of(file) in ("journal export", "NDJSON", "CSV", "CSV in UTF-16", "TSV"):
        for line in made.split(b"\n"):
            assert not line.startswith(b"Nov 22")  # a stranger's words are never a line of their own


@given(st.binary(max_size=3000), st.integers(1, 200))
def test_pieces_of_any_size_are_the_same_stream(content: bytes, size: int) -> None:
    for begin in (entry(b"x"), rows([HEADER, ["1", "2", "3", "4"]]).encode(), json.dumps(RECORD).encode() + b"\n"):
        outcomes: list[object] = []
        for step in (size, 1 << 20):
            made = b""
            try:
                with open_log(file_of(begin + content)) as stream:
                    while piece := stream.read1(step):
                        assert len(piece) <= step
                        made += piece
            except DAMAGED as problem:
                made += str(problem).encode()
            outcomes.append(made)
        assert outcomes[0] == outcomes[1]
