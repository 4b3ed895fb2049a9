"""Microsoft 365, for administrators: a mail flow rule that wants the From address and DMARC's pass, and that expires.

Microsoft advises against a rule with the sender's domain alone.  Source: MicrosoftDocs/defender-docs, "Create safe sender
lists"; MicrosoftDocs/office-docs-powershell, New-TransportRule.  Not run here.
"""

from deliverability.evidence.plugin import Form, FormKind
from deliverability.evidence.sender_facts import SenderFacts
from deliverability.protocols.allow_text import commented, pattern, plain_address, powershell_string, remarks

MAX_RULE_NAME = 64  # characters, the cmdlet's own limit


def _render(facts: SenderFacts) -> bytes:
    address = plain_address(facts, "Exchange Online")
    name = f"Authenticated notices {facts.author_domain}"[:MAX_RULE_NAME]
    rule = (
        "\nNew-TransportRule `\n"
        f"  -Name {powershell_string(name)} `\n"
        "  -FromScope NotInOrganization `\n"
        f"  -FromAddressMatchesPatterns {powershell_string('^' + pattern(address) + '$')} `\n"
        "  -SenderAddressLocation Header `\n"
        "  -HeaderContainsMessageHeader 'Authentication-Results' `\n"
        f"  -HeaderContainsWords {powershell_string('dmarc=pass')} `\n"
        f"  -ExpiryDate {powershell_string(facts.expires_on.isoformat())} `\n"
        "  -SetSCL -1\n"
        "\n# Undo:\n"
        f"# Remove-TransportRule -Identity {powershell_string(name)}\n"
    )
    # Windows PowerShell 5.1 takes a file without the mark for one in the machine's old code page.
    return ("\ufeff" + commented(remarks(FORM, facts)) + rule).encode()


FORM = Form(
    id="microsoft-365",
    title={
        "en": "Microsoft 365 mail flow rule (PowerShell, administrator)",
        "zh-Hant-TW": "Microsoft 365 郵件流程規則（PowerShell，管理員）",
    },
    kind=FormKind.ADMINISTRATOR,
    authenticated=True,
    run_here=False,
    media_type="text/plain",
    extension="ps1",
    render=_render,
    effect={
        "en": "Mail from outside with this one address in From passes the spam filter, if Microsoft 365 wrote that DMARC passed.",
        "zh-Hant-TW": "來自外部、寄件者是這個地址、而且 Microsoft 365 註明通過 DMARC 的郵件，會略過垃圾郵件過濾。",
    },
    limits={
        "en": "NOT RUN HERE: written from Microsoft's documentation. Not known: whether a forged Authentication-Results header that arrives with a message can satisfy the rule; try it before you rely on it. Malware and high-confidence phishing are still held.",
        "zh-Hant-TW": "未在此測試：依 Microsoft 文件撰寫。尚不清楚郵件自帶的偽造 Authentication-Results 標頭能否滿足此規則；請先測試再採用。惡意軟體與高可信度網路釣魚仍會被攔下。",
    },
    blast_radius={"en": "every mailbox of the organization.", "zh-Hant-TW": "整個組織的所有信箱。"},
    undo={
        "en": "Remove-TransportRule with the rule's name, as in the last line.",
        "zh-Hant-TW": "以規則名稱執行 Remove-TransportRule，如最後一行。",
    },
    instructions={
        "en": (
            "Connect: Connect-ExchangeOnline",
            "Read the rule, then run it.",
            "Send a message with a forged header to a test mailbox first: it must not pass.",
        ),
        "zh-Hant-TW": (
            "連線：Connect-ExchangeOnline",
            "先閱讀規則，再執行。",
            "先寄一封帶有偽造標頭的信到測試信箱：它不應通過。",
        ),
    },
    ends_by_itself=True,
    providers=frozenset({"microsoft-365"}),
    source="https://learn.microsoft.com/powershell/module/exchange/new-transportrule",
)
