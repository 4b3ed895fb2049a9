import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import pytest

from deliverability.compose.page import compose
from deliverability.evidence.document import Edition
from deliverability.protocols.observed import observation_from_json
from deliverability.reports.json import render

spec = importlib.util.spec_from_file_location("f", Path(__file__).parents[1] / "golden" / "_factory.py")
factory = importlib.util.module_from_spec(spec)
spec.loader.exec_module(factory)


def document(assessment=None, edition=Edition.CUSTOMER):
    return compose(
        assessment or factory.assessment(), lang="en", timezone="UTC", edition=edition, made_at=factory.MADE_AT
    )


def report(*args, **options):
    return json.loads(render(document(*args, **options)))


def test_the_head_says_what_it_is():
    value = report()
    assert (value["schema_version"], value["kind"], value["report_id"]) == (1, "report", "DR-7Q4M-K2XD")
    assert value["made_at"] == "2026-11-25T02:30:00Z"
    assert value["claim"] == {
        "state": "accepted",
        "level": "L2",
        "role": "recipient-mx",
        "basis": "mx-name",
        "strength": "own-record",
        "observed_later": True,
    }


def test_the_story_has_its_attempts_and_lines():
    delivery = report()["evidence"]["message"]["deliveries"][0]
    attempt = delivery["attempts"][delivery["decisive"]]
    assert attempt["at"] == "2026-11-22T05:01:38Z"
    assert attempt["reply"]["code"] == 250
    assert attempt["relay"] == {"name": "gmail-smtp-in.l.google.com", "ip": "192.0.2.27", "port": 25}
    assert attempt["tls"] == {"version": "TLS1.3", "cipher": "TLS_AES_256_GCM_SHA384", "verified": True}
    assert attempt["lines"][0]["line"] == 1204
    assert attempt["lines"][0]["file"] == "/var/log/exim_mainlog"


def test_a_claim_of_nothing_has_no_level():
    assert report(factory.BRANCHES["deferred"]("en"))["claim"]["level"] is None


def test_observations_can_be_replayed_from_it():
    value = report()
    again = [observation_from_json(seen) for seen in value["observations"]]
    assert again == list(factory.assessment().evidence.observations)


def test_verdicts_are_code_and_parameters():
    first = report()["verdicts"][0]
    assert first == {
        "check": "dkim-pass",
        "citation": "RFC 9989",
        "outcome": "pass",
        "protocol_result": None,
        "advisory": False,
        "details": [],
        "code": "dkim-pass-pass",
        "parameters": {"domain": "host.example", "result": "pass"},
    }


def test_equal_input_gives_equal_bytes_and_members_are_sorted():
    assert render(document()) == render(document())
    assert list(report()) == sorted(report())
    assert render(document()).endswith(b"}\n")


def test_a_customer_sees_nobody_else():
    base = factory.assessment()
    attempt = base.evidence.delivery.decisive
    line = factory.log_line(f'=> mei@gmail.com and also {factory.STRANGER} C="250 OK"')
    delivery = replace(
        base.evidence.delivery, attempts=(replace(attempt, lines=(line,)),), decisive=replace(attempt, lines=(line,))
    )
    other = replace(delivery, recipient="other@elsewhere.example")
    message = replace(base.evidence.message, deliveries=(other, delivery))
    assessment = replace(base, evidence=replace(base.evidence, delivery=delivery, message=message))
    text = render(document(assessment)).decode()
    assert factory.STRANGER not in text
    assert "other@elsewhere.example" not in text
    assert "mei@gmail.com" in text
    assert factory.STRANGER in render(document(assessment, edition=Edition.SUPPORT)).decode()


def test_a_lone_surrogate_survives_as_json_writes_it():
    value = render(document(factory.assessment(subject="bad \udc80")))
    assert json.loads(value)["evidence"]["message"]["subject"] == "bad \udc80"


@pytest.mark.parametrize("branch", factory.BRANCHES)
def test_every_branch_is_json(branch):
    assert report(factory.BRANCHES[branch]("en"))["kind"] == "report"


def test_not_found_has_no_message():
    value = report(factory.not_found(), edition=Edition.SUPPORT)
    assert value["evidence"]["message"] is None
    assert value["claim"]["state"] == "not-found"
