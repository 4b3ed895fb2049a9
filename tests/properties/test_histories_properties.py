"""Mail histories made up as Postfix logs them: what became of each is known, and is what the command tells.

A message may pass a content filter that does not answer at first, be requeued, forwarded or expanded to several
addresses; its recipients are taken, put off, refused or lost sight of, and what is left may expire or be removed.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliverability.api.requests import Request
from deliverability.api.summary import summarise
from deliverability.api.tracing import read_logs

DIGITS = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
START = 1795300000
FATES = ("ok", "ok", "ok", "soft ok", "soft soft ok", "bad", "soft bad", "soft", "lost", "lost ok", "none")
STATES = {"ok": "handed-over", "soft": "deferred", "bad": "refused", "lost": "unknown", "none": "failed"}
SAID = {
    "ok": "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 1A2B3C4D5E)",
    "soft": "dsn=4.2.0, status=deferred (host mx.x.example[192.0.2.1] said: 450 4.2.0 later (in reply to RCPT TO command))",
    "bad": "dsn=5.1.1, status=bounced (host mx.x.example[192.0.2.1] said: 550 5.1.1 no (in reply to RCPT TO command))",
    "lost": "dsn=4.4.2, status=deferred (lost connection with mx.x.example[192.0.2.1] while sending end of data"
    " -- message may be sent more than once)",
    "none": "dsn=5.4.4, status=bounced (Host or domain name not found. Name service error for name=x.example type=A)",
}
OUTCOMES = {"cancelled": "discarded"}


def digits(number: int, width: int) -> str:
    text = ""
    while number or len(text) < width:
        number, digit = divmod(number, len(DIGITS))
        text = DIGITS[digit] + text
    return text


@dataclass
class Target:
    """An address that is tried for a recipient, and what is still to come of it."""

    recipient: str
    address: str
    fates: list[str]
    state: str = "queued"


@dataclass
class Histories:
    """Several messages in one log, as one server writes it."""

    random: random.Random
    lines: list[tuple[float, str]] = field(default_factory=list)
    told: dict[str, list[Target]] = field(default_factory=dict)
    ids: int = 0

    def say(self, at: float, program: str, words: str) -> None:
        self.lines.append((at, f"out1 postfix/{program}[{7 + len(self.lines)}]: {words}"))

    def enter(self, at: float, program: str, words: str, message_id: str) -> str:
        """A new queue entry."""
        self.ids += 1
        queue_id = digits(int(at), 6) + digits(int(at % 1 * 1e6), 4) + "z" + digits(self.ids + 52, 2)
        if program:
            self.say(at, program, f"{queue_id}: {words}")
        self.say(at + 0.01, "cleanup", f"{queue_id}: message-id=<{message_id}>")
        return queue_id

    def active(self, at: float, queue_id: str, size: int, count: int) -> None:
        self.say(at, "qmgr", f"{queue_id}: from=<a@hosting.example>, size={size}, nrcpt={count} (queue active)")

    def attempt(self, at: float, queue_id: str, target: Target, fate: str) -> None:
        alias = f" orig_to=<{target.recipient}>," if target.recipient != target.address else ""
        relay = "none" if fate == "none" else "mx.x.example[192.0.2.1]:25"
        words = f"to=<{target.address}>,{alias} relay={relay}, delay=1, delays=0/0/1/0, {SAID[fate]}"
        self.say(at, "smtp", f"{queue_id}: {words}")
        target.state = "unknown" if target.state == "unknown" and fate != "ok" else STATES[fate]

    def message(self, number: int) -> None:
        r = self.random
        at, size = START + r.random() * 80000, 1000
        message_id = r.choice(["", f"{number}@billing.example"])
        names = [f"r{number}-{n}@x.example" for n in range(r.choice([1, 1, 2, 3]))]
        queue_id = self.enter(at, "smtpd", "client=web1.hosting.example[192.0.2.5]", message_id)
        self.active(at + 0.02, queue_id, size, len(names))
        if r.random() < 0.4:
            at, queue_id = self.filtered(at + 0.1, queue_id, names, message_id)
        waiting = []
        for name in names:
            addresses = [name] if r.random() < 0.6 else [f"t{n}-{name}" for n in range(r.choice([1, 2, 3]))]
            self.told[name] = [Target(name, address, r.choice(FATES).split()) for address in addresses]
            if len(addresses) == 1 != (addresses[0] == name) and r.random() < 0.6:
                self.forward(at + 0.5, queue_id, self.told[name][0], message_id)
            else:
                waiting += self.told[name]
        self.deliver(at + 1, queue_id, waiting, message_id)

    def filtered(self, at: float, queue_id: str, names: list[str], message_id: str) -> tuple[float, str]:
        """Through a content filter, which gives it back under another id."""
        if self.random.random() < 0.3:
            for name in names:
                words = "status=deferred (connect to 127.0.0.1[127.0.0.1]:10024: Connection refused)"
                self.say(
                    at, "smtp", f"{queue_id}: to=<{name}>, relay=none, delay=1, delays=0/0/1/0, dsn=4.4.1, {words}"
                )
            at += 600
        known = self.random.choice(["", f", orig_queue_id={queue_id}"])
        after = self.enter(at, "smtpd", f"client=localhost[127.0.0.1]{known}", message_id)
        self.active(at + 0.02, after, 1400, len(names))
        for name in names:
            words = (
                f"dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as {after})"
            )
            hop = "relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/1/0"
            self.say(at + 0.03, "smtp", f"{queue_id}: to=<{name}>, {hop}, {words}")
        self.say(at + 0.04, "qmgr", f"{queue_id}: removed")
        return at + 0.05, after

    def forward(self, at: float, queue_id: str, target: Target, message_id: str) -> None:
        """By a .forward file, as an entry of its own."""
        after = self.enter(at, "", "", message_id)
        words = f"relay=local, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (forwarded as {after})"
        self.say(at + 0.02, "local", f"{queue_id}: to=<{target.recipient}>, {words}")
        self.active(at + 0.03, after, 1500, 1)
        self.attempt(at + 0.1, after, target, "ok")
        self.say(at + 0.2, "qmgr", f"{after}: removed")

    def deliver(self, at: float, queue_id: str, waiting: list[Target], message_id: str) -> None:
        """One queue run after another."""
        while waiting:
            for n, target in enumerate(waiting):
                if target.fates:
                    self.attempt(at + n / 100, queue_id, target, target.fates.pop(0))
            waiting = [t for t in waiting if t.state in ("deferred", "unknown", "queued")]
            if not any(t.fates for t in waiting):
                break
            at += 900
            for _ in range(self.random.choice([0, 0, 0, 1, 2])):
                queue_id = self.enter(at, "pickup", f"uid=1 from=<a@hosting.example> orig_id={queue_id}", message_id)
                at += 2
            self.active(at, queue_id, 1500, len(waiting))
        end = self.random.choice(["left", "expired", "removed"]) if waiting else "done"
        if end == "expired":
            self.say(at + 900, "qmgr", f"{queue_id}: from=<a@hosting.example>, status=expired, returned to sender")
        if end in ("done", "expired"):
            self.say(at + 901, "qmgr", f"{queue_id}: removed")
        if end == "removed":
            self.say(at + 900, "postsuper", f"{queue_id}: removed")
        for target in waiting:
            ends = {"expired": "expired", "removed": "cancelled"}.get(end, target.state)
            target.state = "unknown" if target.state == "unknown" else ends

    def log(self) -> list[str]:
        stamped = [
            (datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds"), line) for at, line in self.lines
        ]
        return [f"{at} {line}\n" for at, line in sorted(stamped, key=lambda entry: entry[0])]


def made(seed: int) -> Histories:
    histories = Histories(random.Random(seed))
    for number in range(12):
        histories.message(number)
    return histories


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9))
def test_a_trace_tells_what_became_of_each(seed: int) -> None:
    histories = made(seed)
    with TemporaryDirectory() as folder:
        log = Path(folder) / "mail.log"
        log.write_text("".join(histories.log()), "utf-8")
        asked = tuple(histories.told)
        trace, _ = read_logs(Request(logs=(str(log),), to=asked))
    found = {d.recipient: d for m in trace.messages for d in m.deliveries}
    assert sum(len(m.deliveries) for m in trace.messages) == len(asked)
    for name, targets in histories.told.items():
        delivery = found[name]
        told = {p.recipient: p.state.value for p in delivery.parts} or {targets[0].address: delivery.state.value}
        assert told == {t.address: t.state for t in targets}, name
        assert delivery.state.value in told.values()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9), st.lists(st.floats(0, 1), max_size=4))
def test_a_summary_counts_each_once_however_the_log_was_rotated(seed: int, cuts: list[float]) -> None:
    histories = made(seed)
    lines = histories.log()
    places = [0, *sorted(int(cut * len(lines)) for cut in cuts), len(lines)]
    parts = [lines[begin:end] for begin, end in pairwise(places) if begin < end]
    with TemporaryDirectory() as folder:
        for age, part in enumerate(reversed(parts)):
            (Path(folder) / f"mail.log{f'.{age}' if age else ''}").write_text("".join(part), "utf-8")
        total = summarise(Request(logs=(str(Path(folder) / "mail.log"),))).total
    counted = {fate.value: count for fate, count in total.outcomes.items() if count and fate.value != "passed-on"}
    states = [t.state for targets in histories.told.values() for t in targets]
    assert counted == dict(Counter(OUTCOMES.get(state, state) for state in states))


@pytest.mark.parametrize("seed", range(3))
def test_the_histories_have_all_ends(seed: int) -> None:
    ends = Counter(t.state for n in range(20) for ts in made(100 * seed + n).told.values() for t in ts)
    assert set(ends) == {"handed-over", "refused", "failed", "unknown", "deferred", "expired", "cancelled"}
