"""Mail on a cPanel host, read in Roundcube.

The list on cPanel's own page writes ``whitelist_from``, which lets any forger in (tried against SpamAssassin 4.0.1), so it is
not named; its host can write ``welcomelist_auth`` instead.
"""

from datetime import date

from deliverability.evidence.plugin import Certainty, Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import USUAL, add_to_contacts, look_in_browser, told

_MARK = "https://github.com/roundcube/roundcubemail plugins/markasjunk/localization/zh_TW.inc"

PROVIDER = Provider(
    id="cpanel",
    name={"en": "cPanel mail", "zh-Hant-TW": "cPanel 信箱"},
    kind=ProviderKind.PANEL,
    junk_folder={"en": "spam or Junk", "zh-Hant-TW": "spam 或 Junk（垃圾郵件）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_in_browser(Surface.PHONE_BROWSER, ("spam or Junk", "spam 或 Junk")),
        told(
            Surface.COMPUTER,
            _MARK,
            ("Open your webmail and sign in.", "打開網頁信箱並登入。"),
            ("Open the folder “spam” or “Junk”.", "打開 spam 或 Junk 資料夾。"),
            ("Select our message; its sender is {address}.", "選取我們的信，寄件者是 {address}。"),
            ("Press “Not Junk”, or move it to the inbox.", "按「標示為非垃圾郵件」，或移到收件匣。"),
        ),
    ),
    keep=(
        add_to_contacts(Surface.PHONE_BROWSER),
        told(
            Surface.COMPUTER,
            USUAL,
            (
                "Ask whoever runs your web host to let mail from {address} pass.",
                "請您的主機業者讓 {address} 的來信通過。",
            ),
            (
                "Ask them to use SpamAssassin’s welcomelist_auth (whitelist_auth before version 4).",
                "請他們使用 SpamAssassin 的 welcomelist_auth（4 版以前叫 whitelist_auth）。",
            ),
            (
                "The list on cPanel’s own page looks at the sender’s name alone: a forger could use it too.",
                "cPanel 頁面上的名單只看寄件者名稱，冒名的人也能通過。",
            ),
            certainty=Certainty.GENERAL,
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        {
            "en": "A setting in cPanel holds for every mailbox of the account.",
            "zh-Hant-TW": "cPanel 的設定對該帳號的所有信箱都有效。",
        },
    ),
    steps_date=date(2026, 11, 22),
)
