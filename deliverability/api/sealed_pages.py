"""What a verification showed, and a customer's history, as text, JSON or an HTML fragment."""

from collections.abc import Sequence
from datetime import UTC, tzinfo
from html import escape
from typing import Any
from urllib.parse import quote

from deliverability.api.sealing import History
from deliverability.compose.catalog import Catalog, catalog
from deliverability.compose.sealed import Told, finding_lines, history_rows, limits, told_lines
from deliverability.compose.when import zone as zone_named
from deliverability.errors import UsageError, printable
from deliverability.ledger.verify import Held, Step, Verification
from deliverability.protocols.columns import visible, width
from deliverability.protocols.records import record_to_json
from deliverability.protocols.shown_json import dumps

SCHEMA_VERSION = 1


def verification(done: Verification, lang: str, zone: str, form: str) -> bytes:
    """A verification, step by step, with what it does not prove."""
    t, where = catalog(lang), zone_named(zone)
    told = [
        Told(d.intent, d.outcomes, d.later, [(k.signing_domain, k.selector, k.status) for k in d.keys])
        for d in done.dispatches
    ]
    if form == "json":
        return _json(_verification_to_json(done, told, t))
    findings = finding_lines(t, [(f.held.value, f.code, f.parameters) for f in done.findings])
    widest = max(width(word) for word, _ in findings)
    lines = [visible(f"{word}{' ' * (widest - width(word))}  {sentence}") for word, sentence in findings]
    lines += ["", t(f"seal.verdict.{verdict(done)}")]
    if told:
        lines += ["", t("seal.says"), *(f"  {visible(line)}" for line in told_lines(t, told, where))]
    lines += ["", t("seal.limits"), *(f"  - {sentence}" for sentence in limits(t, stamped=bool(done.stamped)))]
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def verdict(done: Verification) -> str:
    """``tampered``, ``complete``, ``open`` or ``other``."""
    if done.tampered:
        return "tampered"
    if any(f.step is Step.FORM and f.held is Held.UNDECIDED for f in done.findings):
        return "other"
    return "complete" if done.complete else "open"


def _verification_to_json(done: Verification, told: Sequence[Told], t: Catalog) -> dict[str, Any]:
    sentences = finding_lines(t, [(f.held.value, f.code, f.parameters) for f in done.findings])
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "verification",
        "verdict": verdict(done),
        "origin": done.origin,
        "size": done.size,
        "signed_by": list(done.signed_by),
        "stamped": [{"authority": authority, "at": at.astimezone(UTC).isoformat()} for authority, at in done.stamped],
        "erased": done.erased,
        "findings": [
            {"step": f.step, "held": f.held, "code": f.code, "parameters": dict(f.parameters), "sentence": sentence}
            for f, (_, sentence) in zip(done.findings, sentences, strict=True)
        ],
        "dispatches": [_told_to_json(one) for one in told],
        "limits": limits(t, stamped=bool(done.stamped)),
    }


def _told_to_json(told: Told) -> dict[str, Any]:
    return {
        "dispatch": told.intent.dispatch,
        "finish": told.finish,
        "level": told.level,
        "intent": record_to_json(told.intent),
        "outcomes": [record_to_json(outcome) for outcome in told.outcomes],
        "later": [record_to_json(event) for event in told.later],
        "keys": [{"signing_domain": d, "selector": s, "status": status} for d, s, status in told.keys],
    }


def catalog_and_zone(lang: str, zone: str) -> tuple[Catalog, tzinfo]:
    """For whom a page is: the sentences of a language, and a time zone."""
    return catalog(lang), zone_named(zone)


def history_page(
    found: History, customer: str, reader: tuple[Catalog, tzinfo], form: str, proof_link: str | None
) -> bytes:
    """Every notice to a customer; ``proof_link`` is a web address with ``{dispatch}`` in it.

    ``form`` is ``text``, ``json``, or ``html``: a fragment to embed, with no style and no script of its own.
    """
    t, where = reader
    if form == "json":
        return _json(
            {
                "schema_version": SCHEMA_VERSION,
                "kind": "history",
                "customer": customer,
                "first": found.first,
                "last": found.last,
                "entries": found.entries,
                "erased": found.erased,
                "waiting": found.waiting,
                "notices": [_told_to_json(one) for one in found.told],
            }
        )
    if form == "html":
        return _fragment(found, customer, t, where, proof_link)
    if form != "text":
        raise UsageError(f"--format {printable(form)!r}: there are text, json and html")
    if not found.told:
        return "".join(f"{visible(line)}\n" for line in _none(found, customer, t)).encode("utf-8", "backslashreplace")
    rows = [tuple(visible(cell) for cell in row) for row in history_rows(t, found.told, where)]
    widths = [max(width(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [visible(t("history.title", customer=customer)), ""]
    lines += ["  ".join(cell + " " * (widths[i] - width(cell)) for i, cell in enumerate(row)).rstrip() for row in rows]
    lines += ["", *_remarks(found, t)]
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _remarks(found: History, t: Catalog) -> list[str]:
    gapless = found.first is not None and found.last is not None and found.last - found.first + 1 == found.entries
    remarks = [t("history.gapless", first=found.first, last=found.last)] if gapless and not found.erased else []
    remarks += [t("history.erased", count=found.erased)] if found.erased else []
    remarks += _open(found, t)
    return [*remarks, t("seal.limits.truth"), t("seal.limits.reading")]


def _none(found: History, customer: str, t: Catalog) -> list[str]:
    erased = [t("history.erased", count=found.erased)] if found.erased else []
    return [t("history.none", customer=customer), *erased, *_open(found, t)]


def _open(found: History, t: Catalog) -> list[str]:
    return [t("history.waiting", count=found.waiting)] if found.waiting else []


def _fragment(found: History, customer: str, t: Catalog, where: tzinfo, proof_link: str | None) -> bytes:
    if proof_link is not None and not proof_link.startswith(("https://", "http://", "/")):
        raise UsageError("--proof-link is a web address, or a path that begins with /")
    if not found.told:
        notes = (f'<p class="deliverability-note">{_html(line)}</p>\n' for line in _none(found, customer, t))
        return "".join(notes).encode("utf-8", "backslashreplace")
    head, *rows = history_rows(t, found.told, where)
    lines = [f'<table class="deliverability-history" lang="{t.lang}">']
    lines.append(f"<caption>{_html(t('history.title', customer=customer))}</caption>")
    lines.append("<thead><tr>" + "".join(f'<th scope="col">{_html(cell)}</th>' for cell in head) + "</tr></thead>")
    lines.append("<tbody>")
    for told, row in zip(found.told, rows, strict=True):
        proof = _html(row[-1])
        if proof_link is not None:
            target = proof_link.replace("{dispatch}", quote(told.intent.dispatch, safe=""))
            proof = f'<a href="{escape(target)}">{_html(t("history.proof"))}</a>'
        lines.append("<tr>" + "".join(f"<td>{_html(cell)}</td>" for cell in row[:-1]) + f"<td>{proof}</td></tr>")
    lines.append("</tbody></table>")
    lines += [f'<p class="deliverability-note">{_html(remark)}</p>' for remark in _remarks(found, t)]
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _html(text: str) -> str:
    return escape(visible(text))


def _json(value: dict[str, Any]) -> bytes:
    return (dumps(value, indent=1) + "\n").encode("utf-8", "backslashreplace")
