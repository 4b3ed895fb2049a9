"""Sieve: one From address, and only where the mailbox's own server wrote that DMARC passed (RFC 5228, RFC 8601).

Only the topmost ``Authentication-Results`` counts, and only if it names the recipient's own server.  Everything that a
stranger can write into it (a quoted local part, a comment, a second result) makes the rule fail.
"""

from deliverability.errors import ParseError
from deliverability.evidence.plugin import Form, FormKind, Need
from deliverability.evidence.sender_facts import SenderFacts
from deliverability.protocols.allow_text import QUOTES, commented, pattern, remarks, sieve_string


def _render(facts: SenderFacts) -> bytes:
    if facts.authserv_id is None:
        raise ParseError("a Sieve script needs the authserv-id of the mailbox's own server")
    return (commented(remarks(FORM, facts)) + _script(facts, facts.authserv_id)).encode()


def _script(facts: SenderFacts, authserv_id: str) -> str:
    server, domain = pattern(authserv_id), pattern(facts.author_domain)
    blank = "[[:space:]]"
    head = f"^{blank}*{server}({blank}+[0-9]+)?{blank}*;"
    passed = f";{blank}*dmarc{blank}*={blank}*pass({blank}[^;]*)?{blank}header\\.from={domain}([;[:space:]]|$)"
    twice = f"(dmarc{blank}*=.*dmarc{blank}*=|header\\.from{blank}*=.*header\\.from{blank}*=)"
    top = 'header :index 1 :regex "Authentication-Results"'
    one = ':count "eq" :comparator "i;ascii-numeric"'
    tests = (
        f'currentdate :value "le" "date" {sieve_string(facts.expires_on.isoformat())}',
        f'header {one} "From" "1"',
        f'address {one} "From" "1"',
        f'address :all :is "From" {sieve_string(facts.address)}',
        f"{top} {sieve_string(head)}",
        f"{top} {sieve_string(passed)}",
        f"{top} {sieve_string(QUOTES)}",
        f"not {top} {sieve_string(twice)}",
        f"not {top} {sieve_string('[(][^)]*;')}",
    )
    body = ",\n    ".join(tests)
    return (
        '\nrequire ["comparator-i;ascii-numeric", "date", "index", "regex", "relational"];\n'
        f"if allof (\n    {body}\n) {{\n    keep;\n    stop;\n}}\n"
    )


FORM = Form(
    id="sieve",
    title={"en": "Sieve script (Dovecot and others)", "zh-Hant-TW": "Sieve 腳本（Dovecot 等）"},
    kind=FormKind.END_USER,
    authenticated=True,
    run_here=True,
    media_type="application/sieve",
    extension="sieve",
    render=_render,
    effect={
        "en": "Mail from this one address stays in the inbox, if your own mail server wrote at the top of it that DMARC passed.",
        "zh-Hant-TW": "只有這個地址、而且您自己的郵件伺服器在信件最上方註明通過 DMARC 的郵件，才會留在收件匣。",
    },
    limits={
        "en": "It helps no mail that your server refuses or that was sorted before this script runs. It relies on your server to write that line on every message from outside, or to remove lines that claim to be its own (RFC 8601, section 5).",
        "zh-Hant-TW": "伺服器已拒收、或在此腳本之前就被分類的郵件不適用。前提是您的伺服器會為每封外來郵件寫上這一行，或移除冒充它的行（RFC 8601 第 5 節）。",
    },
    blast_radius={"en": "this one mailbox.", "zh-Hant-TW": "只有這一個信箱。"},
    undo={"en": "delete these lines from your Sieve script.", "zh-Hant-TW": "從您的 Sieve 腳本刪除這幾行。"},
    instructions={
        "en": (
            "Open the Sieve editor of your webmail (often Settings, Filters).",
            "Put these lines above every rule that moves mail to junk; all lines with “require” belong at the very top.",
            "Save. If an extension is said to be missing, delete these lines again: without it the rule cannot be safe.",
        ),
        "zh-Hant-TW": (
            "打開網頁信箱的 Sieve 編輯器（通常在「設定」→「篩選器」）。",
            "把這幾行放在所有移到垃圾郵件的規則之前；含 require 的行都要放在最上面。",
            "儲存。如果顯示缺少擴充功能，請刪除這幾行：少了它，規則就不安全。",
        ),
    },
    ends_by_itself=True,
    needs=frozenset({Need.AUTHSERV_ID}),
    providers=frozenset({"own-server"}),
    source="RFC 5228, RFC 5231, RFC 5260, draft-ietf-sieve-regex",
)
