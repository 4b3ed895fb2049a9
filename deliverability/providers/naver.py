"""Naver Mail.  Only third-party pages name its menus; its MX names were not confirmed."""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import add_to_contacts, look_on_phone, told

_SPAM = "https://blog.iwashin.co.kr/?p=80049"

PROVIDER = Provider(
    id="naver",
    name={"en": "Naver Mail", "zh-Hant-TW": "Naver 信箱"},
    kind=ProviderKind.CONSUMER,
    domains=frozenset({"naver.com"}),
    mx_suffixes=("naver.com",),
    junk_folder={"en": "스팸메일함 (Spam)", "zh-Hant-TW": "스팸메일함（垃圾郵件）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_on_phone(("스팸메일함", "스팸메일함")),
        told(
            Surface.COMPUTER,
            _SPAM,
            ("Open mail.naver.com.", "打開 mail.naver.com。"),
            ("Open the folder 스팸메일함.", "打開 스팸메일함（垃圾郵件）。"),
            ("Select our message; its sender is {address}.", "選取我們的信，寄件者是 {address}。"),
            ("Press 스팸 해제 (not spam).", "按 스팸 해제（不是垃圾郵件）。"),
        ),
    ),
    keep=(
        add_to_contacts(),
        told(
            Surface.COMPUTER,
            _SPAM,
            (
                "Open 환경설정 (settings) and then 스팸 설정 (spam settings).",
                "打開 환경설정（設定），再打開 스팸 설정（垃圾郵件設定）。",
            ),
            ("Go to 수신허용 (allowed senders).", "找到 수신허용（允許的寄件者）。"),
            ("Add {address} and save.", "加入 {address} 並儲存。"),
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        {
            "en": "The menu names come from other people’s pages and may have changed.",
            "zh-Hant-TW": "選單名稱取自他人的說明，可能已有變動。",
        },
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://mail.naver.com/",
)
