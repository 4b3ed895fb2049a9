"""A time zone that nothing states is never assumed in silence."""

from datetime import UTC, datetime

from deliverability.api.covering import notes
from deliverability.correlate import Query, TimeHints, resolve_times, tell
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.evidence.names import Mailbox
from deliverability.evidence.story import Coverage
from deliverability.ingest import postfix

LINE = (
    b"Nov 22 05:01:38 out1 postfix/smtp[4]: 4F1C2A0B3D: to=<anna@corp.example>, relay=mx[198.51.100.10]:25, delay=1, "
    b"delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok)"
)


def test_a_log_without_arrival_lines_says_that_its_zone_is_assumed() -> None:
    query = Query(recipients=(Mailbox.parse("anna@corp.example"),))
    events = list(postfix.FORMAT.parse([LogLine(Place("", "mail.log", 0, 0), LINE)]))
    told = resolve_times(events, TimeHints({}, now=datetime(2026, 11, 22, 12, tzinfo=UTC)))
    messages = tell(told, query)
    assert messages[0].arrived is None
    assert any("taken as UTC" in note for note in notes(Coverage((), ()), query, messages))
