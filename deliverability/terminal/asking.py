"""Options of a command → one request to ``api``; files that they name are read here, within bounds."""

import os
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deliverability.errors import CannotLookError, UsageError, printable
from deliverability.terminal.options import Lang
from deliverability.terminal.streams import say

if TYPE_CHECKING:
    from deliverability.api import Reader, Request
    from deliverability.config import Configuration

MAX_MESSAGE_FILE = 64 << 20
MAX_BUNDLE_FILE = 64 << 20
MAX_HEAD_FILE = 64 << 10  # a signed head of the ledger
APART = frozenset(",;<>()\uff0c\uff1b\uff1a\u3002\u3001\uff08\uff09\u300c\u300d\u300a\u300b\uff01\uff1f")
"""What parts an address from the sentence or the list that it was pasted with; the wide forms are Chinese."""
WORDS = 3  # as many are a sentence; two may be a local part as logs write it, without its quotes
FIRST_YEAR, LAST_YEAR = 1970, 2999  # of mail; and far enough from the ends of ``datetime`` to calculate with


def request_from(given: dict[str, Any]) -> "Request":
    """The options of a command as one request; a name that a command lacks is left at its default."""
    from deliverability.api import Network, Pick, Request

    settings = settings_of(given.get("config"))
    if given.get("routed_by_mx"):
        settings = replace(settings, routed_by_mx=True)
    mail = given.get("message")
    if given.get("latest") and given.get("every"):
        raise UsageError("--latest and --all exclude each other")
    now = given.get("now")
    return Request(
        logs=tuple(given.get("log") or ()),
        to=lone_addresses(given.get("to") or ()),
        message_id=given.get("message_id"),
        queue_id=given.get("queue_id"),
        remote_id=given.get("remote_id"),
        subject=given.get("subject"),
        sender=given.get("sender"),
        since=moment(given.get("since"), "--since", given.get("tz")),
        until=moment(given.get("until"), "--until", given.get("tz"), end=True),
        tz=given.get("tz"),
        pick=Pick.LATEST if given.get("latest") else Pick.ALL if given.get("every") else Pick.ONE,
        mail=read_message(mail) if mail else None,
        mail_origin=str(mail) if mail else "message",
        from_ip=given.get("from_ip"),
        helo=given.get("helo"),
        selectors=tuple(given.get("selector") or ()),
        author_domain=given.get("author_domain"),
        asked_for=tuple(given.get("asked") or ()),
        network=Network(
            nameservers=nameservers(given.get("nameserver") or ()),
            timeout=given.get("timeout", 3.0),
            offline=bool(given.get("offline") or given.get("observations")),
        ),
        observations=replayed(given.get("observations")),
        configuration=settings,
        now=moment(now, "--now", None),
    )


def lone_addresses(given: Iterable[str]) -> tuple[str, ...]:
    """As given; a sentence or a list is refused with the address in it, for the logs know no such recipient."""
    texts = tuple(given)
    for text in texts:
        named = address_within(text)
        if named:
            raise UsageError(f"--to {printable(text)!r} is more than one address alone; was this meant: --to {named}")
    return texts


def address_within(text: str) -> str | None:
    """The first address in a text that is more than an address; ``None`` where the text may be one."""
    whole = text.strip().strip("<>")
    quoted = whole.startswith('"') and '"@' in whole and whole.count('"') == 2
    if quoted or not (len(whole.split()) >= WORDS or any(sign in APART for sign in whole)):
        return None
    for word in "".join(" " if sign in APART else sign for sign in whole).split():
        local, _, domain = word.strip("\"'.:[]").partition("@")
        local = re.split(r"[^\x21-\x7e]|:", local)[-1] or local  # Chinese is written up against it, and "mailto:"
        if local and "." in domain and "@" not in domain and domain.isprintable():
            return printable(f"{local}@{domain}")
    return None


def say_narrowing(request: "Request") -> None:
    """After a search in vain: what beside the address it asked for, for without that other mail may well be there."""
    if not request.to:
        return
    asked = (
        ("--message-id", request.message_id),
        ("--queue-id", request.queue_id),
        ("--remote-id", request.remote_id),
        ("--subject", request.subject),
        ("--from", request.sender),
        ("--since", request.since.isoformat(" ", "minutes") if request.since else None),
        ("--until", request.until.isoformat(" ", "minutes") if request.until else None),
    )
    given = ", ".join(f"{option} {printable(value)!r}" for option, value in asked if value)
    if given:
        say(f"only mail with {given} was looked for; without that, other mail to the address may be found")


