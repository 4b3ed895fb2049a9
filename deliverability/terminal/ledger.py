"""``deliverability ledger …``, ``verify`` and ``history``: the tamper-evident log on the command line."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from deliverability.errors import UsageError, printable
from deliverability.terminal.asking import moment, read_file, settings_of
from deliverability.terminal.keys import verifier_key
from deliverability.terminal.options import ConfigOption, Lang, NowOption, OutputOption, TableFormat, lang_option
from deliverability.terminal.status import COULD_NOT_LOOK, PENDING, TAMPERED, UNKNOWN
from deliverability.terminal.streams import number, say, write, write_lines

MAX_BUNDLE_FILE = 64 << 20
MAX_HEAD_FILE = 64 << 10

VERIFY_HELP = """Verify evidence offline: step by step, what is shown and by whom.

\b
  deliverability verify evidence.json --key example.com/dispatch+1234abcd+AbC…
  deliverability verify evidence.json --key key.txt --tsa-root authority.pem --lang zh-Hant-TW
  deliverability verify --page verifier.html

Exit status: 0 sealed, and unchanged; 3 nothing was found changed, but something that a seal needs is missing, or
a time with --require-time, or how a head of --checkpoint stands to it; 5 changed; 6 nothing can be said.
"""
HISTORY_HELP = """Every notice to a customer, failures included: "My Mail".

\b
  deliverability history --customer 4711 --ledger /var/lib/deliverability/ledger
  deliverability history --to mei@gmail.com --lang zh-Hant-TW
  deliverability history --customer 4711 --format html --proof-link '/proof/{dispatch}'

