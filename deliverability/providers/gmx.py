"""GMX.  Pressing Kein Spam moves the message and also adds its sender to the list of wanted senders."""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import add_to_contacts, look_on_phone, told
from deliverability.protocols.replies_europe import REPLIES_GMX as REPLIES

_LIST = "https://hilfe.gmx.net/email/spam-und-viren/erwuenscht-und-sperrliste/sperrlisten.html"

PROVIDER = Provider(
    id="gmx",
    name={"en": "GMX", "zh-Hant-TW": "GMX"},
    kind=ProviderKind.CONSUMER,
    domains=frozenset({"gmx.at", "gmx.ch", "gmx.com", "gmx.de", "gmx.net"}),
    mx_suffixes=("gmx.net",),
    junk_folder={"en": "Spamverdacht or Spam", "zh-Hant-TW": "Spamverdacht（垃圾郵件）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_on_phone(("Spamverdacht", "Spamverdacht")),
        told(
            Surface.COMPUTER,
            _LIST,
            ("Open gmx.net and then your mailbox.", "打開 gmx.net，進入信箱。"),
            ("Open the folder “Spamverdacht”.", "打開 Spamverdacht 資料夾。"),
            ("Open our message; its sender is {address}.", "打開我們的信，寄件者是 {address}。"),
            ("Press “Kein Spam” (not spam).", "按 Kein Spam（不是垃圾郵件）。"),
        ),
    ),
    keep=(
        add_to_contacts(),
        told(
            Surface.COMPUTER,
            _LIST,
            ("Open “Einstellungen” (settings).", "打開 Einstellungen（設定）。"),
            ("Open “Erwünscht-Liste” (wanted senders).", "打開 Erwünscht-Liste（想收的寄件者）。"),
            ("Type {address}.", "輸入 {address}。"),
            ("Press “Speichern” (save).", "按 Speichern（儲存）。"),
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        {
            "en": "Filter rules of your own run before this list and win over it.",
            "zh-Hant-TW": "您自訂的過濾規則會先執行，效力高於這份名單。",
        },
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://www.gmx.net/",
    replies=REPLIES,
)
