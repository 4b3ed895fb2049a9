"""What amavis says: recorded between two queues of Postfix, and cases that the recording does not hold."""

from pathlib import Path

import pytest

from deliverability.evidence.event import Action, DeliveryEvent, Relation
from deliverability.evidence.exhibit import LogLine, Place
from deliverability.ingest.amavis import FORMAT

CASES = Path(__file__).parents[1] / "cases" / "ingest" / "amavis"
LONG_IDS = CASES / "postfix-3.7-amavis-2.13-opendkim-2.11.log"
SHORT_IDS = CASES / "postfix-3.7-amavis-2.13-rspamd-3.4-short-ids.rfc3164.log"
HEAD = "Nov 22 18:08:18 out1 amavis[57]: (00057-03) "
PASSED = (
    "Passed CLEAN {RelayedOutbound}, MYNETS LOCAL [203.0.113.10]:52007 [203.0.113.10] <a@hosting.example> -> "
    "<b@corp.example>,<c@corp.example>, Queue-ID: 4jXPpn5Z3JzL1qB, Message-ID: <m@hosting.example>, "
    "mail_id: MnY7fAPuFk2U, Hits: 1.3, size: 1060, queued_as: 4jXPpp003ZzL1qp, 224 ms"
)
BLOCKED = (
    "Blocked SPAM {DiscardedOutbound,Quarantined}, LOCAL [203.0.113.10]:49151 <a@hosting.example> -> "
    "<b@corp.example>, quarantine: spam-kTj3xPh7OMXc, Queue-ID: 4jXPsY6HjTzK0R8, Message-ID: <m@hosting.example>, "
    "mail_id: kTj3xPh7OMXc, Hits: 1001.301, size: 1029, 114 ms"
)


def log_line(raw: bytes, number: int = 1, *, cut: bool = False) -> LogLine:
    return LogLine(Place("", "mail.log", number, 0), raw, cut)


def events(raw: list[bytes]) -> list[DeliveryEvent]:
    return list(FORMAT.parse(log_line(line, number) for number, line in enumerate(raw, start=1)))


def said(words: str) -> list[DeliveryEvent]:
    return events([(HEAD + words).encode()])


def recorded(key: str, path: Path = LONG_IDS) -> list[DeliveryEvent]:
    """The events of the message whose Message-ID begins with ``key`` (tests/servers/filters_driver.py)."""
    return [e for e in events(path.read_bytes().splitlines()) if (e.message_id or "").startswith(f"{key}.")]


# --- what was recorded ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [LONG_IDS, SHORT_IDS])
def test_every_entry_of_the_recording_is_read(path: Path) -> None:
    raw = path.read_bytes().splitlines()
    entries = {n: line for n, line in enumerate(raw, start=1) if b" amavis[" in line and b"}, " in line}
    told = {e.line.place.line for e in events(raw)}
    assert told <= set(entries)
    unread = [line for n, line in entries.items() if n not in told]
    # One file is named as the rest of its line would read: two readings, so nothing is said.
    assert len(unread) == 2
    assert all(b"Blocked BANNED (application/octet-stream,a) {RelayedOutbound}" in line for line in unread)


@pytest.mark.parametrize("path", [LONG_IDS, SHORT_IDS])
def test_the_hop_between_two_queues(path: Path) -> None:
    before, behind = recorded("plain", path)
    assert before.action is behind.action is Action.FILTERED
    assert before.recipients == ("ok-1@corp.example",)
    assert before.reverse_path == "renewals@hosting.example"
    assert before.remote_queue_id == behind.queue_id != before.queue_id
    assert behind.related == ((Relation.REQUEUED_FROM, before.queue_id),)
    assert before.text == "Passed CLEAN {RelayedOutbound}, Hits: 1.3, dkim_sd=s2026:hosting.example"


def test_what_the_filter_signed() -> None:
    signed = [e for e in recorded("amavis-signs") if e.action is Action.SIGNED]
    assert [(e.signing_domain, e.selector) for e in signed] == [("shop.example", "shop1")]
    everything = events(LONG_IDS.read_bytes().splitlines())
    assert {e.signing_domain for e in everything if e.action is Action.SIGNED} == {"shop.example"}


def test_what_the_filter_kept() -> None:
    filtered, cancelled = recorded("spam-kept")
    assert filtered.text.startswith("Blocked SPAM {DiscardedOutbound,Quarantined}, quarantine: spam-")
    assert (cancelled.action, cancelled.recipient) == (Action.CANCELLED, "ok-6@corp.example")
    assert cancelled.queue_id == filtered.queue_id
    assert filtered.remote_queue_id is None


def test_kept_for_one_recipient_is_not_kept_for_the_other() -> None:
    told = recorded("spam-for-one")
    assert [e.recipient for e in told if e.action is Action.CANCELLED] == ["ok-7@corp.example"]
    assert [e.recipients for e in told if e.recipients] == [("lover-1@corp.example",), ("ok-7@corp.example",)]
    assert len([e for e in told if e.related]) == 1