Exit status: 0 listed; 4 none is sealed; 5 the ledger was changed; 6 could not look.
"""

ledger = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="The tamper-evident log of what was sent: what was recorded can be shown, and every later change shows.",
)

FolderOption = Annotated[
    Path | None, typer.Option("--ledger", metavar="FOLDER", help="The ledger; else [ledger] path of the configuration.")
]
AccountOption = Annotated[
    str | None, typer.Option("--account", metavar="ID", help="The mailer's own name for the customer.")
]
AddressOption = Annotated[str | None, typer.Option("--to", metavar="ADDRESS", help="The customer's address.")]
DispatchOption = Annotated[str | None, typer.Option("--dispatch", metavar="ID", help="One message to one recipient.")]


@ledger.command(short_help="Make a ledger with a key of its own.")
def init(
    origin: Annotated[str, typer.Argument(metavar="ORIGIN", help="Its name for all time: example.com/dispatch.")],
    folder: FolderOption = None,
    config: ConfigOption = None,
    now: NowOption = None,
) -> None:
    """Make an empty ledger, its key and its first signed head."""
    from deliverability.api.sealing import clock, ledger_folder
    from deliverability.ledger.log import Ledger

    settings = settings_of(config)
    place = ledger_folder(settings, folder)
    head = Path(settings.ledger.head) if settings.ledger.head else None
    with Ledger.create(place, origin, head=head, now=clock(moment(now, "--now", None))) as made:
        say(f"made {printable(str(place))}; publish this key where your customers find it (DNS, customer area):")
        write(f"{made.verifier_keys()[0].to_text()}\n".encode(), None)


@ledger.command(short_help="Entries, heads, open dispatches, time-stamps.")
def status(
    folder: FolderOption = None,
    form: Annotated[TableFormat, typer.Option("--format", help="Form of the answer.")] = TableFormat.TEXT,
    config: ConfigOption = None,
) -> None:
    """What the ledger holds, and whether it continues its last signed head."""
    from deliverability.api.sealing import open_ledger
    from deliverability.ledger.checkpoint import parse_checkpoint
    from deliverability.ledger.spool import spooled

    with open_ledger(settings_of(config), folder, write=False) as log:
        head = log.head.read()
        tokens = log.store.tokens()
        facts: dict[str, Any] = {
            "origin": log.store.origin,
            "entries": log.store.size,
            "root": log.store.root().hex(),
            "signed": parse_checkpoint(head)[0].size if head else 0,
            "open_dispatches": len(log.store.open_dispatches()),
            "spool_files": len(spooled(log.folder / "spool")),
            "time_stamps": len(tokens),
            "last_time_stamp": tokens[-1].at.isoformat() if tokens else None,
            "keys": log.key_history(),
        }
    if form is TableFormat.JSON:
        write(json.dumps({"schema_version": 1, "kind": "ledger-status", **facts}, indent=1).encode(), None)
        return
    lines = [f"{n.replace('_', ' ')}: {'never' if v is None else v}" for n, v in facts.items() if n != "keys"]
    lines += [
        f"key: {k['key']} from {k['from']}" + (f" until {k['until']}" if k["until"] else "") for k in facts["keys"]
    ]
    write(("\n".join(lines) + "\n").encode(), None)


@ledger.command(short_help="Take in what was spooled, sign a head, have it stamped.")
def checkpoint(
    folder: FolderOption = None,
    stamp: Annotated[
        bool, typer.Option("--stamp/--no-stamp", help="Ask the configured authorities for a time-stamp.")
    ] = True,
    head_lost: Annotated[
        bool, typer.Option("--head-lost", help="The file with the last head is lost: begin it anew, and log that.")
    ] = False,
    config: ConfigOption = None,
    now: NowOption = None,
) -> None:
    """Drain the spools of all processes, sign a head over everything, and have it stamped.  For a timer."""
    from deliverability.api.sealing import anchor, clock, open_ledger, open_without_head, signers_for

    settings, at = settings_of(config), clock(moment(now, "--now", None))
    with open_without_head(settings, folder, at) if head_lost else open_ledger(settings, folder, write=True) as log:
        say(f"{number(log.drain(at), 'record')} taken in; {number(log.store.size, 'entry')}")
        note = log.sign(at, signers_for(log, settings))
        done = anchor(log, settings.ledger.authorities, at) if stamp else ()
    for one in done:
        say(f"{one.authority}: {one.at.isoformat() if one.at else one.problem}")
    write(note, None)
    if any(one.at is None for one in done):
        raise typer.Exit(COULD_NOT_LOOK)


@ledger.command(name="anchor", short_help="Have the newest head stamped.")
def anchor_(folder: FolderOption = None, config: ConfigOption = None, now: NowOption = None) -> None:
    """Ask every configured authority for a time-stamp over the newest head."""
    from deliverability.api.sealing import anchor, clock, open_ledger

    settings = settings_of(config)
    if not settings.ledger.authorities:
        raise UsageError("no time-stamping authority is configured: [[tsa]] with name, url and roots")
    with open_ledger(settings, folder, write=True) as log:
        done = anchor(log, settings.ledger.authorities, clock(moment(now, "--now", None)))
    for one in done:
        say(f"{one.authority}: {one.at.isoformat() if one.at else one.problem}")
    if any(one.at is None for one in done):
        raise typer.Exit(COULD_NOT_LOOK)


@ledger.command(short_help="Build the tree again and hold it against what is kept.")
def verify(folder: FolderOption = None, config: ConfigOption = None) -> None:
    """Read every entry: exit status 5 when one is not what was sealed, or a record went without an erasure."""
    from deliverability.api.sealing import incident_lines, open_ledger

    with open_ledger(settings_of(config), folder, write=False) as log:
        checked = log.store.check_tree()
        size = number(checked.entries, "entry")
        say(f"{size} {'is' if checked.entries == 1 else 'are'} as sealed; root {log.store.root().hex()}")
        if checked.erased:
            say(f"{number(checked.erased, 'record')} erased, as the log says")
        if checked.unkept:
            say(f"{number(checked.unkept, 'record')} not kept: about erased dispatches, and came in afterwards")
        for line in incident_lines(log, checked.incidents):
            say(line)


@ledger.command(short_help="A bundle that anyone can verify.")
def prove(
    account: AccountOption = None,
    to: AddressOption = None,
    dispatch: DispatchOption = None,
    message: Annotated[
        Path | None, typer.Option("--message", metavar="FILE.eml", help="Put a copy of the notice in.")
    ] = None,
    continues: Annotated[
        list[Path] | None, typer.Option("--continues", metavar="HEAD", help="Show that the log continues this head.")
    ] = None,
    folder: FolderOption = None,
    output: OutputOption = None,
    config: ConfigOption = None,
) -> None:
    """Write what the ledger holds of one customer, address or dispatch, with its proofs."""
    from deliverability.api import sealing

    heads = [read_file(path, MAX_HEAD_FILE) for path in continues or ()]
    mail = read_file(message, MAX_BUNDLE_FILE) if message else None
    with sealing.open_ledger(settings_of(config), folder, write=False) as log:
        bundle = sealing.prove(log, account=account, address=to, dispatch=dispatch, mail=mail, heads=heads)
    write(bundle.to_bytes(), output, exact=True)


@ledger.command(short_help="The whole log, as JSON lines.")
def export(folder: FolderOption = None, output: OutputOption = None, config: ConfigOption = None) -> None:
    """Every entry: number, leaf, salt and record, one a line; the newest head last."""
    from deliverability.api.sealing import exported, open_ledger

    with open_ledger(settings_of(config), folder, write=False) as log:
        write_lines(exported(log), output)


@ledger.command(short_help="Erase a person's records; every other proof stays.")
def erase(
    account: AccountOption = None,
    to: AddressOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it: what is erased cannot be brought back.")] = False,
    folder: FolderOption = None,
    config: ConfigOption = None,
    now: NowOption = None,
) -> None:
    """Erase salts and records of one customer or address.  Backups of the ledger keep them: see docs/ledger.md."""
    from deliverability.api import sealing

    if not yes:
        raise UsageError("erasing cannot be undone: add --yes")
    settings, at = settings_of(config), sealing.clock(moment(now, "--now", None))
    with sealing.open_ledger(settings, folder, write=True) as log:
        log.drain(at)
        count = sealing.erase(log, account=account, address=to, now=at)
        say(f"{number(count, 'record')} erased; backups made before still hold them")
        unswept = log.store.unswept
        if unswept:
            say(
                "their octets still stand in the file: somebody is reading it, or the disk is full; the next command"
                " that writes clears them away"
            )
        log.sign(at, sealing.signers_for(log, settings))
    if unswept:
        raise typer.Exit(COULD_NOT_LOOK)


@ledger.command(name="rotate-key", short_help="Let a new key sign, with the old one for a while.")
def rotate_key(
    retire: Annotated[bool, typer.Option("--retire", help="End the overlap: destroy the oldest key in use.")] = False,
    folder: FolderOption = None,
    config: ConfigOption = None,
    now: NowOption = None,
) -> None:
    """Make a new key; heads bear both signatures until --retire.  Publish the new key before the old one goes."""
    from deliverability.api.sealing import clock, open_ledger, signers_for
    from deliverability.ledger.notes import VerifierKey

    settings, at = settings_of(config), clock(moment(now, "--now", None))
    with open_ledger(settings, folder, write=True) as log:
        if signers_for(log, settings) is None:
            log.signers()  # a key that cannot be used is said before the log speaks of another
        if retire:
            oldest = next(k["key"] or "" for k in log.key_history() if k["until"] is None)
            log.retire_key(VerifierKey.parse(oldest), at)
            say(f"retired {oldest}")
        else:
            key = log.add_key(at)
            say("publish this key where your customers find the other; then: rotate-key --retire")
            write(f"{key.to_text()}\n".encode(), None)
            if settings.ledger.signer:
                say(f"give keys/{key.key_id.hex()}.pem to the program that signs; then: ledger checkpoint")
                return
        log.sign(at, signers_for(log, settings))


@ledger.command(short_help="After a fork or a restore: a new log that names the last good head.")
def incident(
    origin: Annotated[str, typer.Argument(metavar="ORIGIN", help="Name of the new log: example.com/dispatch/2.")],
    last_head: Annotated[
        Path, typer.Option("--last-head", metavar="HEAD", help="The last head that is known to be good.")
    ],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="What happened, for everybody to read.")],
    folder: FolderOption = None,
    config: ConfigOption = None,
    now: NowOption = None,
) -> None:
    """A log that was rolled back or forked is never signed again; begin another that commits to it."""
    from deliverability.api.sealing import clock, ledger_folder
    from deliverability.ledger.checkpoint import parse_checkpoint
    from deliverability.ledger.leaves import LeafKind
    from deliverability.ledger.log import Ledger
    from deliverability.protocols.record_octets import time_to_text

    head = read_file(last_head, MAX_HEAD_FILE)
    before, _ = parse_checkpoint(head)
    if before.origin == origin:
        raise UsageError("the new log needs a name of its own: the old one is finished")
    at, settings = clock(moment(now, "--now", None)), settings_of(config)
    kept = Path(settings.ledger.head) if settings.ledger.head else None
    if kept and kept.exists():
        shown = printable(str(kept))
        raise UsageError(f"{shown}: the head of the old log stays where it is; name another file in [ledger] head")
    with Ledger.create(ledger_folder(settings, folder), origin, head=kept, now=at) as made:
        event: dict[str, object] = {
            "what": "continues",
            "head": head.decode("utf-8", "replace"),
            "reason": reason[:2000],
        }
        made.append_own(LeafKind.INCIDENT, event | {"at": time_to_text(at)})
        made.sign(at)
        write(f"{made.verifier_keys()[0].to_text()}\n".encode(), None)


def verify_bundle_file(
    bundle: Annotated[Path | None, typer.Argument(metavar="BUNDLE", help="The file of evidence.")] = None,
    key: Annotated[
        list[str] | None,
        typer.Option("--key", metavar="KEY", help="The sender's published key: NAME+ID+BASE64, or its file."),
    ] = None,
    root: Annotated[
        list[Path] | None,
        typer.Option("--tsa-root", metavar="FILE.pem", help="Root of a time-stamping authority that you trust."),
    ] = None,
    head: Annotated[
        list[Path] | None, typer.Option("--checkpoint", metavar="HEAD", help="A signed head that you hold yourself.")
    ] = None,
    require_time: Annotated[
        bool, typer.Option("--require-time", help="Status 3 unless an authority that you trust shows a time.")
    ] = False,
    lang: Annotated[Lang, lang_option("Language of the sentences.")] = Lang.EN,
    zone: Annotated[str | None, typer.Option("--zone", metavar="ZONE", help="Time zone of the times shown.")] = None,
    form: Annotated[TableFormat, typer.Option("--format", help="Form of the answer.")] = TableFormat.TEXT,
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE.html", help="Write the verifier for browsers there.")
    ] = None,
    output: OutputOption = None,
) -> None:
    """See :data:`VERIFY_HELP`."""
    if page is not None:
        from deliverability.ledger.verifier_page import verifier_page

        write(verifier_page(), page)
        if bundle is None:
            return
    if bundle is None:
        raise UsageError("say which bundle to verify, or --page FILE.html for the verifier for browsers")
    if require_time and not root:
        raise UsageError("--require-time needs --tsa-root: without one no time can be shown")
    from deliverability.api.sealed_pages import verification
    from deliverability.api.sealing import read_roots
    from deliverability.ledger.verify import Held, Step, verify_bundle

    keys = tuple(verifier_key(text) for text in key or ())
    heads = [read_file(path, MAX_HEAD_FILE) for path in head or ()]
    done = verify_bundle(read_file(bundle, MAX_BUNDLE_FILE), keys=keys, roots=read_roots(root or ()), held_heads=heads)
    write(verification(done, lang.value, zone or ("Asia/Taipei" if lang is Lang.ZH else "UTC"), form.value), output)
    if done.tampered:
        raise typer.Exit(TAMPERED)
    if any(f.step is Step.FORM and f.held is Held.UNDECIDED for f in done.findings):
        raise typer.Exit(COULD_NOT_LOOK)
    timed = any(f.step is Step.TIME and f.held is Held.SHOWN for f in done.findings)
    open_heads = any(f.step is Step.LATER and f.held is not Held.SHOWN for f in done.findings)
    if not done.complete or open_heads or (require_time and not timed):
        raise typer.Exit(PENDING)


def show_history(
    account: Annotated[
        str | None, typer.Option("--customer", metavar="ID", help="The mailer's own name for the customer.")
    ] = None,
    to: Annotated[
        list[str] | None, typer.Option("--to", metavar="ADDRESS", help="An address; may be repeated.")
    ] = None,
    folder: FolderOption = None,
    lang: Annotated[Lang, lang_option("Language.")] = Lang.EN,
    zone: Annotated[str | None, typer.Option("--zone", metavar="ZONE", help="Time zone of the times shown.")] = None,
    form: Annotated[
        str, typer.Option("--format", metavar="FORM", help="text, json or html (a fragment to embed).")
    ] = "text",
    proof_link: Annotated[
        str | None,
        typer.Option("--proof-link", metavar="URL", help="Where a proof can be had; {dispatch} stands for its id."),
    ] = None,
    output: OutputOption = None,
    config: ConfigOption = None,
) -> None:
    """See :data:`HISTORY_HELP`."""
    from deliverability.api import sealing
    from deliverability.api.sealed_pages import catalog_and_zone, history_page

    if account is None and not to:
        raise UsageError("say whose notices: --customer ID or --to ADDRESS")
    with sealing.open_ledger(settings_of(config), folder, write=False) as log:
        found = sealing.history(log, account=account, addresses=tuple(to or ()))
    where = zone or ("Asia/Taipei" if lang is Lang.ZH else "UTC")
    customer = account or ", ".join(to or ())
    write(history_page(found, customer, catalog_and_zone(lang.value, where), form, proof_link), output)
    if not found.told:
        raise typer.Exit(UNKNOWN)
