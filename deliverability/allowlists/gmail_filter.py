"""Gmail: a filter to import, ``mailFilters.xml``; it looks at From alone, and no authenticated form of it exists.

It is made only where the sender's DMARC policy is to refuse forged mail: "never send to Spam" would take mail that a
mere quarantine put there out again.  Source of the form: the Atom entries that Gmail itself exports.
"""

from deliverability.evidence.plugin import Form, FormKind
from deliverability.evidence.sender_facts import SenderFacts
from deliverability.protocols.allow_text import plain_address, remarks, xml_comment, xml_text


def _render(facts: SenderFacts) -> bytes:
    # Gmail's search language stands in the value of "from": | {} () "" * and blanks would widen it.
    address = xml_text(plain_address(facts, "Gmail", also="+=_"))
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        + xml_comment(remarks(FORM, facts))
        + f"""<feed xmlns='http://www.w3.org/2005/Atom' xmlns:apps='http://schemas.google.com/apps/2006'>
  <title>Mail Filters</title>
  <entry>
    <category term='filter'/>
    <title>Mail Filter</title>
    <content/>
    <apps:property name='from' value='{address}'/>
    <apps:property name='shouldNeverSpam' value='true'/>
  </entry>
</feed>
"""
    ).encode()


FORM = Form(
    id="gmail-filter",
    title={"en": "Gmail filter (mailFilters.xml)", "zh-Hant-TW": "Gmail 篩選器（mailFilters.xml）"},
    kind=FormKind.END_USER,
    authenticated=False,
    run_here=False,
    media_type="application/xml",
    extension="xml",
    render=_render,
    effect={
        "en": "Gmail no longer puts mail from this one address into Spam.",
        "zh-Hant-TW": "Gmail 不再把這個地址寄來的信放進垃圾郵件。",
    },
    limits={
        "en": "It looks at the From line alone and checks no signature: only Gmail's own check of the sender's domain keeps forged mail out. Gmail may still show a warning. It was read by an independent parser, not imported into an account.",
        "zh-Hant-TW": "只看寄件者欄位，不檢查簽章：冒名郵件只能靠 Gmail 對寄件網域的檢查攔下。Gmail 仍可能顯示警告。已由獨立程式讀取驗證，但未匯入實際帳號。",
    },
    blast_radius={"en": "this one Gmail account.", "zh-Hant-TW": "只有這一個 Gmail 帳號。"},
    undo={
        "en": "Settings, Filters and Blocked Addresses, delete the filter with this address.",
        "zh-Hant-TW": "「設定」→「篩選器和封鎖的地址」，刪除含此地址的篩選器。",
    },
    instructions={
        "en": (
            "On a computer open Gmail, the gear, See all settings, Filters and Blocked Addresses.",
            "At the bottom click Import filters, choose this file, then Open file.",
            "Tick the filter and click Create filters.",
        ),
        "zh-Hant-TW": (
            "在電腦打開 Gmail，按齒輪→「查看所有設定」→「篩選器和封鎖的地址」。",
            "在頁面下方按「匯入篩選器」，選擇這個檔案，再按「開啟檔案」。",
            "勾選篩選器，按「建立篩選器」。",
        ),
    },
    providers=frozenset({"gmail", "google-workspace"}),
    source="https://support.google.com/mail/answer/6579",
)
