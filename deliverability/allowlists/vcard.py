"""A contact (vCard 3.0, RFC 2426), for mailboxes that trust their address book; it looks at From alone.

Counts at HiNet, Mail2000, Yahoo, Fastmail, Thunderbird and Apple Mail, partly at Gmail; in Microsoft 365 only where the
user turned that on.
"""

from deliverability.evidence.plugin import Form, FormKind
from deliverability.evidence.sender_facts import SenderFacts
from deliverability.protocols.allow_text import remarks, vcard_lines, vcard_text


def _render(facts: SenderFacts) -> bytes:
    name = vcard_text(facts.display_name or facts.address)
    return vcard_lines(
        (
            "BEGIN:VCARD",
            "VERSION:3.0",
            f"N:{name};;;;",
            f"FN:{name}",
            f"EMAIL;TYPE=INTERNET:{vcard_text(facts.address)}",
            f"NOTE:{vcard_text(chr(10).join(remarks(FORM, facts)))}",
            f"REV:{facts.issued_on.isoformat()}",
            "END:VCARD",
        )
    )


FORM = Form(
    id="vcard",
    title={"en": "Contact (vCard)", "zh-Hant-TW": "聯絡人（vCard）"},
    kind=FormKind.END_USER,
    authenticated=False,
    run_here=False,
    media_type="text/vcard",
    extension="vcf",
    render=_render,
    effect={
        "en": "Puts this address into your contacts; many mailboxes keep mail from contacts out of junk.",
        "zh-Hant-TW": "把這個地址加入聯絡人；許多信箱不會把聯絡人的信放進垃圾郵件。",
    },
    limits={
        "en": "It looks at the From line alone: only your provider's own check of the sender's domain keeps forged mail out. Not every mailbox trusts its contacts; Outlook does so only where you turned that on.",
        "zh-Hant-TW": "只看寄件者欄位：冒名郵件只能靠信箱業者對寄件網域的檢查攔下。並非所有信箱都信任聯絡人；Outlook 需要您自行開啟該選項。",
    },
    blast_radius={
        "en": "your own address book, and whatever it is shared with.",
        "zh-Hant-TW": "您自己的通訊錄，以及與它同步的裝置。",
    },
    undo={"en": "delete the contact.", "zh-Hant-TW": "刪除這位聯絡人。"},
    instructions={
        "en": (
            "On a phone open the file and choose to add the contact.",
            "On a computer import it on the page of contacts of your mailbox.",
            "In Thunderbird: Address Book, Tools, Import; then tick that book under Account Settings, Junk Settings.",
        ),
        "zh-Hant-TW": (
            "在手機打開檔案，選擇加入聯絡人。",
            "在電腦到信箱的「聯絡人」頁面匯入。",
            "Thunderbird：「通訊錄」→「工具」→「匯入」；再到「帳號設定」→「垃圾信設定」勾選該通訊錄。",
        ),
    },
    providers=frozenset(
        {
            "hinet",
            "mail2000",
            "yahoo",
            "yahoo-tw",
            "aol",
            "gmail",
            "fastmail",
            "thunderbird",
            "apple-mail",
            "generic",
            "own-server",
        }
    ),
    source="RFC 2426",
)
