"""The evidence section and how to verify: for those who want to check every word above."""

from datetime import datetime

from deliverability.compose.because import sentence
from deliverability.compose.case import Case
from deliverability.compose.covered import counts
from deliverability.compose.kinds import NO_PAGE, Kind, state_key
from deliverability.compose.mailbox import made
from deliverability.compose.reason import meaning, meanings, words
from deliverability.compose.results import result_of
from deliverability.compose.timeline import timeline
from deliverability.compose.when import both, exact, worked_out
from deliverability.evidence.document import Block, Facts, Paragraph, Quote, Section, Table
from deliverability.evidence.exhibit import LogLine
from deliverability.evidence.story import Attempt, FileCoverage, Role, Signing
from deliverability.evidence.verdict import Outcome, Verdict

CUSTOMER_ATTEMPTS = 5  # the newest; the support edition has all
_TLS_VERIFIED = {True: "tls.verified", False: "tls.unverified", None: "tls.silent"}


def evidence(case: Case) -> Section:
    """Facts, attempts, verdicts, log lines, what was looked through, and what was not looked at."""
    t = case.t
    facts = _facts(case)
    blocks: list[Block] = [Facts(facts)] if facts else []
    blocks += _attempts(case)
    blocks += _parts(case)
    if case.kind not in NO_PAGE:
        blocks += _verdicts(case)
    blocks += _log_lines(case)
    blocks += _coverage(case)
    blocks += [Paragraph(text) for text in _not_checked(case)]
    return Section("evidence", t("heading.evidence"), tuple(blocks))


def verify(case: Case) -> Section:
    """Which report this is, and what it does not yet protect against."""
    t = case.t
    rows = (
        (t("verify.report-id"), case.assessment.report_id or t("verify.no-id")),
        (t("verify.ruleset"), case.assessment.ruleset),
        (t("verify.made-by"), case.brand.name),
        (t("verify.made-at"), made(case)),
    )
    return Section(
        "verify", t("heading.verify"), (Facts(tuple(row for row in rows if row[1])), Paragraph(t("verify.unsealed")))
    )


def _facts(case: Case) -> tuple[tuple[str, str], ...]:
    t, attempt, message, claim = case.t, case.attempt, case.message, case.assessment.claim
    rows: list[tuple[str, str | None]] = []
    if attempt:
        rows += _time_rows(case, attempt)
    if message:
        rows += [
            ("fact.arrived", _both(case, message.arrived.instant) if message.arrived else None),
            ("fact.reverse-path", case.reverse_path if case.reverse_path != "" else t("fact.null-path")),
            ("fact.recipient", case.recipient),
            ("fact.forward-paths", case.forwarded),
            ("fact.subject", case.subject),
            ("fact.message-id", f"<{case.message_id}>" if case.message_id else None),
            ("fact.size", t("fact.octets", size=message.size) if message.size is not None else None),
            ("fact.signings", ", ".join(_signed(s) for s in message.signings)),
        ]
    if attempt:
        rows += _attempt_rows(case, attempt)
    if message:
        rows.append(("fact.queue-ids", ", ".join(message.queue_ids)))
        if case.support:
            rows.append(("fact.other-recipients", str(message.other_recipients)))
            rows.append(("fact.account", message.account))
            rows.append(("fact.recorded", str(len(message.recorded)) if message.recorded else None))
    if claim and case.kind is not Kind.NOT_FOUND:
        basis = f"basis.{claim.basis}"
        rows += [
            ("fact.claim", t(state_key(claim.state, case.delivery))),
            ("fact.role", None if claim.role is Role.NONE else t(f"role.{claim.role}")),
            (
                "fact.basis",
                None if claim.basis in ("", "none", "no-host") else t(basis) if t.has(basis) else claim.basis,
            ),
            ("fact.strength", t(f"strength.{claim.strength}")),
        ]
    return tuple((t(key), value) for key, value in rows if value)


def _signed(signing: Signing) -> str:
    return f"{signing.signing_domain} (s={signing.selector})" if signing.selector else signing.signing_domain


