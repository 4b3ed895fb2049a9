"""Barracuda Email Gateway Defense, a sender policy, as exact field values: it looks at addresses alone.

Source: campus.barracuda.com/doc/96023020.  Not run here.
"""

from deliverability.evidence.plugin import Form, FormKind
from deliverability.evidence.sender_facts import SenderFacts
from deliverability.protocols.allow_text import leaflet, plain_address


def _render(facts: SenderFacts) -> bytes:
    fields = (
        ("Sender", plain_address(facts, "Barracuda")),
        ("Policy", "Exempt (end user's page: Allow)"),
        ("Comment", f"until {facts.expires_on.isoformat()}"),
    )
    return leaflet(FORM, facts, fields)


FORM = Form(
    id="barracuda",
    title={"en": "Barracuda sender policy", "zh-Hant-TW": "Barracuda 寄件者政策"},
    kind=FormKind.END_USER,
    authenticated=False,
    run_here=False,
    media_type="text/plain",
    extension="txt",
    render=_render,
    effect={
        "en": "Mail from this one address passes Barracuda's spam score, intent and content filters.",
        "zh-Hant-TW": "這個地址寄來的信會略過 Barracuda 的垃圾評分、意圖與內容過濾。",
    },
    limits={
        "en": "NOT RUN HERE. It checks no signature, and looks at the envelope's sender as well as at From: a stranger who writes this address there passes. Virus scanning stays. Never enter * or a domain.",
        "zh-Hant-TW": "未在此測試。不檢查簽章，而且信封寄件者與寄件者欄位都會比對：有人在其中寫上此地址就會通過。病毒掃描仍會進行。請勿輸入 * 或網域。",
    },
    blast_radius={
        "en": "you alone on your own page; every mailbox, if an administrator enters it.",
        "zh-Hant-TW": "在自己的頁面設定時只影響您自己；由管理員設定時影響所有信箱。",
    },
    undo={"en": "remove the entry from Sender Policy.", "zh-Hant-TW": "從 Sender Policy 移除這一筆。"},
    instructions={
        "en": (
            "If our message is in a quarantine notice, press Deliver there first.",
            "Sign in, open the menu, Settings, Sender Policy.",
            "Enter the values below and press Add.",
        ),
        "zh-Hant-TW": (
            "如果隔離通知信裡有我們的信，請先按 Deliver。",
            "登入後打開選單 → Settings → Sender Policy。",
            "填入下列內容並按 Add。",
        ),
    },
    providers=frozenset({"barracuda"}),
    source="https://campus.barracuda.com/doc/96023020/",
)
