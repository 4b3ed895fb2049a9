"""Proofpoint, a gateway before a mailbox that it does not name.

How long its quarantine keeps mail is each customer's choice.
"""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import (
    ASK_IT,
    DIGEST_IS_PERSONAL,
    QUARANTINE,
    ask_it_to_allow,
    look_for_notice,
    told,
)
from deliverability.protocols.replies_gateways import REPLIES_PROOFPOINT as REPLIES

_DIGEST = "https://spidertechnet.richmond.edu/TDClient/1955/Portal/KB/ArticleDet?ID=136194"

PROVIDER = Provider(
    id="proofpoint",
    name={"en": "Proofpoint", "zh-Hant-TW": "Proofpoint"},
    kind=ProviderKind.GATEWAY,
    mx_suffixes=("pphosted.com", "ppe-hosted.com", "gpphosted.com"),
    junk_folder={"en": "the quarantine, outside the mailbox", "zh-Hant-TW": "隔離區（在信箱以外）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_for_notice(),
        told(
            Surface.COMPUTER,
            _DIGEST,
            ("Open the digest of held mail (End User Digest).", "打開隔離摘要通知信（End User Digest）。"),
            ("Look for our message; its sender is {address}.", "尋找我們的信，寄件者是 {address}。"),
            ("Choose “Release”.", "選擇 Release（放行）。"),
        ),
    ),
    keep=(
        ask_it_to_allow(),
        told(
            Surface.COMPUTER,
            _DIGEST,
            (
                "In the digest choose “Release and Allow Sender” at mail from {address}.",
                "在摘要通知信裡，對 {address} 的來信選擇 Release and Allow Sender。",
            ),
            ("Or open the web page of the digest and then “Lists”.", "或打開通知信的網頁，再打開 Lists。"),
            ("At “Safe Senders List” press “New” and type {address}.", "在 Safe Senders List 按 New，輸入 {address}。"),
        ),
    ),
    list_checks_authentication=False,
    caveats=(QUARANTINE, DIGEST_IS_PERSONAL, ASK_IT),
    steps_date=date(2026, 11, 22),
    replies=REPLIES,
)
