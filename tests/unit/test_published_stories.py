"""Stories of logs in the shapes that people publish when they ask why a mail did not arrive.

Each case in ``tests/cases/logs/published`` is written anew, with example domains, after the shape of real ones; what it
expects was decided by reading its lines.
"""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from deliverability.api.requests import Request
from deliverability.api.tracing import read_logs
from deliverability.evidence.story import Attempt, Delivery, Message

CASES = Path(__file__).parents[1] / "cases" / "logs" / "published"


def load_cases() -> list[Any]:
    return [
        pytest.param(case, story, id=f"{file.stem}: {case['name']}: {story['to']}")
        for file in sorted(CASES.glob("*.toml"))
        for case in tomllib.loads(file.read_text("utf-8"))["case"]
        for story in case["story"]
    ]


def facts(message: Message, delivery: Delivery) -> dict[str, Any]:
    """All that a case may expect, as text."""
    decisive = delivery.decisive
    return {
        "state": delivery.state.value,
        "recipient": delivery.recipient,
        "tries": [f"{a.result.value} {server(a)}".strip() for a in delivery.attempts],
        "server": server(decisive) if decisive else "",
        "reply": decisive.reply.text if decisive and decisive.reply else "",
        "at": decisive.at.instant.isoformat() if decisive and decisive.at.instant else "",
        "remote": (decisive.remote_queue_id or "") if decisive else "",
        "text": decisive.text if decisive else "",
        "tls": decisive.tls.version if decisive and decisive.tls else "",
        "folder": (decisive.folder or "") if decisive else "",
        "queues": list(message.queue_ids),
        "subject": message.subject or "",
        "message_id": message.message_id or "",
        "from": "?" if message.reverse_path is None else message.reverse_path,
        "held": delivery.held,
        "refused_by_us": delivery.refused_by_us,
        "others": message.other_recipients,
        "forward_paths": list(delivery.forward_paths),
        "signed": [s.signing_domain for s in message.signings],
    }


def server(attempt: Attempt) -> str:
    return str(attempt.relay) if attempt.relay else ""


@pytest.mark.parametrize(("case", "story"), load_cases())
def test_the_story_is_what_the_lines_say(case: dict[str, Any], story: dict[str, Any], tmp_path: Path) -> None:
    log = tmp_path / case.get("file", "mail.log")
    log.write_text(case["log"], "utf-8")
    trace, _ = read_logs(Request(logs=(str(log),), to=(story["to"],), tz=case.get("zone")))
    assert trace.coverage.unread == case.get("unread", 0)
    told = [(m, d) for m in trace.messages for d in m.deliveries]
    expected = {k: v for k, v in story.items() if k not in ("to", "messages")}
    assert len(told) == story.get("messages", 1), [(m.queue_ids, d.recipient, d.state) for m, d in told]
    if told:
        told_facts = facts(*told[-1])
        assert {k: told_facts[k] for k in expected} == expected
