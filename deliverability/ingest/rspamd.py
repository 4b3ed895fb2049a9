"""rspamd 2 and 3, its own ``rspamd.log`` or by syslog: what our own filter made of a message, and whether it signed it.

The line about a message (``rspamd_task_write_log``) carries the queue id of the mail server that asked (as milter or
proxy).  The score and the action are facts about our side.  The symbol ``DKIM_SIGNED`` is rspamd's own word that it
asked the mail server to add a signature; whether the message left with it, only the message shows.

The default ``log_format`` is read.  What the signing module says of a message before that line is tied by its task.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from deliverability.evidence.event import Action, DeliveryEvent
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.log_format import LogFormat
from deliverability.protocols import ingesting
from deliverability.protocols.rspamd_heads import FILE_HEAD, SYSLOG_HEAD

if TYPE_CHECKING:
    from deliverability.protocols.rspamd_lines import Task, Words

MAX_TASKS = 1000
"""Tasks whose queue id is remembered: more than rspamd works on at once."""

_HEAD = rb"(?:%s|%s)" % (FILE_HEAD, SYSLOG_HEAD)
_is_line = ingesting.Recogniser(_HEAD, b" rspamd", b" #")


def _event(line: LogLine, words: "Words", task: "Task", text: str) -> DeliveryEvent:
    return DeliveryEvent(
        action=Action.FILTERED,
        line=line,
        at=words.at,
        writer=f"rspamd/{words.module}",
        host=words.host,
        process=words.process,
        queue_id=task.queue_id,
        message_id=task.message_id,
        reverse_path=task.reverse_path,
        text=text,
    )


def _checked(line: LogLine, words: "Words", task: "Task") -> Iterator[DeliveryEvent]:
    """What was concluded, and each signature that rspamd says it added."""
    yield _event(line, words, task, task.result or "")
    for domain, selector in task.signed:
        yield DeliveryEvent(
            action=Action.SIGNED,
            line=line,
            at=words.at,
            writer=f"rspamd/{words.module}",
            host=words.host,
            process=words.process,
            queue_id=task.queue_id,
            signing_domain=domain,
            selector=selector,
            text=f"DKIM_SIGNED {domain}:s={selector}",
        )


def parse(lines: Iterable[LogLine]) -> Iterator[DeliveryEvent]:
    """The events of lines about messages; remembers which task has which queue id.  Never raises."""
    from deliverability.protocols.rspamd_lines import is_about_signing, parse_task, parse_words

    tasks: dict[tuple[str, str | None, str | None, str], Task] = {}
    for line in lines:
        words = None if line.cut else parse_words(line.raw)
        if words is None:
            continue
        key = (line.place.log, words.host, words.process, words.tag)
        task = parse_task(words.raw)
        if task is None:
            known = tasks.get(key)
            if known and is_about_signing(words.raw):
                yield _event(line, words, known, words.raw.decode("utf-8", "backslashreplace"))
            continue
        if words.raw.startswith(b"rspamd_task_write_log"):
            tasks.pop(key, None)
            yield from _checked(line, words, task)
        else:
            tasks[key] = task
            if len(tasks) > MAX_TASKS:
                tasks.pop(next(iter(tasks)))


def is_line(raw: bytes) -> bool:
    """Whether rspamd wrote it: the head of its own file, or its syslog tag."""
    return _is_line(raw)


def sniff(sample: bytes) -> float:
    """Share of the sample's complete lines that rspamd wrote."""
    return _is_line.share(sample)


def queue_ids(raw: bytes) -> list[str]:
    """The queue id of the message, and the task, by which lines without one belong to it."""
    from deliverability.protocols.rspamd_lines import is_about_signing, parse_task, parse_words

    words = parse_words(raw) if is_line(raw) else None
    if words is None:
        return []
    task = parse_task(words.raw)
    if task:
        return [task.queue_id, words.tag]
    return [words.tag] if is_about_signing(words.raw) else []


FORMAT = LogFormat(
    id="rspamd",
    title="rspamd",
    sniff=sniff,
    parse=parse,
    is_line=is_line,
    queue_ids=queue_ids,
    needles=ingesting.needles,
    head=_HEAD,
    delivery_marks=(),
)
