"""Many domains: each in its place, each question once, nothing held that is not under way."""

import asyncio
import contextlib
import gc
import json
import socket
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from deliverability import assess as assessing
from deliverability.api import check_domain_async
from deliverability.api.ahead import first_questions
from deliverability.api.bulk import COLLECT_EVERY, Checked, check_domains, check_list
from deliverability.api.observe import settle
from deliverability.api.requests import Network, Request
from deliverability.api.rounds import Rounds
from deliverability.capture import dns as lookups
from deliverability.capture.resume import done_names
from deliverability.capture.smtp_probe import SmtpObserver
from deliverability.config import Configuration, Sender
from deliverability.errors import CannotLookError, UsageError
from deliverability.evidence.bundle import Assessment, Evidence, Subject
from deliverability.evidence.observation import (
    DnsQuestion,
    Observation,
    Observations,
    SmtpProbe,
    Unobserved,
)
from deliverability.evidence.plugin import Check
from deliverability.evidence.story import Coverage
from deliverability.evidence.verdict import Finding, Outcome, Ruling

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SHARED = {
    "_spf.esp.example TXT": '"v=spf1 include:_deep.esp.example -all"',
    "_deep.esp.example TXT": '"v=spf1 ip4:192.0.2.0/24 -all"',
    "mx.esp.example A": "192.0.2.25",
}


class Zone:
    """A name server for any ``dN.example``: all of them send through one ESP."""

    ttl = 300

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.05)
        self.running = True
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    @property
    def network(self) -> Network:
        return Network(nameservers=(f"127.0.0.1:{self.socket.getsockname()[1]}",), timeout=5)

    def _records(self, question: str) -> str | None:
        name, kind = question.split(" ")
        if name.startswith("d") and name.count(".") == 1:
            own = {"TXT": '"v=spf1 include:_spf.esp.example -all"', "MX": "10 mx.esp.example."}
            return own.get(kind)
        if name.startswith("_dmarc.d") and kind == "TXT":
            return '"v=DMARC1; p=reject"'
        return SHARED.get(question)

    def _serve(self) -> None:
        while self.running:
            with contextlib.suppress(TimeoutError):
                wire, client = self.socket.recvfrom(4096)
                query = dns.message.from_wire(wire)
                name, kind = query.question[0].name, query.question[0].rdtype.name
                question = f"{name.to_text(omit_final_dot=True)} {kind}"
                self.asked[question] += 1
                message = dns.message.make_response(query, recursion_available=True)
                found = self._records(question)
                if found:
                    message.answer = [dns.rrset.from_text(name, self.ttl, "IN", kind, found)]
                else:
                    message.set_rcode(dns.rcode.NXDOMAIN)
                    message.authority = [dns.rrset.from_text("example.", 900, "IN", "SOA", "ns. host. 1 2 3 4 300")]
                self.socket.sendto(message.to_wire(), client)

    def stop(self) -> None:
        self.running = False
        self.thread.join()
        self.socket.close()


@pytest.fixture
def zone() -> Iterator[Zone]:
    running = Zone()
    yield running
    running.stop()


def request(zone: Zone) -> Request:
    return Request(network=zone.network, from_ip="192.0.2.25", now=NOW)


def run(
    names: object, request: Request, *, jobs: int = 8, watch: Callable[[Checked], None] = lambda _: None
) -> list[Checked]:
    async def main() -> list[Checked]:
        found = []
        async for result in check_domains(names, request, jobs=jobs):  # type: ignore[arg-type]
            watch(result)
            found.append(result)
        return found

    return asyncio.run(main())


def outcomes(assessment: Assessment | None) -> dict[str, str]:
    assert assessment is not None
    return {v.check: v.outcome.value for v in assessment.verdicts}


def test_each_name_gives_one_result_with_its_place(zone: Zone) -> None:
    names = [f"d{n}.example" for n in range(40)]
    found = run(names, request(zone))
    assert sorted((r.index, r.name) for r in found) == list(enumerate(names))
    assert all(outcomes(r.assessment)["spf-pass"] == "pass" for r in found)
    assert all(r.problem is None for r in found)


