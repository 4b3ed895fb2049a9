"""The use cases from Python: against the examples' name server, replayed without it, and inside an event loop."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import deliverability
from deliverability import Network, Pick, Reader, Request
from deliverability.api.observe import MAX_QUESTIONS, settle
from deliverability.api.replaying import observations_of
from deliverability.config import parse
from deliverability.errors import AmbiguousError, UsageError
from deliverability.evidence.bundle import Assessment, Origin
from deliverability.evidence.observation import (
    CouldNotLook,
    DnsAnswer,
    DnsQuestion,
    Observation,
    Observations,
    Obstacle,
    Rcode,
    Unobserved,
)
from deliverability.evidence.story import Level, Role, State
from deliverability.evidence.verdict import Outcome

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
EXIM = str(EXAMPLES / "exim" / "mainlog")
NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    command = [sys.executable, "responder.py", "--zone", "zone.example", "--port", "0"]
    with subprocess.Popen(command, cwd=EXAMPLES, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield f"127.0.0.1:{process.stdout.readline().strip()}"
        process.terminate()


def request(server: str, **more: object) -> Request:
    given: dict[str, object] = {"logs": (EXIM,), "to": ("mei.lin@gmail.com",), "now": NOW} | more
    return Request(network=Network(nameservers=(server,)), **given)


def the_one(result: deliverability.ReportResult) -> Assessment:
    (assessment,) = result.assessments
    return assessment


def outcomes(assessment: Assessment) -> dict[str, Outcome]:
    return {v.check: v.outcome for v in assessment.verdicts}


def codes(assessment: Assessment) -> dict[str, str]:
    return {v.check: v.ruling.finding.code for v in assessment.verdicts}


def test_accepted_by_an_mx_of_the_recipients_domain(server: str) -> None:
    claim = the_one(deliverability.report(request(server))).claim
    assert claim
    assert (claim.state, claim.level, claim.role) == (State.ACCEPTED, Level.ACCEPTED, Role.RECIPIENT_MX)
    assert claim.basis == "mx-name"
    assert claim.observed_later


def test_with_the_message_everything_passes(server: str) -> None:
    mail = (EXAMPLES / "notice.eml").read_bytes()
    assessment = the_one(deliverability.report(request(server, mail=mail, helo="out1.hosting.example")))
    told = outcomes(assessment)
    assert set(told.values()) <= {Outcome.PASS, Outcome.NOT_APPLICABLE}
    proved = (
        "spf-pass",
        "spf-aligned",
        "dkim-pass",
        "dkim-aligned",
        "dmarc-pass",
        "dmarc-enforced",
        "ptr-matches-helo",
    )
    assert {told[check] for check in proved} == {Outcome.PASS}
    assert assessment.evidence.client_ip
    assert assessment.evidence.client_ip.origin is Origin.LOG
    assert assessment.evidence.author_domain
    assert assessment.evidence.author_domain.origin is Origin.MESSAGE


def test_without_the_message_nothing_is_said_of_its_signature(server: str) -> None:
    assessment = the_one(deliverability.report(request(server, selectors=("s2026",), author_domain="hosting.example")))
    told = outcomes(assessment)
    assert told["dkim-key-published"] is Outcome.PASS
    assert told["dkim-pass"] is Outcome.INDETERMINATE
    assert told["dkim-aligned"] is not Outcome.PASS
    assert told["spf-pass"] is Outcome.PASS


def test_what_is_not_known_names_the_option(server: str) -> None:
    assessment = the_one(deliverability.report(request(server)))
    sentences = {v.check: v.sentence("en") for v in assessment.verdicts if v.outcome is Outcome.INDETERMINATE}
    assert "--selector" in sentences["dkim-key-published"]
    assert "--message" in sentences["dkim-pass"]
    assert "--author-domain" in sentences["dmarc-enforced"]
    assert Outcome.FAIL not in outcomes(assessment).values()


def test_an_altered_message_fails_whatever_the_dns_says_later(server: str) -> None:
    mail = (EXAMPLES / "notice.eml").read_bytes()
    altered = mail.rstrip() + b"\r\nPay here instead.\r\n"
    assert outcomes(the_one(deliverability.report(request(server, mail=altered))))["dkim-pass"] is Outcome.FAIL


def test_another_message_is_refused(server: str) -> None:
    mail = (EXAMPLES / "notice.eml").read_bytes().replace(b"INV-20411.1", b"INV-99999.9")
    with pytest.raises(UsageError, match="is another mail"):
        deliverability.report(request(server, mail=mail))


def test_later_dns_does_not_accuse(server: str) -> None:
    """From an address that SPF of today does not list, the dispatch of yesterday is not shown to have failed."""
    silent = {"logs": (str(EXAMPLES / "postfix" / "mail.log"),), "to": ("ada.wu@gmail.com",)}  # says no sending address
    assessment = the_one(deliverability.report(request(server, from_ip="192.0.2.1", **silent)))
    assert outcomes(assessment)["spf-pass"] is Outcome.INDETERMINATE
    assert codes(assessment)["spf-pass"] == "observed-later"
    before_sending = deliverability.check_domain("hosting.example", request(server, from_ip="192.0.2.1"))
    assert outcomes(before_sending)["spf-pass"] is Outcome.FAIL


def test_an_option_cannot_contradict_the_log(server: str) -> None:
    with pytest.raises(UsageError, match="contradicts the log"):
        deliverability.report(request(server, from_ip="192.0.2.1"))
    same = the_one(deliverability.report(request(server, from_ip="203.0.113.25")))
    assert outcomes(same)["spf-pass"] is Outcome.PASS


def test_an_unsigned_file_does_not_put_its_address_into_the_steps(server: str) -> None:
    """Anybody can write a file with our Message-ID: its From line counts only under a verified signature."""
    mail = (EXAMPLES / "notice.eml").read_bytes()
    forged = b"From: phish@evil.example\r\n" + b"".join(
        line for line in mail.splitlines(keepends=True) if not line.lower().startswith((b"from:", b"dkim-signature"))
    )
    asked = request(server, mail=forged)
    page = deliverability.render(the_one(deliverability.report(asked)), Reader(lang="en"), "text", asked).decode()
    assert "phish@evil.example" not in page
    assert "evil.example" not in page.partition("The record in detail")[0]


def test_a_dead_nameserver_decides_nothing() -> None:
    dead = request("127.0.0.1:1", mail=(EXAMPLES / "notice.eml").read_bytes())
    assessment = the_one(deliverability.report(dead))
    assert assessment.claim
    assert (assessment.claim.state, assessment.claim.role) == (State.HANDED_OVER, Role.UNCONFIRMED)
    told = outcomes(assessment)
    assert Outcome.FAIL not in told.values()
    assert Outcome.ERROR not in told.values()
    assert told["spf-pass"] is told["dkim-pass"] is told["dmarc-pass"] is Outcome.INDETERMINATE


def test_a_replay_needs_no_network_and_gives_the_same_bytes(server: str) -> None:
    live = request(server, mail=(EXAMPLES / "notice.eml").read_bytes())
    first = deliverability.render(the_one(deliverability.report(live)), Reader(), "json", live)
    observed = observations_of(first, "record")
    assert len(observed) == len(json.loads(first)["observations"])
    replay = Request(
        logs=live.logs, to=live.to, now=NOW, mail=live.mail, observations=observed, network=Network(offline=True)
    )
    again = deliverability.render(the_one(deliverability.report(replay)), Reader(), "json", replay)
    assert again == first


def test_own_server_is_never_another_provider(server: str) -> None:
    own = parse('[own]\nhosts = ["gmail-smtp-in.l.google.com"]\n', "test")
    assessment = the_one(deliverability.report(request(server, configuration=own)))
    assert assessment.claim
    assert assessment.claim.role is Role.OWN_MX
    assert assessment.provider == "own-server"


def test_a_configuration_that_vouches_for_routing_stands_without_dns() -> None:
    vouched = parse("[own]\nrouted_by_mx = true\n", "test")
    told = deliverability.trace(
        Request(logs=(EXIM,), to=("mei.lin@gmail.com",), configuration=vouched, network=Network(offline=True))
    ).told
    assert [(t.claim.state, t.claim.basis) for t in told] == [(State.ACCEPTED, "routed-by-mx")]


def test_the_sending_side_from_the_configuration_is_labelled(server: str) -> None:
    sender = parse(
        '[[sender]]\ndomain = "hosting.example"\nauthor_domain = "hosting.example"\nselectors = ["s2026"]\n'
        'helo = "out1.hosting.example"\n',
        "test",
    )
    evidence = the_one(deliverability.report(request(server, configuration=sender))).evidence
    assert evidence.author_domain
    assert evidence.helo
    assert {f.origin for f in (evidence.author_domain, evidence.helo, *evidence.selectors)} == {Origin.CONFIGURATION}


def test_several_messages_ask_for_one(tmp_path: Path) -> None:
    logs = (str(ROOT / "tests/cases/logs/postfix/postfix-3.10.iso8601.log"),)
    base = Request(logs=logs, to=("dup@corp.example",), network=Network(offline=True))
    with pytest.raises(AmbiguousError, match="2 messages match"):
        deliverability.report(base)
    every = Request(logs=logs, to=base.to, network=base.network, pick=Pick.ALL)
    assert len(deliverability.report(every).assessments) == 2
    latest = Request(logs=logs, to=base.to, network=base.network, pick=Pick.LATEST)
    assert len(deliverability.report(latest).assessments) == 1


def test_the_provider_is_recognised(server: str) -> None:
    assert the_one(deliverability.report(request(server))).provider == "gmail"
    assert the_one(deliverability.report(request(server, to=("chen@hinet.net",)))).provider == "hinet"
    assert the_one(deliverability.report(request(server, to=("ops@eximhost.example",)))).provider == "generic"


def test_inside_a_loop_the_blocking_form_names_the_other(server: str) -> None:
    async def inside() -> Assessment:
        with pytest.raises(UsageError, match="await check_domain_async"):
            deliverability.check_domain("hosting.example", request(server))
        return await deliverability.check_domain_async("hosting.example", request(server))

    assert asyncio.run(inside()).verdicts


def test_a_domain_before_sending(server: str) -> None:
    asked = request(server, selectors=("s2026",), from_ip="203.0.113.25", helo="out1.hosting.example")
    told = outcomes(deliverability.check_domain("hosting.example", asked))
    assert {told[check] for check in ("spf-pass", "spf-published", "dkim-key-published", "dmarc-enforced")} == {
        Outcome.PASS
    }
    assert Outcome.ERROR not in told.values()
    without = outcomes(deliverability.check_domain("hosting.example", request(server)))
    assert without["dkim-key-published"] is Outcome.INDETERMINATE
    missing = outcomes(deliverability.check_domain("corp.example", request(server, from_ip="203.0.113.25")))
    assert missing["spf-published"] is Outcome.FAIL
    assert missing["dmarc-published"] is Outcome.FAIL


@pytest.mark.parametrize("field", [{"from_ip": "300.1.1.1"}, {"author_domain": "-"}, {"selectors": ("a b",)}])
def test_options_of_a_wrong_form_are_usage(server: str, field: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        deliverability.report(request(server, **field))


# --- rounds -----------------------------------------------------------------------------------------------------------


def answer(question: DnsQuestion) -> DnsAnswer:
    return DnsAnswer(question, Rcode.NXDOMAIN, (), question.name, None, "test", NOW)


def chain(length: int) -> object:
    def step(observations: Observations) -> str | frozenset[DnsQuestion]:
        try:
            for number in range(length):
                observations.ask(f"n{number}.example", "TXT")
        except Unobserved as wanted:
            return frozenset(wanted.questions)
        kinds = {type(o).__name__ for o in observations}
        return ",".join(sorted(kinds))

    return step


async def _observe(questions: object) -> tuple[Observation, ...]:
    return tuple(answer(q) for q in questions)  # type: ignore[attr-defined]


def test_rounds_end_and_what_is_left_could_not_be_looked_up() -> None:
    few, observations = asyncio.run(settle(chain(5), Observations(), _observe, NOW))  # type: ignore[arg-type]
    assert few == "DnsAnswer"
    assert len(observations) == 5
    many, observations = asyncio.run(settle(chain(60), Observations(), _observe, NOW))  # type: ignore[arg-type]
    assert many == "CouldNotLook,DnsAnswer"
    assert {o.obstacle for o in observations if isinstance(o, CouldNotLook)} == {Obstacle.LIMIT}


def test_too_many_questions_at_once_are_not_asked() -> None:
    def step(observations: Observations) -> str | frozenset[DnsQuestion]:
        wanted = [DnsQuestion(f"n{i}.example", "A") for i in range(MAX_QUESTIONS + 1)]
        missing = frozenset(q for q in wanted if q not in observations.answers)
        return missing or "done"

    _, observations = asyncio.run(settle(step, Observations(), _observe, NOW))
    assert {type(o) for o in observations} == {CouldNotLook}


def test_without_a_network_nothing_is_absent() -> None:
    _, observations = asyncio.run(settle(chain(3), Observations(), None, NOW))  # type: ignore[arg-type]
    assert {o.obstacle for o in observations if isinstance(o, CouldNotLook)} == {Obstacle.OFFLINE}


def test_the_public_names_are_few_and_lazy() -> None:
    assert len(deliverability.__all__) <= 21  # three pairs of twins among them
    assert all(hasattr(deliverability, name) for name in deliverability.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = deliverability.nothing
    probe = "import sys, deliverability; print([m for m in sys.modules if m.startswith('deliverability.')])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
