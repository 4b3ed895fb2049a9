"""Seznam Email, the largest Czech mailbox provider.

Held on 2026-11-22 against its help page named below (in Czech): the folders Doručené, Hromadné and Spam; that „Není spam“, or
moving a message out of Spam, makes its sender trusted.  Not confirmed: its phone app, and for how long Spam is kept.
"""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import look_on_phone, told

_HELP = "https://o-seznam.cz/napoveda/email/prace-se-zpravami"

PROVIDER = Provider(
    id="seznam",
    name={"en": "Seznam Email", "zh-Hant-TW": "Seznam Email"},
    kind=ProviderKind.CONSUMER,
    domains=frozenset({"seznam.cz", "email.cz", "post.cz", "spoluzaci.cz"}),
    mx_suffixes=("seznam.cz",),
    junk_folder={"en": "Spam, then Hromadné", "zh-Hant-TW": "Spam，再看 Hromadné（大量郵件）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_on_phone(("Spam; look into Hromadné (bulk) too", "Spam；也請看 Hromadné（大量郵件）")),
        told(
            Surface.COMPUTER,
            _HELP,
            ("Open email.seznam.cz and sign in.", "打開 email.seznam.cz 並登入。"),
            ("Open the folder “Spam”, then “Hromadné” (bulk).", "打開 Spam 資料夾，再看 Hromadné（大量郵件）。"),
            ("Open our message; its sender is {address}.", "打開我們的信，寄件者是 {address}。"),
            ("Press “Není spam” (not spam).", "按 Není spam（不是垃圾郵件）。"),
        ),
    ),
    keep=(
        look_on_phone(("Spam", "Spam")),
        told(
            Surface.COMPUTER,
            _HELP,
            ("Open the folder “Spam” or “Hromadné” (bulk).", "打開 Spam 或 Hromadné（大量郵件）資料夾。"),
            ("Select our message; its sender is {address}.", "選取我們的信，寄件者是 {address}。"),
            (
                "Move it to “Doručené” (inbox): Seznam says that it then trusts this sender.",
                "移到 Doručené（收件匣）：Seznam 說明之後會信任這個寄件者。",
            ),
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        {
            "en": "The same address is then on the list of trusted addresses in the settings, where it can be taken off again.",
            "zh-Hant-TW": "這個地址之後會列在設定的信任名單中，可以在那裡移除。",
        },
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://email.seznam.cz/",
)