def _time_rows(case: Case, attempt: Attempt) -> list[tuple[str, str | None]]:
    t, time = case.t, attempt.at
    year, zone = worked_out(time)
    how = [t(f"time.zone.{zone}")] if zone else []
    how += [t(f"time.year.{year}")] if year else []
    if time.contradicted:
        how.append(t("time.contradicted", id=time.contradicted))
    if time.instant is None:
        how.append(t("time.of-earlier" if time.of_earlier else "time.unresolved"))
    return [
        ("fact.time", _both(case, time.instant)),
        ("fact.logged", None if time.of_earlier else time.logged),
        ("fact.time-basis", case.together(*how) or t("time.logged")),
    ]


def _attempt_rows(case: Case, attempt: Attempt) -> list[tuple[str, str | None]]:
    t, client_ip = case.t, case.assessment.evidence.client_ip
    tls = attempt.tls
    shown = " ".join(filter(None, (tls.version, tls.cipher))) if tls else ""
    return [
        ("fact.relay", str(attempt.relay) if attempt.relay else None),
        (
            "fact.client-ip",
            t.aside(client_ip.value, t(f"origin.{client_ip.origin}")) if client_ip else attempt.local_ip,
        ),
        ("fact.tls", f"{shown}{t('list.semicolon')}{t(_TLS_VERIFIED[tls.verified])}" if tls else _no_tls(case)),
        ("fact.reply", case.hide(words(attempt.reply)) if attempt.reply else None),
        ("fact.reply-means", meaning(attempt, t)),
        ("fact.note", case.hide(attempt.text) if attempt.text and not attempt.reply else None),
        ("fact.remote-queue-id", attempt.remote_queue_id),
        ("fact.folder", case.hide(attempt.folder) if attempt.folder else None),
        ("fact.witness", case.hide(attempt.witness) if attempt.witness else None),
    ]


def _both(case: Case, instant: datetime | None) -> str | None:
    return both(instant, case.where) if instant else None


def _attempts(case: Case) -> list[Block]:
    t, attempts = case.t, case.delivery.attempts if case.delivery else ()
    if not attempts:
        return []
    shown = attempts if case.support else attempts[-CUSTOMER_ATTEMPTS:]
    rows = tuple(
        (
            _moment(case, a),
            str(a.relay) if a.relay else "–",
            t(f"result.{result_of(a)}"),
            case.hide(words(a.reply) if a.reply else a.text) or "–",
        )
        for a in shown
    )
    head = (t("attempt.time"), t("attempt.server"), t("attempt.result"), t("attempt.reply"))
    picture = timeline(case)
    blocks: list[Block] = [picture] if picture else []
    blocks.append(Table(t("attempt.caption"), head, rows))
    means = meanings(shown, t)
    if means and means != meanings([case.attempt] if case.attempt else [], t):  # that one stands above
        blocks.append(Table(t("attempt.meanings"), (t("attempt.reply"), t("fact.reply-means")), means))
    if len(shown) < len(attempts):
        blocks.append(Paragraph(t("attempt.earlier", count=len(attempts) - len(shown))))
    return blocks


def _moment(case: Case, attempt: Attempt) -> str:
    if attempt.instant:
        return exact(attempt.instant, case.where)
    return "–" if attempt.at.of_earlier else attempt.at.logged


def _no_tls(case: Case) -> str | None:
    """Said only of a connection: a mailbox on our own server, or a try that reached nobody, has none to encrypt."""
    if case.attempt is None or case.attempt.relay is None or case.attempt.witness:
        return None  # what a service does not write down is not shown to be missing
    return case.t("tls.none")


def _parts(case: Case) -> list[Block]:
    """Where one address stands for several: what became of each."""
    t = case.t
    if not case.parts:
        return []
    rows = tuple((case.shown(part.recipient), t(f"state.{part.state}")) for part in case.parts)
    return [Table(t("parts.caption", recipient=case.recipient), (t("parts.address"), t("attempt.result")), rows)]


