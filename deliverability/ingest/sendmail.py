"""Sendmail 8.12 to 8.18 as it writes to syslog: the daemon, the submission queue, and the queue runners.

One line may speak of several recipients; each gets its event.  By default (LogLevel 9) Sendmail does not log which
alias or ``.forward`` led to an address; from LogLevel 11 on it does, and the address asked for is then known too.

Wordings: Sendmail 8.17.1 of Debian 12, run for this purpose; ``deliver.c``, ``envelope.c``, ``usersmtp.c``.
"""

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deliverability.evidence.event import Action, DeliveryEvent, Result
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.protocols import ingesting
from deliverability.protocols.syslog import head_for, parse_prologue

if TYPE_CHECKING:
    from deliverability.protocols.sendmail_attempts import Facts

MAX_LINE = 65_536
"""Octets of a line that are read; Sendmail cuts its own far earlier."""
MAX_EXPANDED = 4096  # messages of which aliases, and hosts that fell silent, are kept in mind

_TAG = re.compile(r"sendmail\Z|sm-[a-z][a-z0-9-]{1,32}\Z")
_HEAD = head_for(rb"(?:sendmail|sm-[a-z][a-z0-9-]{1,32})")
_is_line = ingesting.Recogniser(_HEAD, b" sendmail", b" sm-")

_ATTEMPT = re.compile(rb"(?:[!-~]{1,40} )?to=.*, stat=")
_TIMED_OUT = ("Deferred: Connection timed out with ", "Deferred: Operation timed out with ")  # of Linux, and of BSD

Key = tuple[str, str | None, str]
"""Log source, host and queue id."""


class _Aliases:
    """Which address led to which, by message."""

    def __init__(self) -> None:
        self._by_message: OrderedDict[Key, dict[str, str]] = OrderedDict()

    def take(self, key: Key, name: str, targets: tuple[str, ...]) -> None:
        """What the message's address ``name`` stands for; chains lead back to the first address."""
        known = self._by_message.setdefault(key, {})
        first = known.get(name, name)
        known.update({target: first for target in targets if target != first})
        if len(self._by_message) > MAX_EXPANDED:
            self._by_message.popitem(last=False)

    def before(self, key: Key, recipient: str) -> str | None:
        """The address that led to ``recipient``."""
        return self._by_message.get(key, {}).get(recipient)


class _Refusals:
    """What a milter of ours answered to the data, by message: the lines of its recipients say only the words."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Key, Facts] = OrderedDict()

    def settle(self, key: Key, facts: "Facts") -> "Facts | None":
        """Keep a refusal of the whole message; give it to its recipients, and say nothing of one without an answer."""
        if facts["action"] is not Action.REJECTED or facts["stage"] != "end-of-data":
            return facts
        if "recipient" not in facts:
            self._answers[key] = facts
            if len(self._answers) > MAX_EXPANDED:
                self._answers.popitem(last=False)
            return facts
        answer = self._answers.get(key)
        return {**answer, "recipient": facts["recipient"]} if answer else None


class _Silences:
    """At which command a host fell silent, by message, process and host: the outcome that follows does not say it."""

    def __init__(self) -> None:
        self._stages: OrderedDict[tuple[Key, str | None, str | None], str] = OrderedDict()

    def settle(self, key: Key, process: str | None, facts: "Facts") -> "Facts":
        """Keep what a ``timeout waiting`` line says; tell by it that the outcome after it came before any data."""
        told = (key, process, facts["relay"].name if facts.get("relay") else None)
        if facts["action"] is Action.TROUBLE and facts["stage"] and facts["text"].startswith("timeout waiting "):
            self._stages[told] = facts["stage"]
            if len(self._stages) > MAX_EXPANDED:
                self._stages.popitem(last=False)
        elif facts["action"] is Action.ATTEMPTED:
            stage = self._stages.get(told)
            timed_out = facts.get("text", "").startswith(_TIMED_OUT)
            if stage not in (None, "end-of-data") and timed_out:
                return {**facts, "result": Result.DEFERRED, "stage": stage}
        return facts


_TLS_RULE = b"ruleset=tls_rcpt, "
"""A rule of ours about the session with the next server, asked before each RCPT."""


class _Rules:
    """By message and process: whether that rule was applied, for Sendmail words it as it does the other side's refusal."""

    def __init__(self) -> None:
        self._applied: OrderedDict[tuple[Key, str | None], None] = OrderedDict()

    def take(self, key: Key, process: str | None) -> None:
        """The rule said no; every such line is logged before the outcome that it leads to."""
        self._applied[key, process] = None
        if len(self._applied) > MAX_EXPANDED:
            self._applied.popitem(last=False)

    def settle(self, key: Key, process: str | None, facts: "Facts") -> "Facts":
        """A refusal that may be that rule's is not told as the other server's."""
        if facts.get("result") is Result.REFUSED and (key, process) in self._applied:
            return {**facts, "result": Result.FAILED, "stage": None}
        return facts


