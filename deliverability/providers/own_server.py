"""Mailboxes on our own servers: cPanel and the like, read through webmail (Roundcube).

The allowlist of cPanel's page writes ``whitelist_from``, which lets any forger in; the steps therefore use the
webmail's address book and the "not junk" button, and say who can do more.
"""

from datetime import date

from deliverability.evidence.plugin import Certainty, Provider, ProviderKind, Steps, Surface

_MARK = "https://github.com/roundcube/roundcubemail plugins/markasjunk/localization/zh_TW.inc"

PROVIDER = Provider(
    id="own-server",
    name={"en": "our own mail server", "zh-Hant-TW": "我們自己的郵件伺服器"},
    kind=ProviderKind.OWN,
    junk_folder={"en": "Junk (also named “spam”)", "zh-Hant-TW": "垃圾郵件（有時顯示為 spam 或 Junk）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        Steps(
            surface=Surface.PHONE_BROWSER,
            steps={
                "en": (
                    "Open your webmail in the browser of your phone and sign in.",
                    "Open the list of folders and choose “Junk” or “spam”.",
                    "Open our message; its sender is {address}.",
                    "In the menu choose that this message is not junk, or move it to the inbox.",
                ),
                "zh-Hant-TW": (
                    "用手機瀏覽器打開網頁信箱並登入。",
                    "打開資料夾清單，選擇「垃圾郵件」、spam 或 Junk。",
                    "打開我們的信，寄件者是 {address}。",
                    "在選單選擇「標示為非垃圾郵件」，或把信移到收件匣。",
                ),
            },
            certainty=Certainty.SECONDARY,
            source=_MARK,
        ),
        Steps(
            surface=Surface.COMPUTER,
            steps={
                "en": (
                    "Open your webmail and sign in.",
                    "Click the folder “Junk” or “spam” on the left; if there is none, search all folders.",
                    "Select our message; its sender is {address}.",
                    "Press “Not Junk” above the list, or move the message to the inbox.",
                ),
                "zh-Hant-TW": (
                    "打開網頁信箱並登入。",
                    "按左側的「垃圾郵件」、spam 或 Junk；沒有時，請搜尋所有資料夾。",
                    "選取我們的信，寄件者是 {address}。",
                    "按上方的「標示為非垃圾郵件」，或把信移到收件匣。",
                ),
            },
            certainty=Certainty.SECONDARY,
            source=_MARK,
        ),
    ),
    keep=(
        Steps(
            surface=Surface.PHONE_BROWSER,
            steps={
                "en": (
                    "Open our message in the webmail.",
                    "Check that its sender is {address}.",
                    "Tap the sender’s name and add it to your contacts.",
                    "If our mail still goes to junk, tell us: we run this server and can look.",
                ),
                "zh-Hant-TW": (
                    "在網頁信箱打開我們的信。",
                    "確認寄件者是 {address}。",
                    "點一下寄件者，加入聯絡人。",
                    "如果之後仍進垃圾郵件，請告訴我們；這台伺服器由我們管理，可以查看。",
                ),
            },
            certainty=Certainty.GENERAL,
            source="the usual way of webmail",
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        {
            "en": "If a program on your phone or computer collects the mail, look in that program’s junk folder too.",
            "zh-Hant-TW": "如果您用手機或電腦的郵件程式收信，也請查看那個程式的垃圾郵件資料夾。",
        },
    ),
    steps_date=date(2026, 11, 22),
)