def test_each_question_is_asked_once_however_many_domains_need_it(zone: Zone) -> None:
    run([f"d{n}.example" for n in range(60)] + ["d1.example"] * 5, request(zone), jobs=30)
    assert max(zone.asked.values()) == 1
    assert zone.asked["_deep.esp.example TXT"] == 1


def test_what_may_not_be_kept_is_not_asked_twice_for_one_domain_either(zone: Zone) -> None:
    zone.ttl = 0
    run(["d0.example", "d1.example"], request(zone), jobs=1)
    assert {zone.asked[f"{name} {kind}"] for name in ("d0.example", "d1.example") for kind in ("TXT", "MX")} == {1}
    assert zone.asked["_deep.esp.example TXT"] == 2


def test_what_is_asked_first_follows_from_the_request_alone(zone: Zone) -> None:
    checks = assessing.load_checks()
    plain = first_questions(request(zone), checks)
    assert {("", "TXT"), ("", "MX"), ("_dmarc.", "TXT")} <= set(plain)
    with_selector = first_questions(replace(request(zone), selectors=("s1",)), checks)
    assert set(with_selector) - set(plain) == {("s1._domainkey.", "TXT")}


def test_what_is_on_record_is_not_asked_ahead(zone: Zone) -> None:
    (first,) = run(["d0.example"], request(zone))
    assert first.assessment is not None
    before = zone.asked.total()
    (again,) = run(["d0.example"], replace(request(zone), observations=first.assessment.evidence.observations))
    assert again.assessment == first.assessment
    assert zone.asked.total() == before


def test_a_list_leaves_the_garbage_collector_as_it_was(zone: Zone) -> None:
    usual, during, frozen = gc.get_threshold(), [], gc.get_freeze_count()
    names = [f"d{n}.example" for n in range(3)]
    check_list(names, request(zone), jobs=2, emit=lambda _: during.append(gc.get_threshold()))
    assert set(during) == {(COLLECT_EVERY, *usual[1:])}
    assert (gc.get_threshold(), gc.get_freeze_count()) == (usual, frozen)


