"""SpamAssassin 3.4 and 4, ``local.cf``: one address, and only where its own domain's DKIM signature verifies.

``whitelist_from`` would let every forger in.  So would, in SpamAssassin 4.0.1, the forms that are called authenticated:
it takes the signing domain from what follows the first ``@`` of ``i=``, where a stranger's own valid signature may hold
two of them.  A rule with conditions of its own does not; such rules stand in ``local.cf`` alone, users' preferences may
not define any.  Source: Mail::SpamAssassin::Plugin::DKIM, RFC 6376 §3.5 for ``i=``.
"""

import hashlib

from deliverability.errors import ParseError
from deliverability.evidence.plugin import Form, FormKind, Need
from deliverability.evidence.sender_facts import SenderFacts
from deliverability.protocols.allow_text import commented, pattern, plain_address, remarks

# Any i= that is not one plain address, in any signature (the lookahead holds the plain form, to the end of its tag); or
# a signature so long that an engine might cut it before its i= is seen.
_FOLDED = r"(?:[^\n]|\n[ \t])"
_ODD = (
    rf"/^DKIM-Signature[ \t]*:(?:{_FOLDED}{{4000}}|(?:{_FOLDED}{{0,4000}};)?\s*i\s*="
    r"(?!\s*[A-Za-z0-9._+-]*\@[A-Za-z0-9.-]+\s*(?:;|\n(?![ \t])|\z)))/im"
)
_TWICE = r"/^From[ \t]*:[\s\S]*^From[ \t]*:/im"


def _render(facts: SenderFacts) -> bytes:
    if not facts.signers:
        raise ParseError("SpamAssassin needs a DKIM signing domain of the sender")
    address = plain_address(facts, "SpamAssassin")
    name = "ALLOW_" + hashlib.sha256(address.encode()).hexdigest()[:8].upper()
    author = pattern(address).replace("@", "\\@")
    domains = ", ".join(f"'{signer.domain}'" for signer in facts.signers)
    rules = f"""
ifplugin Mail::SpamAssassin::Plugin::DKIM
header   __{name}_FROM    From:addr =~ /^{author}$/i
header   __{name}_TWICE   ALL:raw =~ {_TWICE}
header   __{name}_ODD     ALL:raw =~ {_ODD}
full     __{name}_SIGNED  eval:check_dkim_valid({domains})
meta     {name}  (__{name}_FROM && __{name}_SIGNED && !__{name}_TWICE && !__{name}_ODD)
describe {name}  One sender, authenticated by DKIM
tflags   {name}  net nice
score    {name}  -20
endif
"""
    return (commented(remarks(FORM, facts)) + rules).encode()


FORM = Form(
    id="spamassassin",
    title={"en": "SpamAssassin, whole server (local.cf)", "zh-Hant-TW": "SpamAssassin，整台伺服器（local.cf）"},
    kind=FormKind.ADMINISTRATOR,
    authenticated=True,
    run_here=True,
    media_type="text/plain",
    extension="cf",
    render=_render,
    effect={
        "en": "Mail from this one address is scored 20 points lower, if a DKIM signature of the domain named here verifies.",
        "zh-Hant-TW": "只有這個地址、而且由檔案中的網域簽署、DKIM 簽章通過驗證的郵件，分數會降低 20 分。",
    },
    limits={
        "en": "It helps no mail that is unsigned, changed on its way or signed by somebody else, and it stops no virus check. SpamAssassin must be able to ask the DNS. It has no effect in a user's user_prefs. Version 4.0.1 ran in our tests; 3.4 did not, its documentation has all that is used here.",
        "zh-Hant-TW": "沒有簽章、途中被修改或由他人簽署的郵件都不適用，也不影響病毒掃描。SpamAssassin 必須能查詢 DNS。放在使用者的 user_prefs 沒有作用。測試使用 4.0.1 版；3.4 版未實際執行，所用語法都在其文件中。",
    },
    blast_radius={
        "en": "every mailbox whose mail this SpamAssassin scans.",
        "zh-Hant-TW": "這套 SpamAssassin 所掃描的所有信箱。",
    },
    undo={
        "en": "delete the file, or these lines, and restart spamd or whatever calls SpamAssassin.",
        "zh-Hant-TW": "刪除此檔案（或這幾行），再重新啟動 spamd 或呼叫 SpamAssassin 的程式。",
    },
    instructions={
        "en": (
            "Put the file into the folder of local.cf, usually /etc/spamassassin or /etc/mail/spamassassin; its name must end in .cf.",
            "Run: spamassassin --lint",
            "Restart spamd, or what calls SpamAssassin (amavisd, MailScanner).",
        ),
        "zh-Hant-TW": (
            "把檔案放進 local.cf 所在的資料夾，通常是 /etc/spamassassin 或 /etc/mail/spamassassin；檔名必須以 .cf 結尾。",
            "執行：spamassassin --lint",
            "重新啟動 spamd，或呼叫 SpamAssassin 的程式（amavisd、MailScanner）。",
        ),
    },
    needs=frozenset({Need.SIGNER}),
    providers=frozenset({"own-server", "cpanel", "plesk"}),
    source="https://spamassassin.apache.org/full/3.4.x/doc/Mail_SpamAssassin_Plugin_DKIM.html",
)
