"""Fastmail.

At its levels Standard and Aggressive, contacts count as known senders; its help names no list beside them.
"""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import add_to_contacts, look_on_phone, told

_SPAM = "https://www.fastmail.com/help/receive/stopspam.html"

PROVIDER = Provider(
    id="fastmail",
    name={"en": "Fastmail", "zh-Hant-TW": "Fastmail"},
    kind=ProviderKind.CONSUMER,
    domains=frozenset({"fastmail.com", "fastmail.fm", "messagingengine.com"}),
    mx_suffixes=("messagingengine.com",),
    junk_folder={"en": "Spam", "zh-Hant-TW": "Spam（垃圾郵件）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_on_phone(("Spam", "Spam")),
        told(
            Surface.COMPUTER,
            _SPAM,
            ("Open app.fastmail.com.", "打開 app.fastmail.com。"),
            ("Open the folder “Spam”.", "打開 Spam 資料夾。"),
            ("Select our message; its sender is {address}.", "選取我們的信，寄件者是 {address}。"),
            ("Press “Not spam”.", "按 Not spam（不是垃圾郵件）。"),
        ),
    ),
    keep=(
        add_to_contacts(),
        told(
            Surface.COMPUTER,
            _SPAM,
            ("Open our message.", "打開我們的信。"),
            ("Check that its sender is {address}.", "確認寄件者是 {address}。"),
            ("Add the sender to “Contacts”.", "把寄件者加入 Contacts（聯絡人）。"),
        ),
    ),
    caveats=(
        {
            "en": "Contacts count at the protection levels “Standard” and “Aggressive”.",
            "zh-Hant-TW": "防護等級為 Standard 或 Aggressive 時，聯絡人會視為認識的寄件者。",
        },
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://app.fastmail.com/",
)