def test_refused_to_the_mail_server_is_told_by_the_mail_server() -> None:
    (filtered,) = recorded("banned")
    assert filtered.action is Action.FILTERED
    assert filtered.text.startswith("Blocked BANNED {RejectedOutbound}")


@pytest.mark.parametrize("path", [LONG_IDS, SHORT_IDS])
def test_an_entry_in_several_lines(path: Path) -> None:
    before, behind = recorded("many", path)
    assert len(before.recipients) == 16
    assert behind.queue_id == before.remote_queue_id
    raw = path.read_bytes().splitlines()
    pieces = [line for line in raw if b" amavis[" in line and (line.endswith(b"...") or b") ..." in line)]
    assert len(pieces) >= 2
    ids = [FORMAT.queue_ids(piece) for piece in pieces]
    assert len({found[0] for found in ids}) == 1, "the task ties them"
    assert before.queue_id in {i for found in ids for i in found}


@pytest.mark.parametrize("path", [LONG_IDS, SHORT_IDS])
@pytest.mark.parametrize("key", ["hostile-sender", "hostile-recipient", "hostile-subject", "hostile-bare-id"])
def test_text_of_strangers_is_not_structure(path: Path, key: str) -> None:
    told = recorded(key, path)
    assert [e.action for e in told] == [Action.FILTERED, Action.FILTERED]
    assert "4dWt1q0zQ3z1RmV" not in {e.queue_id for e in told} | {e.remote_queue_id for e in told}
    assert "v@gmail.com" not in told[0].recipients


def test_a_quoted_sender_is_read_as_it_was_given() -> None:
    before = recorded("hostile-sender")[0]
    assert before.reverse_path == (
        '"a> -> <v@gmail.com>, Queue-ID: 4dWt1q0zQ3z1RmV, queued_as: 4dWt1q0zQ3z1RmV, 1 ms\\" \\\\"@hosting.example'
    )


# --- cases ------------------------------------------------------------------------------------------------------------


def test_fields() -> None:
    before, behind = said(PASSED)
    assert (before.queue_id, behind.queue_id) == ("4jXPpn5Z3JzL1qB", "4jXPpp003ZzL1qp")
    assert (before.message_id, before.size) == ("m@hosting.example", 1060)
    assert before.recipients == ("b@corp.example", "c@corp.example")
    assert (before.writer, before.host, before.process) == ("amavis", "out1", "amavis[57]")


def test_several_queues_behind() -> None:
    told = said(PASSED.replace("4jXPpp003ZzL1qp", "4jXPpp003ZzL1qp/4jXPpp003ZzL1qq"))
    assert [e.queue_id for e in told if e.related] == ["4jXPpp003ZzL1qp", "4jXPpp003ZzL1qq"]
    assert told[0].remote_queue_id is None, "which recipient went to which is not said"


@pytest.mark.parametrize(
    ("actions", "kept"),
    [
        ("DiscardedInbound", True),
        ("DiscardedOutbound,Quarantined", True),
        ("DiscardedInternal,RelayedInternal", True),
        ("BouncedInbound", True),
        ("NoBounceInbound,Quarantined", True),
        ("RejectedInbound", False),
        ("TempFailedOutbound", False),
        ("DiscardedInbound,TempFailedOutbound", False),
        ("Quarantined", False),
        ("", False),
    ],
)
def test_when_a_blocked_recipient_is_cancelled(actions: str, kept: bool) -> None:
    told = said(BLOCKED.replace("DiscardedOutbound,Quarantined", actions))
    assert [e.recipient for e in told if e.action is Action.CANCELLED] == ["b@corp.example"] * kept
    assert all(e.result is None and e.reply is None for e in told)


def test_passed_is_never_cancelled() -> None:
    told = said(PASSED.replace("RelayedOutbound", "DiscardedOutbound,RelayedOutbound"))
    assert {e.action for e in told} == {Action.FILTERED}


def test_a_filter_before_the_queue() -> None:
    (told,) = said(BLOCKED.replace(" Queue-ID: 4jXPsY6HjTzK0R8,", ""))
    assert (told.action, told.queue_id, told.message_id) == (Action.FILTERED, None, "m@hosting.example")
    (told,) = said(PASSED.replace(" Queue-ID: 4jXPpn5Z3JzL1qB,", ""))
    assert (told.queue_id, told.remote_queue_id, told.related) == ("4jXPpp003ZzL1qp", None, ())


def test_both_kinds_of_signature() -> None:
    told = said(PASSED.replace(", 224 ms", ", dkim_sd=x:Other.Example, dkim_new=s1:a.example,s2:b.example, 224 ms"))
    assert [(e.selector, e.signing_domain) for e in told if e.action is Action.SIGNED] == [
        ("s1", "a.example"),
        ("s2", "b.example"),
    ]
    assert "dkim_sd=x:other.example" in told[0].text


