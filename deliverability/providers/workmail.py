"""Amazon WorkMail, which ends on 31 March 2027.

No list of senders for users is documented; the names of its MX hosts differ
between sources, and both forms are taken.
"""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import add_to_contacts, ask_it_to_allow, look_in_browser, look_on_phone

PROVIDER = Provider(
    id="workmail",
    name={"en": "Amazon WorkMail", "zh-Hant-TW": "Amazon WorkMail"},
    kind=ProviderKind.BUSINESS,
    mx_suffixes=(
        "awsapps.com",
        "inbound-smtp.us-east-1.amazonaws.com",
        "inbound-smtp.us-west-2.amazonaws.com",
        "inbound-smtp.eu-west-1.amazonaws.com",
    ),
    junk_folder={"en": "Junk E-mail", "zh-Hant-TW": "Junk E-mail（垃圾郵件）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_on_phone(("Junk E-mail", "Junk E-mail")),
        look_in_browser(Surface.COMPUTER, ("Junk E-mail", "Junk E-mail")),
    ),
    keep=(add_to_contacts(), ask_it_to_allow(Surface.COMPUTER)),
    caveats=(
        {
            "en": "No list of allowed senders for users is documented here: moving the message to the inbox is the way.",
            "zh-Hant-TW": "這裡沒有找到使用者允許名單的說明：請把信移到收件匣。",
        },
        {
            "en": "Amazon ends this service on 31 March 2027.",
            "zh-Hant-TW": "Amazon 將於 2027 年 3 月 31 日終止這項服務。",
        },
    ),
    steps_date=date(2026, 11, 22),
)
