"""Mail.ru.  No list of senders for users was found: taking a message out of Спам is what its help names."""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import add_to_contacts, look_on_phone, told
from deliverability.protocols.replies_europe import REPLIES_MAILRU as REPLIES

_SPAM = "https://help.mail.ru/mail/security/spam/folder"

PROVIDER = Provider(
    id="mailru",
    name={"en": "Mail.ru", "zh-Hant-TW": "Mail.ru"},
    kind=ProviderKind.CONSUMER,
    domains=frozenset({"bk.ru", "inbox.ru", "list.ru", "mail.ru"}),
    mx_suffixes=("mail.ru",),
    junk_folder={"en": "Спам", "zh-Hant-TW": "Спам（垃圾郵件）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_on_phone(("Спам", "Спам")),
        told(
            Surface.COMPUTER,
            _SPAM,
            ("Open mail.ru and your mailbox.", "打開 mail.ru，進入信箱。"),
            ("Open the folder Спам.", "打開 Спам 資料夾。"),
            ("Open our message; its sender is {address}.", "打開我們的信，寄件者是 {address}。"),
            ("Press Не спам (not spam).", "按 Не спам（不是垃圾郵件）。"),
        ),
    ),
    keep=(
        add_to_contacts(),
        told(
            Surface.COMPUTER,
            _SPAM,
            ("Open the folder Спам.", "打開 Спам 資料夾。"),
            ("Open our message and check that its sender is {address}.", "打開我們的信，確認寄件者是 {address}。"),
            (
                "Press Не спам: Mail.ru says that later mail of this sender then goes to the inbox.",
                "按 Не спам：Mail.ru 說明，之後這位寄件者的信會進收件匣。",
            ),
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        {
            "en": "No list of allowed senders was found here: marking the message is the way.",
            "zh-Hant-TW": "這裡沒有找到允許名單；請用標示的方式。",
        },
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://e.mail.ru/",
    replies=REPLIES,
)