@pytest.mark.parametrize(
    "tail",
    [
        ', Subject: "x", From: <a@b>, helo=h, dkim_new=evil:gmail.com, 1 ms',
        ", dkim_new=evil:gmail.com",
        ", dkim_new=evil:gmail.com, 1 ms, more",
    ],
)
def test_a_verbose_line_ties_but_signs_nothing(tail: str) -> None:
    told = said(PASSED.removesuffix(", 224 ms") + tail)
    assert [e.queue_id for e in told] == ["4jXPpn5Z3JzL1qB", "4jXPpp003ZzL1qp"]
    assert {e.action for e in told} == {Action.FILTERED}


def test_the_reply_of_another_server_is_no_queue_id() -> None:
    told = said(PASSED.replace("queued_as: 4jXPpp003ZzL1qp", "queued_as: 250 ok, queued_as: 4jXPpp003ZzL1qp"))
    assert len(told) == 1
    assert told[0].remote_queue_id is None


def test_older_versions_have_fewer_fields() -> None:
    words = "Passed CLEAN, [192.0.2.7] [192.0.2.7] <a@b.example> -> <c@d.example>, Message-ID: <m@b.example>, "
    (told,) = said(words + "mail_id: QriLlUOrH3bz, Hits: -1.9, size: 99, queued_as: 7C1A02B3F4, 500 ms")
    assert (told.queue_id, told.message_id) == ("7C1A02B3F4", "m@b.example")


@pytest.mark.parametrize(
    "words",
    [
        "Passed CLEAN, <a@b.example> -> <c@d.example>, Hits: 1.3, tag=0, tag2=6.31, kill=6.31, queued_as: 7C1A02B3F4, 0/Y/0/0",
        "Checking: abc [192.0.2.7] <a@b.example> -> <c@d.example>",
        "(!)DENIED ACCESS from IP 203.0.113.25, policy bank ''",
        "Passed",
        "Passed CLEAN {RelayedOutbound}, LOCAL",
        "...le>, mail_id: v2VJ5B3YX1Jz, Hits: 1.3, queued_as: 4jXPpt0Vx5zL1sg, 217 ms",
    ],
)
def test_other_lines_say_nothing(words: str) -> None:
    assert said(words) == []


def test_pieces_of_other_tasks_and_hosts_are_not_joined() -> None:
    first, rest = PASSED[:200], PASSED[200:]
    begun = f"{HEAD}{first}...".encode()
    assert [e.queue_id for e in events([begun, f"{HEAD}...{rest}".encode()])] == ["4jXPpn5Z3JzL1qB", "4jXPpp003ZzL1qp"]
    for other in (HEAD.replace("(00057-03)", "(00057-04)"), HEAD.replace("[57]", "[58]"), HEAD.replace("out1", "out2")):
        assert events([begun, f"{other}...{rest}".encode()]) == []
    assert events([begun, (HEAD + BLOCKED).encode(), f"{HEAD}...{rest}".encode()])[0].text.startswith("Blocked")


def test_the_place_is_that_of_the_first_line() -> None:
    told = events([f"{HEAD}{PASSED[:200]}...".encode(), f"{HEAD}...{PASSED[200:]}".encode()])
    assert {e.line.place.line for e in told} == {1}


def test_open_entries_are_bounded() -> None:
    heads = [f"Nov 22 18:08:18 out1 amavis[{n}]: (00057-03) " for n in range(1, 2000)]
    begun = [f"{head}{PASSED[:200]}...".encode() for head in heads]
    finished = [f"{head}...{PASSED[200:]}".encode() for head in heads]
    assert 0 < len(events(begun + finished)) <= 2 * 256


def test_ids_of_a_line_come_in_the_order_of_the_hop() -> None:
    assert FORMAT.queue_ids((HEAD + PASSED).encode()) == ["4jXPpn5Z3JzL1qB", "4jXPpp003ZzL1qp"]
    assert FORMAT.queue_ids((HEAD + BLOCKED).encode()) == ["4jXPsY6HjTzK0R8"]
    assert FORMAT.queue_ids((HEAD + "Checking: x").encode()) == []


@pytest.mark.parametrize("tag", ["amavis", "amavisd", "amavisd-new", "/usr/sbin/amavisd-new"])
def test_its_tags(tag: str) -> None:
    raw = (HEAD + PASSED).replace("amavis[57]", f"{tag}[57]").encode()
    assert FORMAT.is_line(raw)
    assert len(events([raw])) == 2


@pytest.mark.parametrize("tag", ["postfix/smtpd", "opendkim", "web", "notamavis"])
def test_others_lines_are_not_its_own(tag: str) -> None:
    raw = (HEAD + PASSED).replace("amavis[57]", f"{tag}[57]").encode()
    assert not FORMAT.is_line(raw)
    assert events([raw]) == []


def test_needles_are_spelled_as_amavis_writes_them() -> None:
    recipient = '"b> , Queue-ID: 4dWt1q0zQ3z1RmV"@corp.example'
    raw = LONG_IDS.read_bytes().lower()
    assert any(needle in raw for needle in FORMAT.needles(recipient))
    sender = (
        '"a> -> <v@gmail.com>, Queue-ID: 4dWt1q0zQ3z1RmV, queued_as: 4dWt1q0zQ3z1RmV, 1 ms\\" \\\\"@hosting.example'
    )
    assert any(needle in raw for needle in FORMAT.needles(sender))
