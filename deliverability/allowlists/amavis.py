"""Amavis: one From address, and only where a DKIM signature of its own domain verifies.

``@author_to_policy_bank_maps`` matches only where a valid signature was found; a signer that is not the From domain
itself is written behind ``/@``.  Source: RELEASE_NOTES of amavisd-new 2.6.0 (in every package of it).
"""

from datetime import UTC, datetime, time, timedelta

from deliverability.errors import ParseError
from deliverability.evidence.plugin import Form, FormKind, Need
from deliverability.evidence.sender_facts import SenderFacts
from deliverability.protocols.allow_text import commented, perl_string, plain_address, remarks

_BANK = "DELIVERABILITY_ALLOW"


def _render(facts: SenderFacts) -> bytes:
    if not facts.signers:
        raise ParseError("Amavis needs a DKIM signing domain of the sender")
    address = plain_address(facts, "amavis")
    ended = datetime.combine(facts.expires_on + timedelta(days=1), time(), UTC)
    keys = [
        address if signer.domain == facts.author_domain else f"{address}/@{signer.domain}" for signer in facts.signers
    ]
    entries = "".join(f"  {perl_string(key)} => '{_BANK}',\n" for key in keys)
    rule = (
        f"\n$policy_bank{{'{_BANK}'}} = {{ bypass_spam_checks_maps => [1] }};\n"
        f"unshift @author_to_policy_bank_maps, {{\n{entries}}} if time < {int(ended.timestamp())};\n"
        "\n1;  # a configuration file ends with a true value\n"
    )
    return (commented(remarks(FORM, facts)) + rule).encode()


FORM = Form(
    id="amavis",
    title={"en": "Amavis (amavisd-new)", "zh-Hant-TW": "Amavis（amavisd-new）"},
    kind=FormKind.ADMINISTRATOR,
    authenticated=True,
    run_here=True,
    media_type="text/plain",
    extension="conf",
    render=_render,
    effect={
        "en": "Mail from this one address skips the spam check, if a DKIM signature of the domain named here verifies.",
        "zh-Hant-TW": "只有這個地址、而且 DKIM 簽章由檔案中的網域簽署並通過驗證的郵件，才會略過垃圾郵件檢查。",
    },
    limits={
        "en": "Virus, attachment and header checks stay. It helps no mail that is unsigned, changed on its way, signed by somebody else or with a key below 1024 bits. DKIM verification must be on.",
        "zh-Hant-TW": "病毒、附件與標頭檢查仍會進行。沒有簽章、途中被修改、由他人簽署或金鑰小於 1024 位元的郵件不適用。必須啟用 DKIM 驗證。",
    },
    blast_radius={
        "en": "every mailbox whose mail this amavisd checks.",
        "zh-Hant-TW": "這套 amavisd 所檢查的所有信箱。",
    },
    undo={
        "en": "delete the file, or these lines, and restart amavisd.",
        "zh-Hant-TW": "刪除此檔案（或這幾行），再重新啟動 amavisd。",
    },
    instructions={
        "en": (
            "Put the file into /etc/amavis/conf.d (Debian), or its lines into amavisd.conf, above the last line.",
            "See that $enable_dkim_verification = 1 is set.",
            "Restart amavisd. It reads the last day of this rule when it starts.",
        ),
        "zh-Hant-TW": (
            "把檔案放進 /etc/amavis/conf.d（Debian），或把內容加到 amavisd.conf 最後一行之前。",
            "確認已設定 $enable_dkim_verification = 1。",
            "重新啟動 amavisd。有效期限在啟動時判斷。",
        ),
    },
    needs=frozenset({Need.SIGNER}),
    source="https://gitlab.com/amavis/amavis RELEASE_NOTES, 2.6.0",
)
