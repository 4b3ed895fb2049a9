"""Cisco Secure Email (ESA, CES), the user's safelist, as exact field values: it looks at addresses alone.

An allow list by IP in the HAT would pass everything that those servers send, at a web host every customer's mail; it is
not offered.  Source: user guides of AsyncOS.  Not run here.
"""

from deliverability.evidence.plugin import Form, FormKind
from deliverability.evidence.sender_facts import SenderFacts
from deliverability.protocols.allow_text import leaflet, plain_address


def _render(facts: SenderFacts) -> bytes:
    return leaflet(FORM, facts, (("Safelist, add", plain_address(facts, "Cisco Secure Email")),))


FORM = Form(
    id="cisco-esa",
    title={"en": "Cisco Secure Email safelist", "zh-Hant-TW": "Cisco Secure Email 安全清單"},
    kind=FormKind.END_USER,
    authenticated=False,
    run_here=False,
    media_type="text/plain",
    extension="txt",
    render=_render,
    effect={
        "en": "Mail from this one address passes the spam check of the gateway.",
        "zh-Hant-TW": "這個地址寄來的信會略過閘道的垃圾郵件檢查。",
    },
    limits={
        "en": "NOT RUN HERE. It checks no signature: only a gateway that refuses mail failing DMARC keeps forged mail out. Release and Add to Safelist adds the envelope's sender as well: prefer the page below. Virus checks stay.",
        "zh-Hant-TW": "未在此測試。不檢查簽章：冒名郵件只能靠閘道拒收未通過 DMARC 的郵件來攔下。「Release and Add to Safelist」還會加入信封寄件者，建議改用下列頁面。病毒檢查仍會進行。",
    },
    blast_radius={"en": "you alone.", "zh-Hant-TW": "只影響您自己。"},
    undo={"en": "delete the entry from the safelist.", "zh-Hant-TW": "從安全清單刪除這一筆。"},
    instructions={
        "en": (
            "Open the spam quarantine, select our message and press Release.",
            "Open Options, Safelist.",
            "Enter the address below and press Add to List.",
        ),
        "zh-Hant-TW": (
            "打開垃圾郵件隔離區，選取我們的信並按 Release。",
            "打開 Options → Safelist。",
            "輸入下列地址並按 Add to List。",
        ),
    },
    providers=frozenset({"cisco-esa"}),
    source="https://manualsbrain.com/pt/manuals/1649682/?page=821",
)
