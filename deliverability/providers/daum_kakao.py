"""Daum and Kakao Mail.

A sender whom the user blocked gets the message back, so a bounce may be the customer's own block.
"""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import add_to_contacts, look_on_phone, told

_ALLOW = "https://cs.kakao.com/helps?articleId=1073201872&service=156&category=773&locale=en"

PROVIDER = Provider(
    id="daum-kakao",
    name={"en": "Daum / Kakao Mail", "zh-Hant-TW": "Daum／Kakao 信箱"},
    kind=ProviderKind.CONSUMER,
    domains=frozenset({"daum.net", "hanmail.net", "kakao.com"}),
    mx_suffixes=("hanmail.net", "kakao.com"),
    junk_folder={"en": "스팸 (Spam)", "zh-Hant-TW": "스팸（垃圾郵件）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_on_phone(("스팸", "스팸")),
        told(
            Surface.COMPUTER,
            _ALLOW,
            ("Open mail.kakao.com or mail.daum.net.", "打開 mail.kakao.com 或 mail.daum.net。"),
            ("Open the spam mailbox (스팸).", "打開垃圾郵件匣（스팸）。"),
            ("Select our message; its sender is {address}.", "選取我們的信，寄件者是 {address}。"),
            ("Press 스팸 해제 (not spam).", "按 스팸 해제（不是垃圾郵件）。"),
        ),
    ),
    keep=(
        add_to_contacts(),
        told(
            Surface.COMPUTER,
            _ALLOW,
            ("Open the settings and then “Manage Spam”.", "打開設定，再打開 Manage Spam（垃圾郵件管理）。"),
            ("Open “Allow/Block Incoming Mails”.", "打開 Allow/Block Incoming Mails。"),
            ("Add {address} to those allowed.", "把 {address} 加入允許的名單。"),
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        {
            "en": "Mail from a sender whom you blocked goes back: check the list of blocked senders as well.",
            "zh-Hant-TW": "被您封鎖的寄件者，信會退回：請同時查看封鎖名單。",
        },
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://mail.kakao.com/",
)