def refuse_idle_options(given: dict[str, Any]) -> None:
    """Options of ``check`` that would do nothing: whoever gave them meant something else."""
    needs = (
        (given["spamd"] or given["rspamd"], given["message"], "--spamd and --rspamd ask about --message FILE.eml"),
        (given["about"], given["address"] or given["addresses"], "--about is held against --address or --addresses"),
        (
            given["provider"],
            given["domain"] or given["message"] or given["file"],
            "--for holds a sender against rules, DOMAIN or --message FILE.eml",
        ),
        (given["resume"], given["file"], "--resume goes on with --file LIST"),
    )
    for option, subject, sentence in needs:
        if option and not subject:
            raise UsageError(f"{sentence}: give that too")
    for name in given["domain"] or ():
        if os.path.isfile(name):  # noqa: PTH113 - the name may hold what no path can: an answer is needed, not an error
            raise UsageError(f"{printable(name)} is a file: give it with --message, or a list of domains with --file")


def nameservers(given: Iterable[str]) -> tuple[str, ...]:
    """As given; a wrong form is wrong even where nothing is asked."""
    names = tuple(given)
    if names:
        from deliverability.capture.dns import parse_nameserver

        for name in names:
            parse_nameserver(name)
    return names


def reader_for(
    lang: Lang | None, zone: str | None = None, edition: str = "customer", *, output: Path | None = None
) -> "Reader":
    """For whom the answer is; a table for a terminal knows how wide that is, one in a file is as wide as it has to be."""
    from deliverability.api import Reader

    seen = output is None and sys.stdout is not None and sys.stdout.isatty()
    screen = shutil.get_terminal_size().columns if seen else None
    return Reader(lang=lang.value if lang else None, zone=zone, edition=edition, screen=screen)


def settings_of(explicit: Path | None) -> "Configuration":
    """The configuration that applies; why another was passed over is said on stderr."""
    from deliverability.capture import settings
    from deliverability.config import Configuration

    loaded = settings.load(explicit, Path.cwd(), os.environ)
    for note in loaded.notes:
        say(note)
    return loaded.configuration or Configuration()


def replayed(path: Path | None) -> Any:
    """The observations of a record, for a replay."""
    if path is None:
        from deliverability.evidence.observation import Observations

        return Observations()
    from deliverability.api.replaying import observations_of

    return observations_of(read_file(path, MAX_MESSAGE_FILE), str(path))


def moment(text: str | None, option: str, zone: str | None, *, end: bool = False) -> datetime | None:
    """A date or time as ISO 8601 writes it; without an offset it is in ``--tz``, else UTC."""
    if text is None:
        return None
    from datetime import timedelta

    from deliverability.correlate.clock import parse_zone

    try:
        when = datetime.fromisoformat(text)
        if when.tzinfo is None:
            when = when.replace(tzinfo=parse_zone(zone) if zone else UTC)
    except ValueError:
        raise UsageError(f"{option} {printable(text)!r}: write 2026-11-22, 2026-11-22T13:05 or with +08:00") from None
    if not FIRST_YEAR <= when.year <= LAST_YEAR:
        raise UsageError(f"{option} {printable(text)!r}: no mail was sent then; is the year right?")
    bare = re.fullmatch(r"\d{4}-\d\d-\d\d", text)
    return when + timedelta(days=1) if end and bare else when


def read_message(path: Path) -> bytes:
    """The one message that a file holds; raises :class:`CannotLookError` saying what a file that is none looks like."""
    from deliverability.protocols.message_file import read_message_file

    found = read_message_file(read_file(path, MAX_MESSAGE_FILE))
    name = "standard input" if str(path) == "-" else printable(str(path))
    if found.problem:
        raise CannotLookError(f"{name} is no message: {found.problem}")
    if found.from_line:
        say(f"{name} is an mbox with one message: its From_ line was left out")
    return found.message


def read_file(path: Path, limit: int) -> bytes:
    """A file's bytes, or standard input for ``-``; raises :class:`CannotLookError` past ``limit`` octets."""
    try:
        if str(path) == "-":
            content = sys.stdin.buffer.read(limit + 1)
        else:
            with path.open("rb") as file:
                content = file.read(limit + 1)
    except OSError as problem:
        raise CannotLookError(f"{printable(str(path))}: {problem.strerror}") from problem
    if len(content) > limit:
        raise CannotLookError(f"{printable(str(path))}: larger than {limit >> 20} MiB")
    return content
