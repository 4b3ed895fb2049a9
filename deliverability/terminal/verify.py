"""``deliverability verify``: what a bundle of evidence shows, step by step."""

from pathlib import Path
from typing import Annotated

import typer

from deliverability.errors import UsageError
from deliverability.terminal.asking import MAX_BUNDLE_FILE, MAX_HEAD_FILE, read_file
from deliverability.terminal.keys import verifier_key
from deliverability.terminal.named_form import named_form
from deliverability.terminal.options import Lang, OutputOption, TableFormat, lang_option
from deliverability.terminal.status import COULD_NOT_LOOK, PENDING, TAMPERED
from deliverability.terminal.streams import write

VERIFY_HELP = """Verify evidence offline: step by step, what is shown and by whom.

\b
  deliverability verify evidence.json --key example.com/dispatch+1234abcd+AbC…
  deliverability verify evidence.json --key key.txt --tsa-root authority.pem --lang zh-Hant-TW
  deliverability verify --page verifier.html

Exit status: 0 sealed, and unchanged; 3 nothing was found changed, but something that a seal needs is missing, or
a time with --require-time, or how a head of --checkpoint stands to it; 5 changed; 6 nothing can be said.
"""


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
    form: Annotated[
        TableFormat | None, typer.Option("--format", help="Form of the answer; else by the name of -o, else text.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE.html", help="Write the verifier for browsers there.")
    ] = None,
    output: OutputOption = None,
) -> None:
    """See :data:`VERIFY_HELP`."""
    form = named_form(form, TableFormat, output) or TableFormat.TEXT
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
