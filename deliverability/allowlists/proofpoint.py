"""Proofpoint Essentials, Safe Senders List, as exact field values: it looks at the sender's address alone.

Sources: help pages of universities and resellers that show the form.  Not run here.
"""

from deliverability.evidence.plugin import Form, FormKind
from deliverability.evidence.sender_facts import SenderFacts
from deliverability.protocols.allow_text import leaflet, plain_address


def _render(facts: SenderFacts) -> bytes:
    fields = (("Safe Senders List, New, address", plain_address(facts, "Proofpoint")),)
    return leaflet(FORM, facts, fields)


FORM = Form(
    id="proofpoint",
    title={"en": "Proofpoint Safe Senders List", "zh-Hant-TW": "Proofpoint 安全寄件者清單"},
    kind=FormKind.END_USER,
    authenticated=False,
    run_here=False,
    media_type="text/plain",
    extension="txt",
    render=_render,
    effect={
        "en": "Mail from this one address passes the spam filter of Proofpoint.",
        "zh-Hant-TW": "這個地址寄來的信會略過 Proofpoint 的垃圾郵件過濾。",
    },
    limits={
        "en": "NOT RUN HERE. It checks no signature: only a gateway that refuses mail failing DMARC keeps forged mail out. Malicious content is still held. The mailbox behind the gateway may sort the mail once more.",
        "zh-Hant-TW": "未在此測試。不檢查簽章：冒名郵件只能靠閘道拒收未通過 DMARC 的郵件來攔下。惡意內容仍會被攔下；閘道後方的信箱可能再次分類。",
    },
    blast_radius={"en": "you alone, if you add it to your own list.", "zh-Hant-TW": "加在自己的清單時，只影響您自己。"},
    undo={"en": "delete the entry from Safe Senders List.", "zh-Hant-TW": "從 Safe Senders List 刪除這一筆。"},
    instructions={
        "en": (
            "If our message is in your digest, press Release and Allow Sender there; do not forward the digest to anybody.",
            "Or sign in to Proofpoint, open Lists, Safe Senders List, and press New.",
            "Enter the address below, never a domain, and save.",
        ),
        "zh-Hant-TW": (
            "如果摘要通知信裡有我們的信，請按 Release and Allow Sender；請勿把摘要通知信轉寄給任何人。",
            "或登入 Proofpoint，打開 Lists → Safe Senders List，按 New。",
            "輸入下列地址（不要輸入網域）並儲存。",
        ),
    },
    providers=frozenset({"proofpoint"}),
    source="https://spidertechnet.richmond.edu/TDClient/1955/Portal/KB/ArticleDet?ID=136194",
)