class _Names:
    """The whole names of hosts, by process: of 40 octets and more a delivery's ``relay=`` keeps only the two ends."""

    def __init__(self) -> None:
        self._told: OrderedDict[tuple[str, str | None, str | None], str] = OrderedDict()

    def settle(self, host: tuple[str, str | None, str | None], facts: "Facts") -> "Facts":
        """Keep a name that a line has whole; put it into a later line of the same process whose name has its ends."""
        from deliverability.protocols.sendmail_lines import is_shortened, whole_name

        relay = facts.get("relay")
        if facts["action"] is Action.ATTEMPTED and relay and relay.name and is_shortened(relay.name):
            known = (self._told.get(host), *_NAMED.findall(facts.get("text", "")))
            whole = next((name for name in known if name and whole_name(relay.name, name)), None)
            return {**facts, "relay": replace(relay, name=whole)} if whole else facts
        if facts["action"] in (Action.CONNECTED, Action.TROUBLE) and relay and relay.name:
            self._told[host] = relay.name
            self._told.move_to_end(host)
            if len(self._told) > MAX_EXPANDED:
                self._told.popitem(last=False)
        return facts


_NAMED = re.compile(r"\ADeferred: .{1,80} (?:by|with) ([^\s]{40,255})\.\Z")


@dataclass(slots=True)
class _Memory:
    """What earlier lines say about later ones."""

    names: _Names = field(default_factory=_Names)
    aliases: _Aliases = field(default_factory=_Aliases)
    silences: _Silences = field(default_factory=_Silences)
    refusals: _Refusals = field(default_factory=_Refusals)
    rules: _Rules = field(default_factory=_Rules)


def _read(line: LogLine, memory: _Memory) -> Iterator[DeliveryEvent]:
    from deliverability.protocols.sendmail_lines import split_queue_id
    from deliverability.protocols.sendmail_words import expansion, facts_of

    head = parse_prologue(line.raw[:MAX_LINE])
    if head is None or not _TAG.match(head.tag):
        return
    queue_id, words = split_queue_id(head.rest)
    key = (line.place.log, head.host, queue_id or "")
    cut = line.cut or len(line.raw) > MAX_LINE
    expanded = expansion(words) if queue_id and not cut else None
    if expanded:
        memory.aliases.take(key, *expanded)
        return
    process = f"{head.tag}[{head.pid}]" if head.pid else None
    if words.startswith(_TLS_RULE):
        memory.rules.take(key, process)
    said = (memory.refusals.settle(key, facts) for facts in facts_of(words, queue_id, cut=cut))
    for facts in filter(None, said):
        named = memory.names.settle((key[0], head.host, process), facts)
        settled = memory.rules.settle(key, process, memory.silences.settle(key, process, named))
        told: Facts = {"queue_id": queue_id, **settled}
        if facts["action"] is Action.ATTEMPTED and facts.get("recipient") and not facts.get("original_recipient"):
            told["original_recipient"] = memory.aliases.before(key, facts["recipient"])
        yield DeliveryEvent(
            line=line,
            at=head.at,
            writer="sendmail",
            host=head.host,
            process=process,
            **told,
        )


def parse(lines: Iterable[LogLine]) -> Iterator[DeliveryEvent]:
    """The events of lines in their order, one for each recipient of a line; never raises."""
    memory = _Memory()
    for line in lines:
        yield from _read(line, memory)


def is_line(raw: bytes) -> bool:
    """Whether the head carries one of Sendmail's syslog tags."""
    return _is_line(raw)


def is_lost(raw: bytes) -> bool:
    """Whether a line tells of an attempt without an id of Sendmail's, or without one of its fields."""
    head = parse_prologue(raw[:MAX_LINE]) if b"to=" in raw else None
    return head is not None and _TAG.match(head.tag) is not None and _ATTEMPT.match(head.rest) is not None


def sniff(sample: bytes) -> float:
    """Share of the sample's complete lines that Sendmail wrote."""
    return _is_line.share(sample)


def queue_ids(raw: bytes) -> list[str]:
    """The line's own id, that of a notice or clone, and the one that the next server gave it."""
    from deliverability.protocols.sendmail_lines import linked_ids

    head = parse_prologue(raw[:MAX_LINE])
    return [] if head is None or not _TAG.match(head.tag) else linked_ids(head.rest)


FORMAT = LogFormat(
    id="sendmail",
    title="Sendmail (syslog)",
    sniff=sniff,
    parse=parse,
    is_line=is_line,
    queue_ids=queue_ids,
    needles=ingesting.needles,
    is_lost=is_lost,
    head=_HEAD,
)
