"""NAVER WORKS, also sold as LINE WORKS: mail under companies' own domains."""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import add_to_contacts, look_on_phone, told

_SPAM = "https://help.worksmobile.com/en/use-guides/mail/settings/spam-mail/"

PROVIDER = Provider(
    id="naver-works",
    name={"en": "NAVER WORKS (LINE WORKS)", "zh-Hant-TW": "NAVER WORKS（LINE WORKS）"},
    kind=ProviderKind.BUSINESS,
    mx_suffixes=("worksmobile.com",),
    junk_folder={"en": "Spam", "zh-Hant-TW": "垃圾郵件"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_on_phone(("Spam", "垃圾郵件")),
        told(
            Surface.COMPUTER,
            _SPAM,
            ("Open the mail of NAVER WORKS in the browser.", "用瀏覽器打開 NAVER WORKS 的郵件。"),
            ("Open the folder “Spam”.", "打開垃圾郵件（Spam）資料夾。"),
            ("Select our message; its sender is {address}.", "選取我們的信，寄件者是 {address}。"),
            ("Press “Not spam”.", "按 Not spam（不是垃圾郵件）。"),
        ),
    ),
    keep=(
        add_to_contacts(),
        told(
            Surface.COMPUTER,
            _SPAM,
            ("Open the settings of the mail and then “Advanced”.", "打開郵件的設定，再打開 Advanced（進階）。"),
            ("Open “Spam” and go to the list of safe senders.", "打開 Spam（垃圾郵件），找到安全寄件者名單。"),
            ("Add {address} and save.", "加入 {address} 並儲存。"),
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        {"en": "The list is part of the plan “Standard” and above.", "zh-Hant-TW": "Standard 以上的方案才有這份名單。"},
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://mail.worksmobile.com/",
)
