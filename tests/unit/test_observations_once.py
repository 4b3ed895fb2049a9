"""What several checks want of the same observations is worked out once, and only once it can be."""

from datetime import UTC, datetime

import pytest

from deliverability.evidence.observation import DnsAnswer, DnsQuestion, Observations, Rcode, Unobserved

NOW = datetime(2026, 11, 22, tzinfo=UTC)
QUESTION = DnsQuestion("a.example", "TXT")
ANSWER = DnsAnswer(QUESTION, Rcode.NOERROR, (), "a.example", 60, "test", NOW)


def test_work_is_done_once_for_each_argument() -> None:
    done: list[str] = []

    def work(name: str, observations: Observations) -> str:
        done.append(name)
        return observations.ask(name, "TXT").resolver

    known = Observations.of([ANSWER])
    assert [known.once(work, "a.example") for _ in range(3)] == ["test"] * 3
    assert done == ["a.example"]
    with pytest.raises(Unobserved):
        known.once(work, "b.example")
    with pytest.raises(Unobserved):
        known.once(work, "b.example")
    assert done == ["a.example", "b.example", "b.example"]


def test_more_observations_start_anew() -> None:
    def seen(observations: Observations) -> int:
        return len(observations)

    none = Observations()
    assert none.once(seen) == 0
    assert none.joined([ANSWER]).once(seen) == 1


def test_what_was_worked_out_is_no_part_of_the_value() -> None:
    one, other = Observations.of([ANSWER]), Observations.of([ANSWER])
    one.once(len)
    assert one == other
    assert "memo" not in repr(one)
