"""Openfind MailGates, a gateway before many Taiwanese companies and universities, on hosts that the customer names.

No MX tells it; it is known by its notice mail, whose buttons are quoted from its own help.
"""

from datetime import date

from deliverability.evidence.plugin import Certainty, Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import ASK_IT, DIGEST_IS_PERSONAL, QUARANTINE, told

_NOTICE = "http://mg2.knu.edu.tw/mg/help/tw/user/7.4.html"

PROVIDER = Provider(
    id="mailgates",
    name={"en": "Openfind MailGates", "zh-Hant-TW": "MailGates 郵件防護系統"},
    kind=ProviderKind.GATEWAY,
    junk_folder={"en": "the quarantine, outside the mailbox", "zh-Hant-TW": "隔離區（在信箱以外）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        told(
            Surface.PHONE_APP,
            _NOTICE,
            ("Search your inbox for the notice about held mail.", "在收件匣搜尋留置信件的通知信。"),
            (
                "In the notice look for our message; its sender is {address}.",
                "在通知信裡尋找我們的信，寄件者是 {address}。",
            ),
            ("Press 送信並回報為誤判信 (send it, and report it as misjudged).", "按「送信並回報為誤判信」。"),
            certainty=Certainty.OFFICIAL,
        ),
    ),
    keep=(
        told(
            Surface.PHONE_APP,
            _NOTICE,
            ("In the notice look for our message from {address}.", "在通知信裡尋找 {address} 寄來的信。"),
            ("Press 送信並加入個人白名單 (send it, and add it to your own list).", "按「送信並加入個人白名單」。"),
            ("If there is no such button, ask your IT department.", "如果沒有這個按鈕，請詢問資訊人員。"),
            certainty=Certainty.OFFICIAL,
        ),
    ),
    caveats=(QUARANTINE, DIGEST_IS_PERSONAL, ASK_IT),
    steps_date=date(2026, 11, 22),
)
