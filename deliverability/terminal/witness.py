"""``deliverability witness``: a customer's old mail, held against the log."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deliverability.errors import CannotLookError, UsageError, printable
from deliverability.terminal.asking import (
    MAX_BUNDLE_FILE,
    MAX_HEAD_FILE,
    nameservers,
    read_file,
    read_message,
    replayed,
    settings_of,
)
from deliverability.terminal.keys import verifier_key
from deliverability.terminal.options import (
    ConfigOption,
    Lang,
    OfflineOption,
    OutputOption,
    ReplayOption,
    ServerOption,
    TableFormat,
    TimeoutOption,
    lang_option,
)
from deliverability.terminal.streams import write

if TYPE_CHECKING:
    from deliverability.api.witnessing import Testimony, Witnessed

TAMPERED, OPEN, NOT_FOUND = 5, 3, 4

WITNESS_HELP = """An old mail of the sender's, held against the log: was the log rewritten since?

\b
  deliverability witness old-invoice.eml --bundle evidence.json --key example.com/dispatch+1234abcd+AbC…
  deliverability witness complaint.eml --ledger /var/lib/deliverability
  deliverability witness --make /var/lib/deliverability/head > /var/lib/deliverability/header

Where the DNS has the mail's DKIM key no more, the snapshots in the ledger, or in a bundle that --key vouches for, are
asked; the answer says so, and what such a key is worth.

Exit status: 0 the log continues the head in the mail, and a DKIM signature covers it; 3 open; 4 the mail carries none;
5 the log was rewritten; 6 could not look.
"""


def witness(
    mail: Annotated[
        Path | None, typer.Argument(metavar="[FILE.eml]", help="The mail, whole, as the mailbox has it.")
    ] = None,
    make: Annotated[
        Path | None,
        typer.Option("--make", metavar="HEAD", help="Instead: print the header field that carries this head."),
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option("--ledger", metavar="FOLDER", help="Hold it against this ledger.")
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", metavar="BUNDLE", help="Hold it against this evidence.")
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option("--key", metavar="KEY", help="The sender's published key: NAME+ID+BASE64, or its file."),
    ] = None,
    nameserver: ServerOption = None,
    timeout: TimeoutOption = 3.0,
    offline: OfflineOption = False,
    observations: ReplayOption = None,
    lang: Annotated[Lang, lang_option("Language of the sentences.")] = Lang.EN,
    zone: Annotated[str | None, typer.Option("--zone", metavar="ZONE", help="Time zone of the times shown.")] = None,
    form: Annotated[TableFormat, typer.Option("--format", help="Form of the answer.")] = TableFormat.TEXT,
    output: OutputOption = None,
    config: ConfigOption = None,
) -> None:
    """See :data:`WITNESS_HELP`."""
    from deliverability.api.sealing import open_ledger
    from deliverability.api.witnessing import witness as testify

    if make is not None:
        _make(make, output)
        return
    if mail is None:
        raise UsageError("say which mail: FILE.eml, or --make HEAD for the field of outgoing mail")
    if ledger is not None and bundle is not None:
        raise UsageError("--ledger and --bundle exclude each other")
    if key and bundle is None:
        raise UsageError("--key is for --bundle: a ledger knows its own keys")
    keys = tuple(verifier_key(text) for text in key or ())
    given: dict[str, Any] = {
        "keys": keys,
        "nameservers": nameservers(nameserver or ()),
        "timeout": timeout,
        "offline": offline or observations is not None,
        "observations": replayed(observations),
    }
    message = read_message(mail)
    if ledger is not None:
        with open_ledger(settings_of(config), ledger, write=False) as log:
            found = testify(message, ledger=log, **given)
    else:
        content = read_file(bundle, MAX_BUNDLE_FILE) if bundle else None
        found = testify(message, bundle=content, **given)
    where = zone or ("Asia/Taipei" if lang is Lang.ZH else "UTC")
    rendered = _as_json(found) if form is TableFormat.JSON else _as_text(found, lang.value, where)
    write(rendered.encode("utf-8", "replace"), output)
    if (status := _status(found)) != 0:
        raise typer.Exit(status)


def _make(head: Path, output: Path | None) -> None:
    """The field with LF, as mail servers take it from a file."""
    from deliverability.errors import ParseError
    from deliverability.protocols.witness import make_header

    try:
        field = make_header(read_file(head, MAX_HEAD_FILE))
    except ParseError as problem:
        raise CannotLookError(f"{printable(str(head))}: {problem}") from None
    write(field.replace("\r\n", "\n").encode() + b"\n", output)


def _status(found: "Testimony") -> int:
    from deliverability.ledger.verify import Held

    if not found.heads:
        return NOT_FOUND
    held = {one.held for one in found.heads}
    if Held.FAILED in held:
        return TAMPERED
    return 0 if held == {Held.SHOWN} else OPEN


def _as_text(found: "Testimony", lang: str, zone: str) -> str:
    from deliverability.compose.witnessed import cover_lines, key_lines, received_line, sentences
    from deliverability.correlate.clock import parse_zone

    try:
        where = parse_zone(zone)
    except ValueError:
        raise UsageError(f"--zone {printable(zone)!r}: no such time zone") from None
    lines = [] if found.heads else sentences(lang, [("none", {})])
    for one in found.heads:
        codes: list[tuple[str, Any]] = []
        if one.head is not None:
            codes.append(("head", {"origin": one.head.origin, "size": str(one.head.size)}))
        lines += sentences(lang, [*codes, (one.against.code, one.against.parameters)])
        lines += cover_lines(lang, one.carried)
        if one.key is not None:
            lines += key_lines(lang, one.key.number, one.key.at, where, chained=one.key.chained)
    lines.append(received_line(lang, found.received, where))
    return "\n".join(printable(line, 4000) for line in lines) + "\n"


def _as_json(found: "Testimony") -> str:
    heads = [_head_to_json(one) for one in found.heads]
    hops = [{"by": hop.by, "at": hop.at.isoformat() if hop.at else None} for hop in found.received]
    return json.dumps({"schema_version": 1, "kind": "witness", "heads": heads, "received_claims": hops}, indent=1)


def _head_to_json(one: "Witnessed") -> dict[str, Any]:
    return {
        "held": one.held.value,
        "code": one.against.code,
        "origin": one.head.origin if one.head else None,
        "size": one.head.size if one.head else None,
        "cover": one.carried.cover.value,
        "oversigned": one.carried.sealed,
        "key": None
        if one.key is None
        else {"entry": one.key.number, "at": one.key.at.isoformat(), "dnssec": one.key.chained},
        "signatures": [
            {
                "domain": s.domain.name if s.domain else None,
                "selector": s.selector,
                "result": s.result.value,
                "reason": s.reason.value,
            }
            for s in one.carried.signatures
        ],
    }
