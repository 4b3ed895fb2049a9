"""Whatever is in a log or a list, a summary and a cohort answer or say why not; counts always add up."""

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deliverability.api.requests import Reader, Request
from deliverability.api.summary import summarise
from deliverability.api.summary_rendering import rendered
from deliverability.errors import CannotLookError, UsageError
from deliverability.evidence.summary import UNSUCCESSFUL, Fate
from deliverability.protocols.cohort_file import read_cohort_file

LOG = Path(__file__).parents[1] / "cases" / "logs" / "postfix" / "postfix-3.10.iso8601.log"
LINES = LOG.read_bytes().splitlines(keepends=True)
NOW = datetime(2026, 11, 23, tzinfo=UTC)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.one_of(st.sampled_from(LINES), st.binary(max_size=200), st.just(b"\n")), max_size=60),
    st.sampled_from(["text", "html", "json"]),
    st.sampled_from(["en", "zh-Hant-TW"]),
)
def test_any_log(tmp_path, pieces, form, lang):
    path = tmp_path / "mail.log"
    path.write_bytes(b"".join(pieces))
    try:
        told = summarise(Request(logs=(str(path),), now=NOW), jobs=1)
    except CannotLookError:
        return
    for what in ("attempts", "outcomes"):
        total = getattr(told.total, what)
        for lines in (told.domains, told.providers):
            assert {f: sum(getattr(line, what).get(f, 0) for line in lines) for f in total} == dict(total)
    assert sum(told.hours) + told.untimed == sum(told.total.attempts.values())
    unsuccessful = sum(told.total.attempts.get(fate, 0) for fate in UNSUCCESSFUL)
    assert sum(cause.attempts for cause in told.causes) == unsuccessful
    page = rendered(told, Reader(lang=lang), form, Request())
    assert page.decode("utf-8")
    assert b"\x1b" not in page
    assert b"\x00" not in page


@given(st.one_of(st.binary(max_size=400), st.text(max_size=400).map(lambda text: f"Email,Date\n{text}".encode())))
def test_any_list(content):
    try:
        found = read_cohort_file(content)
    except UsageError:
        return
    assert all(row.message_id or (row.address and row.since) for row in found.rows)
    assert len(found.problems) <= found.bad


HERE = ("=> {0} <{0}@x.example> R=copy T=copy_maildir", "=> |/bin/p <{0}@x.example> R=copy T=virtual_address_pipe")
THERE = (
    '=> {0}@x.example R=dns T=remote_smtp H=mx.x.example [192.0.2.1] C="250 ok"',
    (
        "== {0}@x.example R=dns T=remote_smtp defer (-46) H=mx.x.example [192.0.2.1]: SMTP error from remote mail server after "
        "end of data: 451 later"
    ),
    "** {0}@x.example R=dns T=remote_smtp H=mx.x.example [192.0.2.1]: retry timeout exceeded",
    "** |/bin/p <{0}@x.example> R=copy T=virtual_address_pipe: Child process of virtual_address_pipe returned 1",
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from((*HERE, *THERE)), st.sampled_from("ab")), max_size=30))
def test_copies_that_stay_here_are_never_more_than_the_attempts(tmp_path, events):
    path = tmp_path / "mainlog"
    lines = (
        f"2025-11-22 07:13:{n:02} 1vMhoQ-0000000{key}AbC-0aBc {words.format(whom)}\n"
        for n, (key, words, whom) in enumerate(events)
    )
    path.write_text("2025-11-22 07:13:00 1vMhoQ-00000000AbC-0aBc Completed\n" + "".join(lines), "utf-8")
    total = summarise(Request(logs=(str(path),), now=NOW), jobs=1).total
    assert sum(total.attempts.values()) == len(events)
    assert all(0 < count <= max(total.attempts.get(fate, 0), len(events)) for fate, count in total.outcomes.items())
    assert total.outcomes.get(Fate.HANDED_OVER, 0) == sum(words == THERE[0] for _, words, _ in events)
    last = {}
    for at, (key, words, whom) in enumerate(events):
        last[key, whom] = at if words in THERE[:3] else last.get((key, whom), -1)
    stayed = [at > last[key, whom] for at, (key, words, whom) in enumerate(events) if words in HERE]
    assert total.outcomes.get(Fate.DELIVERED, 0) + total.outcomes.get(Fate.PASSED_ON, 0) == sum(stayed)