def _verdicts(case: Case) -> list[Block]:
    """Every check for support; for a customer what was decided, and the rest by name.

    The options that would settle those are not the customer's to give.
    """
    t, verdicts = case.t, case.assessment.verdicts
    told = verdicts if case.support else [v for v in verdicts if v.outcome in (Outcome.PASS, Outcome.FAIL)]
    blocks: list[Block] = []
    if told:
        head = (t("verdict.check"), t("verdict.outcome"), t("verdict.finding"))
        blocks.append(Table(t("verdict.caption"), head, tuple(_verdict(case, verdict) for verdict in told)))
    untold = [v for v in verdicts if v not in told]
    for key, unneeded in (("verdict.open", False), ("verdict.not-needed", True)):
        titles = [t.pick(v.title) for v in untold if (v.outcome is Outcome.NOT_APPLICABLE) is unneeded]
        if titles:
            blocks.append(Paragraph(t(key, titles=t("list.semicolon").join(titles))))
    return blocks


def _verdict(case: Case, verdict: Verdict) -> tuple[str, str, str]:
    told = case.hide(sentence(verdict, case.lang))
    return case.t.pick(verdict.title), case.t(f"outcome.{verdict.outcome}"), told


def _log_lines(case: Case) -> list[Block]:
    message, attempt = case.message, case.attempt
    lines: tuple[LogLine, ...] = attempt.lines if attempt else ()
    if message and (case.support or not lines):
        lines = message.lines
    if not lines:
        return []
    quoted = "\n".join(f"{_place(case, line)}\n{case.hide(_text(line))}" for line in lines)
    return [Quote(case.t("log.label"), quoted, literal=True)]


def _place(case: Case, line: LogLine) -> str:
    shown = str(line.place) if case.support else _basename(str(line.place))
    return f"{line.place.log} {shown}" if line.place.log else shown


def _basename(path: str) -> str:
    """Where on our servers a file lies is nothing to a customer; its name is enough to ask about it."""
    return path.rpartition("/")[2]


def _text(line: LogLine) -> str:
    return line.raw.decode("utf-8", "backslashreplace").replace("\n", "\\n").replace("\r", "\\r")


def _coverage(case: Case) -> list[Block]:
    t, coverage = case.t, case.assessment.coverage
    if coverage is None:
        return [Paragraph(t("coverage.none"))]
    head = (t("coverage.file"), t("coverage.first"), t("coverage.last"), t("coverage.lines"), t("coverage.unread"))
    blocks: list[Block] = [Table(t("coverage.caption"), head, tuple(_file(case, file) for file in coverage.files))]
    gaps = [gap for file in coverage.files for gap in file.gaps]
    if gaps:
        kinds = sorted({gap.kind for gap in gaps})
        words = t("list.separator").join(t(f"gap.{k}") if t.has(f"gap.{k}") else k for k in kinds)
        blocks.append(Paragraph(t("coverage.gaps", count=len(gaps), kinds=words)))
    unproven = [
        t("coverage.unproven.file", file=_file(case, file)[0], formats=t("list.separator").join(file.unproven_formats))
        for file in coverage.files
        if file.unproven_formats
    ]
    if unproven:
        blocks.append(Paragraph(t("coverage.unproven", files=t("list.separator").join(unproven))))
    return blocks


def _file(case: Case, file: FileCoverage) -> tuple[str, ...]:
    first, last = (
        (exact(time.instant, case.where) if time.instant else time.logged) if time else "–"
        for time in (file.first, file.last)
    )
    return file.file if case.support else _basename(file.file), first, last, *counts(file, case.t)


def _not_checked(case: Case) -> list[str]:
    t, at_hand = case.t, case.assessment.evidence
    gaps = [t("unchecked.always")]
    if at_hand.mail is None:
        gaps.append(t("unchecked.mail"))
    if not len(at_hand.observations):
        gaps.append(t("unchecked.dns"))
    return gaps
