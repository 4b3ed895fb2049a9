"""Google Workspace, for administrators: an approved sender with authentication required, as exact field values.

Gmail compares the entry with From; the switch "Authentication required" adds that SPF or DKIM must vouch for it.
Sources: support.google.com/a/answer/2368132 and pages that describe the switch.  Not run here.
"""

from deliverability.evidence.plugin import Form, FormKind
from deliverability.evidence.sender_facts import SenderFacts
from deliverability.protocols.allow_text import leaflet, plain_address


def _render(facts: SenderFacts) -> bytes:
    fields = (
        ("Address list, name", f"{facts.author_domain} notices until {facts.expires_on.isoformat()}"),
        ("Address", plain_address(facts, "Google Workspace", also="+=_'")),
        ("Authentication required", "ON"),
        ("Spam setting", "Bypass spam filters for messages from senders or domains in selected lists"),
    )
    return leaflet(FORM, facts, fields)


FORM = Form(
    id="google-workspace",
    title={
        "en": "Google Workspace, approved sender (administrator)",
        "zh-Hant-TW": "Google Workspace 已核准的寄件者（管理員）",
    },
    kind=FormKind.ADMINISTRATOR,
    authenticated=True,
    run_here=False,
    media_type="text/plain",
    extension="txt",
    render=_render,
    effect={
        "en": "Mail from this one address passes Gmail's spam filter, if it is authenticated.",
        "zh-Hant-TW": "只有這個地址、而且通過驗證的郵件，會略過 Gmail 的垃圾郵件過濾。",
    },
    limits={
        "en": "NOT RUN HERE: written from Google's and others' descriptions. Without the switch “Authentication required” the entry looks at From alone; if your console does not show it, do not use this. Blatant spam and malware are still filtered.",
        "zh-Hant-TW": "未在此測試：依 Google 及其他公開說明撰寫。如果沒有開啟「需要驗證」，只會比對寄件者欄位；管理控制台沒有這個開關時，請勿使用。明顯的垃圾郵件與惡意軟體仍會被過濾。",
    },
    blast_radius={
        "en": "every user of the organizational unit in which it is set.",
        "zh-Hant-TW": "套用此設定的機構單位中所有使用者。",
    },
    undo={
        "en": "remove the address from the list, or the list from the spam setting.",
        "zh-Hant-TW": "從清單移除這個地址，或從垃圾郵件設定移除這份清單。",
    },
    instructions={
        "en": (
            "Admin console: Apps, Google Workspace, Gmail, Spam, Phishing and Malware.",
            "Choose the organizational unit, then Spam, Configure (or Add another).",
            "Tick the option to bypass spam filters for senders in selected lists, and create a list with the values below.",
            "Leave Authentication required on. Save.",
        ),
        "zh-Hant-TW": (
            "管理控制台：「應用程式」→「Google Workspace」→「Gmail」→「垃圾郵件、網路詐騙和惡意軟體」。",
            "選擇機構單位，再按「垃圾郵件」→「設定」（或「新增其他項目」）。",
            "勾選讓所選清單中的寄件者略過垃圾郵件過濾，並用下列內容建立清單。",
            "保持開啟「需要驗證」，然後儲存。",
        ),
    },
    providers=frozenset({"google-workspace"}),
    source="https://support.google.com/a/answer/2368132",
)
