"""``deliverability ledger …``: the tamper-evident log on the command line."""

import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deliverability.errors import UsageError, printable
from deliverability.terminal.asking import MAX_BUNDLE_FILE, MAX_HEAD_FILE, moment, read_file, settings_of
from deliverability.terminal.light import LightCommand
from deliverability.terminal.options import ConfigOption, LedgerOption, NowOption, OutputOption, TableFormat
from deliverability.terminal.status import COULD_NOT_LOOK
from deliverability.terminal.streams import number, say, write, write_lines

if TYPE_CHECKING:
    from deliverability.api.sealing import Anchored

ledger = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="The tamper-evident log of what was sent: what was recorded can be shown, and every later change shows.",
)

AccountOption = Annotated[
    str | None, typer.Option("--account", metavar="ID", help="The mailer's own name for the customer.")
]
AddressOption = Annotated[str | None, typer.Option("--to", metavar="ADDRESS", help="The customer's address.")]
DispatchOption = Annotated[str | None, typer.Option("--dispatch", metavar="ID", help="One message to one recipient.")]


@ledger.command(cls=LightCommand, short_help="Make a ledger with a key of its own.")
def init(
    origin: Annotated[str, typer.Argument(metavar="ORIGIN", help="Its name for all time: example.com/dispatch.")],
    folder: LedgerOption = None,
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


@ledger.command(cls=LightCommand, short_help="Entries, heads, open dispatches, time-stamps.")
def status(
    folder: LedgerOption = None,
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


@ledger.command(cls=LightCommand, short_help="Take in what was spooled, sign a head, have it stamped.")
def checkpoint(
    folder: LedgerOption = None,
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
    _tell_stamps(done)
    write(note, None)
    if any(one.at is None for one in done):
        raise typer.Exit(COULD_NOT_LOOK)


def _tell_stamps(done: Iterable["Anchored"]) -> None:
    for one in done:
        say(f"{one.authority}: {one.at.isoformat() if one.at else one.problem}")
        if one.apart:
            behind = "behind" if one.apart > timedelta(0) else "ahead of"
            minutes = number(abs(one.apart) // timedelta(minutes=1), "minute")
            say(f"{one.authority}: our clock is {minutes} {behind} that: times in records made by it are off alike")


@ledger.command(cls=LightCommand, name="anchor", short_help="Have the newest head stamped.")
def anchor_(folder: LedgerOption = None, config: ConfigOption = None, now: NowOption = None) -> None:
    """Ask every configured authority for a time-stamp over the newest head."""
    from deliverability.api.sealing import anchor, clock, open_ledger

    settings = settings_of(config)
    if not settings.ledger.authorities:
        raise UsageError("no time-stamping authority is configured: [[tsa]] with name, url and roots")
    with open_ledger(settings, folder, write=True) as log:
        done = anchor(log, settings.ledger.authorities, clock(moment(now, "--now", None)))
    _tell_stamps(done)
    if any(one.at is None for one in done):
        raise typer.Exit(COULD_NOT_LOOK)


@ledger.command(cls=LightCommand, short_help="Build the tree again and hold it against what is kept.")
def verify(folder: LedgerOption = None, config: ConfigOption = None) -> None:
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


@ledger.command(cls=LightCommand, short_help="A bundle that anyone can verify.")
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
    folder: LedgerOption = None,
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


@ledger.command(cls=LightCommand, short_help="The whole log, as JSON lines.")
def export(folder: LedgerOption = None, output: OutputOption = None, config: ConfigOption = None) -> None:
    """Every entry: number, leaf, salt and record, one a line; the newest head last."""
    from deliverability.api.sealing import exported, open_ledger

    with open_ledger(settings_of(config), folder, write=False) as log:
        write_lines(exported(log), output)


@ledger.command(cls=LightCommand, short_help="Erase a person's records; every other proof stays.")
def erase(
    account: AccountOption = None,
    to: AddressOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it: what is erased cannot be brought back.")] = False,
    folder: LedgerOption = None,
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


@ledger.command(cls=LightCommand, name="rotate-key", short_help="Let a new key sign, with the old one for a while.")
def rotate_key(
    retire: Annotated[bool, typer.Option("--retire", help="End the overlap: destroy the oldest key in use.")] = False,
    folder: LedgerOption = None,
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


@ledger.command(cls=LightCommand, short_help="After a fork or a restore: a new log that names the last good head.")
def incident(
    origin: Annotated[str, typer.Argument(metavar="ORIGIN", help="Name of the new log: example.com/dispatch/2.")],
    last_head: Annotated[
        Path,
        typer.Option("--last-head", metavar="HEAD", readable=False, help="The last head that is known to be good."),
    ],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="What happened, for everybody to read.")],
    folder: LedgerOption = None,
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