def test_the_assessment_is_that_of_a_single_check(zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    # Each of the two runs asks for itself, and each verdict says when: they may lie on two sides of a second.
    monkeypatch.setattr(lookups, "_now", lambda: NOW)

    async def single() -> Assessment:
        return await check_domain_async("d1.example", request(zone))

    alone, (_, together) = asyncio.run(single()), sorted(run(["d0.example", "d1.example"], request(zone)), key=index)
    assert together.assessment is not None
    assert together.assessment.verdicts == alone.verdicts
    assert replace(together.assessment.evidence, observations=Observations()) == replace(
        alone.evidence, observations=Observations()
    )


def index(result: Checked) -> int:
    return result.index


def test_the_evidence_alone_gives_the_same_assessment_again(zone: Zone) -> None:
    for result in run([f"d{n}.example" for n in range(6)], request(zone), jobs=2):
        assert result.assessment is not None
        assert assessing.assess(result.assessment.evidence, assessing.load_checks()) == result.assessment


def test_facts_of_the_configuration_are_taken_as_for_a_single_domain(zone: Zone) -> None:
    sender = Sender(
        domain="d3.example", author_domain=None, selectors=("s1",), egress_ips=("192.0.2.25",), helo="mx.esp.example"
    )
    asked = Request(network=zone.network, configuration=Configuration(senders=(sender,)), now=NOW)

    async def single() -> Assessment:
        return await check_domain_async("d3.example", asked)

    alone, (together,) = asyncio.run(single()), run(["d3.example"], asked)
    assert together.assessment is not None
    evidence = together.assessment.evidence
    assert evidence.selectors and evidence.helo and evidence.client_ip
    assert replace(evidence, observations=Observations()) == replace(alone.evidence, observations=Observations())


@pytest.mark.parametrize("name", ["", "..", "a" * 300, "\x1b[2Jd.example", "d e.example", "\udcff.example", "@"])
def test_a_bad_name_is_a_result_and_stops_nothing(zone: Zone, name: str) -> None:
    found = {r.index: r for r in run(["d1.example", name, "d2.example"], request(zone))}
    assert found[1].assessment is None
    assert found[1].problem and found[1].problem.isprintable()
    assert not found[1].defect
    assert found[0].assessment and found[2].assessment


def test_a_defect_of_ours_is_a_result_too(zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = assessing.report_id

    def broken(evidence: Evidence, coverage: Coverage | None) -> str:
        if evidence.author_domain and evidence.author_domain.value.name == "d1.example":
            raise ZeroDivisionError
        return whole(evidence, coverage)

    monkeypatch.setattr(assessing, "report_id", broken)
    found = {r.name: r for r in run(["d0.example", "d1.example", "d2.example"], request(zone))}
    assert found["d1.example"].defect
    assert found["d1.example"].problem == "a defect of ours (ZeroDivisionError)"
    assert found["d0.example"].assessment and found["d2.example"].assessment


def test_no_more_names_are_read_than_are_under_way(zone: Zone) -> None:
    read = done = 0
    ahead = []

    def names() -> Iterator[str]:
        nonlocal read
        for n in range(200):
            read += 1
            yield f"d{n}.example"

    def watch(_result: Checked) -> None:
        nonlocal done
        done += 1
        ahead.append(read - done)

    assert len(run(names(), request(zone), jobs=4, watch=watch)) == 200
    assert max(ahead) <= 8


def test_names_may_come_one_by_one_from_elsewhere(zone: Zone) -> None:
    async def names() -> AsyncIterator[str]:
        for n in range(10):
            await asyncio.sleep(0)
            yield f"d{n}.example"

    assert {r.index for r in run(names(), request(zone))} == set(range(10))


def test_what_the_list_raises_is_passed_on_after_what_was_under_way(zone: Zone) -> None:
    def names() -> Iterator[str]:
        yield "d1.example"
        raise CannotLookError("the list broke off")

    seen: list[Checked] = []
    with pytest.raises(CannotLookError, match="broke off"):
        run(names(), request(zone), jobs=1, watch=seen.append)
    assert [r.name for r in seen] == ["d1.example"]


def test_whoever_has_seen_enough_stops_it_all(zone: Zone) -> None:
    async def main() -> int:
        async with contextlib.aclosing(check_domains((f"d{n}.example" for n in range(10**6)), request(zone))) as found:
            async for _ in found:
                break
        return len([task for task in asyncio.all_tasks() if task is not asyncio.current_task()])

    assert asyncio.run(main()) == 0
    assert sum(zone.asked.values()) < 2000


def test_without_a_network_nothing_is_asked(zone: Zone) -> None:
    asked = Request(network=Network(offline=True), now=NOW)
    (found,) = run(["d1.example"], asked)
    assert outcomes(found.assessment)["spf-published"] == "indeterminate"
    assert not zone.asked


def test_what_asks_for_connections_is_asked_for_as_of_a_single_domain() -> None:
    asked = Request(network=Network(offline=True), asked_for=("https", "smtp"), now=NOW)

    async def single() -> Assessment:
        return await check_domain_async("d1.example", asked)

    (found,) = run(["d1.example"], asked)
    assert found.assessment == asyncio.run(single())


def test_a_mail_server_of_many_domains_is_probed_once(zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    probed: Counter[str] = Counter()

    whole = SmtpObserver.observe

    async def counted(self: SmtpObserver, questions: Iterable[SmtpProbe]) -> tuple[Observation, ...]:
        wanted = tuple(questions)
        probed.update(question.host for question in wanted)
        return await whole(self, wanted)  # which does not connect: no public address

    monkeypatch.setattr(SmtpObserver, "observe", counted)
    found = run([f"d{n}.example" for n in range(20)], replace(request(zone), asked_for=("smtp",)))
    assert probed == {"mx.esp.example": 1}
    assert {outcomes(r.assessment)["starttls-offered"] for r in found} == {"indeterminate"}


@pytest.mark.parametrize("jobs", [0, -1, 10**6])
def test_a_number_of_jobs_that_cannot_be_meant(zone: Zone, jobs: int) -> None:
    with pytest.raises(UsageError, match="--jobs"):
        run(["d1.example"], request(zone), jobs=jobs)


# --- rounds -----------------------------------------------------------------------------------------------------------


def check(name: str, evaluate: Callable[[Evidence], Ruling]) -> Check:
    return Check(
        id=name,
        subjects=frozenset({Subject.DOMAIN}),
        citation="RFC 0",
        title={"en": name},
        evaluate=evaluate,
        messages={"ok": {"en": "ok"}},
    )


def passing(evidence: Evidence, *names: str) -> Ruling:
    evidence.observations.ask_all(*(DnsQuestion(name, "A") for name in names))
    return Ruling(Outcome.PASS, Finding.of("ok"))


def test_a_check_runs_again_only_for_what_it_waits_for() -> None:
    ran: Counter[str] = Counter()

    def counted(name: str, *needs: str) -> Check:
        def evaluate(evidence: Evidence) -> Ruling:
            ran[name] += 1
            for need in needs:
                passing(evidence, need)
            return passing(evidence)

        return check(name, evaluate)

    checks = [counted("nothing"), counted("one", "a"), counted("three", "a", "b", "c")]
    rounds = Rounds(Evidence(subject=Subject.DOMAIN, assessed_at=NOW), checks)
    assessment, _ = asyncio.run(settle(rounds, Observations(), None, NOW))
    assert ran == {"nothing": 1, "one": 2, "three": 4}
    assert [v.check for v in assessment.verdicts] == ["nothing", "one", "three"]


def test_what_one_check_has_seen_elsewhere_serves_the_others(zone: Zone) -> None:
    answers = run(["d1.example"], request(zone))[0].assessment
    assert answers is not None
    known = {o.question: o for o in answers.evidence.observations}
    rounds = Rounds(replace(answers.evidence, observations=Observations()), assessing.load_checks(), peek=known.get)
    again = rounds(Observations())
    assert isinstance(again, Assessment)
    assert again.verdicts == answers.verdicts
    assert {o.question for o in again.evidence.observations} <= set(known)


def test_a_check_that_asks_for_what_it_has_ends_in_an_error_not_in_a_loop(zone: Zone) -> None:
    def evaluate(evidence: Evidence) -> Ruling:
        passing(evidence, "a.example")
        raise Unobserved(DnsQuestion("a.example", "A"))

    rounds = Rounds(Evidence(subject=Subject.DOMAIN, assessed_at=NOW), [check("stuck", evaluate)])
    with pytest.raises(RuntimeError):
        asyncio.run(settle(rounds, Observations(), None, NOW))


# --- going on where a run stopped -------------------------------------------------------------------------------------


def test_complete_lines_are_done_and_a_cut_one_is_not(tmp_path: Path) -> None:
    file = tmp_path / "out.ndjson"
    lines = [json.dumps({"subject": name}) for name in ("d1.example", "例子.example", "\udcff")]
    whole = ("\n".join([*lines, "{broken", "[]", '{"subject": 5}']) + "\n").encode()
    file.write_bytes(whole + b'{"subject": "d9.exam')
    done = done_names(file)
    assert (done.octets, done.lines, done.unreadable) == (len(whole), 3, 3)
    assert "d1.example" in done and "例子.example" in done and "\udcff" in done
    assert "d9.example" not in done and "d9.exam" not in done


def test_a_cut_line_is_not_done_even_if_it_is_whole_json(tmp_path: Path) -> None:
    file = tmp_path / "out.ndjson"
    file.write_bytes(b'{"subject": "d1.example"}')
    assert "d1.example" not in done_names(file)
    assert done_names(file).octets == 0


def test_nothing_is_done_where_there_is_no_file(tmp_path: Path) -> None:
    assert len(done_names(tmp_path / "none")) == 0


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotLookError):
        done_names(tmp_path)


def test_a_line_without_end_is_counted_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliverability.capture.resume.MAX_LINE", 50)
    file = tmp_path / "out.ndjson"
    file.write_bytes(b'{"subject": "' + b"x" * 500 + b'"}\n{"subject": "d1.example"}\n')
    done = done_names(file)
    assert (done.unreadable, done.lines) == (1, 1)
    assert "d1.example" in done
