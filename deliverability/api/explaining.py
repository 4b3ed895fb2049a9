"""``explain``: a refusal in words, and why a message lies in junk.  Asks no network unless told to."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from deliverability.api.requests import Reader, Request
from deliverability.compose.because import sentence
from deliverability.compose.catalog import Catalog, catalog
from deliverability.compose.explained import junked_sections, reply_sections
from deliverability.compose.junked import Junked, Told, read_junked
from deliverability.compose.recognise import providers
from deliverability.compose.when import zone
from deliverability.errors import UsageError, printable
from deliverability.evidence.document import Block, Facts, Note, Paragraph, Quote, Section, Table
from deliverability.evidence.languages import LANGUAGES
from deliverability.evidence.verdict import Verdict
from deliverability.protocols.columns import WIDTH, width, wrap
from deliverability.protocols.hops import Delay
from deliverability.protocols.mail import LimitError, Mail, parse_mail
from deliverability.protocols.replies import Basis, Explanation, explain
from deliverability.protocols.replies_registry import REGISTRY_DATE
from deliverability.protocols.shown_json import dumps

SCHEMA_VERSION: Final = 1
VERIFIED: Final = ("dkim-pass", "dmarc-pass", "arc-chain-valid")
"""What ``--verify`` checks again over the copy itself."""
_HEAD: Final = 400 * 1024
_LINES: Final = 1_900


@dataclass(frozen=True, slots=True)
class Question:
    """What is known about a copy beyond its own octets."""

    sides: tuple[str, ...] = ()
    """Host names of the receiving side."""
    milter: bool = False
    banner: str | None = None
    verify: bool = False


@dataclass(frozen=True, slots=True)
class ExplainedMessage:
    """A copy, read."""

    junked: Junked
    verified: tuple[Verdict, ...] | None
    """``None``: nothing was checked again."""
    cut: bool
    """Only the beginning of an overlong header was read."""


def explain_reply(text: str, provider: str | None = None) -> Explanation:
    """What a refusal means; ``provider`` is the id of the mailbox provider that gave it."""
    known = providers()
    if provider is not None and provider not in {one.id for one in known}:
        raise UsageError(f"--provider {printable(provider)!r} is none of: {', '.join(sorted(one.id for one in known))}")
    if not text.strip():
        raise UsageError("--reply is empty: paste what the server said, or - and the text on standard input")
    return explain(text, known, provider)


def explain_message(content: bytes | None, question: Question, request: Request) -> ExplainedMessage:
    """Why a message was filtered, by its own header and by what its reader saw.

    Raises :class:`~deliverability.errors.ParseError` for what is no message.
    """
    if content is None and question.banner is None:
        raise UsageError("say what to explain: FILE.eml, --reply TEXT, or --banner NAME")
    mail, cut = _read(content) if content is not None else (None, False)
    junked = read_junked(mail, question.sides, question.banner, milter=question.milter)
    verified = _verified(content, request) if question.verify and content is not None and not cut else None
    return ExplainedMessage(junked, verified, cut)


def _read(content: bytes) -> tuple[Mail, bool]:
    try:
        return parse_mail(content), False
    except LimitError:  # what stands first is the receiving side's; the rest came with the message
        lines = content[:_HEAD].splitlines(keepends=True)
        whole = lines[:_LINES] if len(lines) > _LINES else lines[:-1]
        return parse_mail(b"".join(whole) + b"\r\n"), True


def _verified(content: bytes, request: Request) -> tuple[Verdict, ...]:
    from deliverability import api

    found = {verdict.check: verdict for verdict in api.check_message(content, request).verdicts}
    return tuple(found[check] for check in VERIFIED if check in found)


# --- in words ---------------------------------------------------------------------------------------------------------


def reply_answer(found: Explanation, reader: Reader, form: str) -> bytes:
    """An explained reply as ``text`` or ``json``."""
    t = _catalog(reader)
    if form == "json":
        return (dumps(reply_to_json(found, t), indent=1) + "\n").encode()
    return _text(t("explain.title.reply"), reply_sections(found, t), t)


def message_answer(found: ExplainedMessage, reader: Reader, form: str) -> bytes:
    """An explained message as ``text`` or ``json``."""
    t = _catalog(reader)
    if form == "json":
        return (dumps(message_to_json(found, t), indent=1) + "\n").encode()
    where = zone(reader.zone or ("Asia/Taipei" if t.lang == "zh-Hant-TW" else "UTC"))
    sections = junked_sections(found.junked, t, where, found.verified, cut=found.cut)
    return _text(t("explain.title.message"), sections, t)


def _catalog(reader: Reader) -> Catalog:
    return catalog(reader.lang or LANGUAGES[0])


def _text(title: str, sections: Iterable[Section], t: Catalog) -> bytes:
    lines = [*wrap(title), "=" * min(WIDTH, width(title))]
    for section in sections:
        lines += ["", *wrap(section.heading), "-" * min(WIDTH, width(section.heading))]
        for number, block in enumerate(section.blocks):
            lines += [*([""] if number else []), *_lines(block, t)]
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _lines(block: Block, t: Catalog) -> list[str]:
    match block:
        case Paragraph(text):
            return [*wrap(text)]
        case Note(text):
            return [*wrap(text, "!! ", "!! ")]
        case Facts(rows):
            return [line for name, value in rows for line in wrap(f"{name}{t('colon')}{value}", "- ", "  ")]
        case Quote(label, text):
            return [*wrap(f"{label}{t('colon')}"), *wrap(text, "| ", "| ")]
        case Table(caption, head, rows):
            lines = [*wrap(caption)]
            for row in rows:
                for number, (name, cell) in enumerate(zip(head, row, strict=True)):
                    lines += wrap(f"{name}{t('colon')}{cell}", "  " if number else "- ", "    ")
            return lines
        case _:
            raise TypeError(f"no text form for {type(block).__name__}")


# --- as JSON ----------------------------------------------------------------------------------------------------------


def reply_to_json(found: Explanation, t: Catalog) -> dict[str, Any]:
    """By ``docs/schema/explain.v1.json``."""
    registered = found.registered
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "explain",
        "subject": "reply",
        "lang": t.lang,
        "reply": {
            "code": found.reply.code,
            "enhanced_status_code": found.reply.enhanced_status_code,
            "text": found.reply.text,
        },
        "cause": found.cause,
        "actor": found.actor.value,
        "meaning": t.pick(found.meaning),
        "advice": t.pick(found.advice),
        "basis": found.basis.value,
        "provider": found.provider,
        "rule": found.rule,
        "source": found.source,
        "registered": {"text": t.pick(registered.text), "registry_date": REGISTRY_DATE.isoformat()}
        if registered
        else None,
    }


def message_to_json(found: ExplainedMessage, t: Catalog) -> dict[str, Any]:
    """By ``docs/schema/explain.v1.json``."""
    junked = found.junked
    boundary = junked.boundary
    side = boundary.side if boundary else None
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "explain",
        "subject": "message",
        "lang": t.lang,
        "judgement": junked.answer.reading.judgement.value if junked.answer else None,
        "side": list(side.names) if side else [],
        "entry": boundary.entry.by if boundary and boundary.entry else None,
        "confirmed": junked.confirmed,
        "readings": [_told_to_json(junked, told, t) for told in junked.told],
        "foreign_authserv_ids": list(junked.foreign),
        "hops": [_hop_to_json(delay) for delay in junked.delays],
        "header_cut": found.cut,
        "verified": None
        if found.verified is None
        else [{"check": v.check, "outcome": v.outcome.value, "sentence": sentence(v, t.lang)} for v in found.verified],
    }


def _told_to_json(junked: Junked, told: Told, t: Catalog) -> dict[str, Any]:
    findings = [
        {
            "code": finding.code,
            "parameters": dict(finding.parameters),
            "sentence": told.sentence(finding, t.lang),
            "actor": (actor := told.actor(finding)) and actor.value,
            "advice": junked.advice(told, finding, t.lang) or None,
        }
        for finding in told.reading.findings
    ]
    return {
        "filter": told.filter.id,
        "origin": told.origin.value if told.origin else "screen",
        "believed": told.believed,
        "judgement": told.reading.judgement.value,
        "findings": findings,
    }


def _hop_to_json(delay: Delay) -> dict[str, Any]:
    hop = delay.hop
    return {
        "by": hop.by,
        "helo": hop.helo,
        "client_name": hop.client_name,
        "client_ip": hop.client_ip,
        "protocol": hop.protocol,
        "at": hop.at.isoformat().replace("+00:00", "Z") if hop.at else None,
        "seconds": delay.seconds,
        "clock_skew": delay.skewed,
    }


def known(found: Explanation | ExplainedMessage) -> bool:
    """Whether there is an answer at all, or only words that nobody here understands."""
    if isinstance(found, Explanation):
        return found.basis is not Basis.NONE
    return found.junked.answer is not None
