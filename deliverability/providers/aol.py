"""AOL Mail, on Yahoo's servers: told from Yahoo by its domains, and by the MX names that Yahoo keeps for it.

Its own help was not at hand; the buttons are named only where several descriptions agree.
"""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import add_to_contacts, look_on_phone, told
from deliverability.protocols.replies_yahoo import REPLIES

_NOT_SPAM = "https://gist.github.com/0e19f15d046582af3aeb9afe7ec8e05a"

PROVIDER = Provider(
    id="aol",
    name={"en": "AOL Mail", "zh-Hant-TW": "AOL 信箱"},
    kind=ProviderKind.CONSUMER,
    domains=frozenset({"aim.com", "aol.com"}),
    mx_suffixes=("mx-aol.mail.gm0.yahoodns.net",),
    junk_folder={"en": "Spam", "zh-Hant-TW": "Spam（垃圾郵件）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_on_phone(("Spam", "Spam")),
        told(
            Surface.COMPUTER,
            _NOT_SPAM,
            ("Open mail.aol.com.", "打開 mail.aol.com。"),
            ("Open the folder “Spam”.", "打開 Spam 資料夾。"),
            ("Select our message; its sender is {address}.", "選取我們的信，寄件者是 {address}。"),
            ("Press “Not spam”.", "按 Not spam（不是垃圾郵件）。"),
        ),
    ),
    keep=(add_to_contacts(), add_to_contacts(Surface.COMPUTER)),
    list_checks_authentication=False,
    caveats=(
        {
            "en": "Being a contact helps at AOL, but does not overrule every filter.",
            "zh-Hant-TW": "加入聯絡人有幫助，但不保證每封信都不會被過濾。",
        },
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://mail.aol.com/",
    replies=REPLIES,
)
