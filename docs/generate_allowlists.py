"""Write ``docs/allowlists.md`` from the forms themselves: what each does, what it does not do, and what was tried.

Run as ``python docs/generate_allowlists.py``; a test fails when the page is not what this writes.
"""

import sys
from pathlib import Path

from deliverability import plugins
from deliverability.evidence.plugin import Form, Need

PAGE = Path(__file__).with_name("allowlists.md")
NEEDS = {
    Need.AUTHSERV_ID: "`--authserv-id`: the name that the recipient's own server writes at the head of `Authentication-Results`",
    Need.SIGNER: "a DKIM signing domain: `--message` with a valid signature, or `--selector`",
    Need.EGRESS_IPS: "the sender's connecting addresses: `--from-ip`, or `egress_ips` in the configuration",
}
HEAD = """# Allowlist files

`deliverability allowlist --for NAME` writes a file that makes a mail system trust **one** sender's address. This page is
written from the forms by `docs/generate_allowlists.py`.

`deliverability report` brings those of the recipient's provider along, in its PDF and HTML
([report-formats.md](report-formats.md)).

Each file states, in English and Chinese, what it does and does not do, whose mail it changes, how to undo it and when it
expires.

## When there is no file

- The message failed authentication: never allowlist a sender because of it.
- The receiving server refused the message, or nothing shows that it has it: no list in the mailbox is asked then.
- The form looks at the From line alone, and the sender's DMARC policy is not `reject`, or it could not be looked up, or
  the message at hand is not shown to be genuine. With `quarantine` forged mail is only put into junk, and such a file
  would take it out again.
- A fact is missing that would have to be guessed: the recipient's own authserv-id, a signing domain, addresses.
- The address holds a sign that the engine may take for a wildcard or the like.

## How they were tried

`tests/servers/test_allowlist_servers.py` runs a receiving server (Postfix with rspamd, which writes
`Authentication-Results`) and gives what it delivers to each engine: genuine mail must get in, every forgery must stay out.
The forgeries: no signature; another's signature; our signature under another From; a second `Authentication-Results`, or
one by another server; two addresses or two lines in From; a quoted local part or a greeting that carries a result; an
`i=` with two addresses; look-alike names and subdomains; our address as display name, comment or group; another mailbox
of our domain; a changed body. A control with a From-only list shows that the letters do reach the rules. Versions: SpamAssassin
4.0.1, rspamd 3.4, amavisd-new 2.13.0, Dovecot Pigeonhole 0.5.19, Exim 4.96.

What no list can help: a sender whose signature has `l=` lets anybody add to the body; a genuine message can be sent again
by whoever has it; and Sieve and Exim rely on the recipient's server to write its result on every message from outside.

## Not made, and why

| form | why not |
|---|---|
| SpamAssassin `user_prefs`, and so a cPanel account's own list | users' preferences may define no rule with conditions. `whitelist_from` lets every forger in, and SpamAssassin 4.0.1 lets one in for `welcomelist_from_dkim` and `welcomelist_auth` as well, in our tests: what the signer writes into `i=` decides there, and not the domain that signed |
| cPanel "Email Filters", Plesk white list | they compare the From text alone, on servers that need not enforce DMARC |
| Thunderbird message filter | it can only ask whether *any* `Authentication-Results` contains a word, which a forger writes; offer the contact |
| Outlook safe-senders file | From alone, and the file has no place for a remark on reach, undo and expiry |
| Postfix access map | it looks at the envelope's sender alone, and at a wrong place opens a relay |
| rspamd `valid_dkim`, a map on `DKIM_TRACE` | trusts any From as long as the domain signed something: at a web host, for every customer |
| Cisco HAT entry | passes everything that a server sends, at a web host every customer's mail |
| iCloud, Outlook.com and others | they take no file; the report has their steps |
"""


def page() -> str:
    """The whole page."""
    forms: list[Form] = [plugins.load("allowlists", name) for name in plugins.ids("allowlists")]
    head = ["", "## The forms", "", "| form | for | rests on authentication | run in its engine |", "|---|---|---|---|"]
    rows = [
        f"| [`{f.id}`](#{f.id}) | {f.kind.value.replace('-', ' ')} | {yes(f.authenticated)} | {yes(f.run_here)} |"
        for f in forms
    ]
    return "\n".join([HEAD.rstrip(), *head, *rows, "", *(section(form) for form in forms)])


def section(form: Form) -> str:
    """One form."""
    rows = [
        ("does", form.effect["en"]),
        ("does not", form.limits["en"]),
        ("reach", form.blast_radius["en"]),
        ("undo", form.undo["en"]),
        ("ends", "by itself, after its last day" if form.ends_by_itself else "when it is undone"),
        ("needs", "; ".join(NEEDS[need] for need in sorted(form.needs)) or "the address alone"),
        ("providers", ", ".join(f"`{one}`" for one in sorted(form.providers)) or "whoever runs it"),
        ("source", form.source),
    ]
    told = [f"| {name} | {text.replace('|', chr(92) + '|')} |" for name, text in rows]
    steps = [f"{number}. {step}" for number, step in enumerate(form.instructions["en"], 1)]
    title = f"**{form.title['en']}** · {form.title['zh-Hant-TW']}"
    return "\n".join([f"## {form.id}", "", title, "", "| | |", "|---|---|", *told, "", *steps, ""])


def yes(true: bool) -> str:
    """A word for a table."""
    return "yes" if true else "no"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE}\n")
