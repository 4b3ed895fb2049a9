"""Any other mailbox: the usual way, worded so that it misleads nobody."""

from datetime import date

from deliverability.evidence.plugin import Certainty, Provider, ProviderKind, Steps, Surface

_USUAL = "the usual way of mail programs; this provider's own pages were not read"

PROVIDER = Provider(
    id="generic",
    name={"en": "your mail provider", "zh-Hant-TW": "您的信箱業者"},
    kind=ProviderKind.GENERIC,
    junk_folder={"en": "Junk or Spam", "zh-Hant-TW": "垃圾郵件（也可能叫垃圾信件、廣告信匣或 Spam）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        Steps(
            surface=Surface.PHONE_APP,
            steps={
                "en": (
                    "Open your mail app and its list of folders.",
                    "Open the folder for junk; it may be called Junk, Spam or Bulk.",
                    "Look for our message; its sender is {address}.",
                    "Mark it as not junk, or move it to the inbox.",
                ),
                "zh-Hant-TW": (
                    "打開收信的應用程式，顯示資料夾清單。",
                    "打開放垃圾信的資料夾，名稱可能是垃圾郵件、垃圾信件、廣告信匣或 Spam。",
                    "尋找我們的信，寄件者是 {address}。",
                    "把它標為不是垃圾郵件，或移到收件匣。",
                ),
            },
            certainty=Certainty.GENERAL,
            source=_USUAL,
        ),
        Steps(
            surface=Surface.COMPUTER,
            steps={
                "en": (
                    "Open your provider’s webmail and sign in.",
                    "Open the junk folder, and then search all folders for {address}.",
                    "Mark our message as not junk, or move it to the inbox.",
                ),
                "zh-Hant-TW": (
                    "打開信箱業者的網頁信箱並登入。",
                    "打開垃圾郵件資料夾，再用 {address} 搜尋所有資料夾。",
                    "把我們的信標為不是垃圾郵件，或移到收件匣。",
                ),
            },
            certainty=Certainty.GENERAL,
            source=_USUAL,
        ),
    ),
    keep=(
        Steps(
            surface=Surface.PHONE_APP,
            steps={
                "en": (
                    "Open our message.",
                    "Check that its sender is {address}.",
                    "Add this address to your contacts or address book.",
                ),
                "zh-Hant-TW": (
                    "打開我們的信。",
                    "確認寄件者是 {address}。",
                    "把這個地址加入聯絡人或通訊錄。",
                ),
            },
            certainty=Certainty.GENERAL,
            source=_USUAL,
        ),
        Steps(
            surface=Surface.COMPUTER,
            steps={
                "en": (
                    "Open the settings of your webmail.",
                    "Look for a list of safe, allowed or trusted senders.",
                    "Add {address} and save.",
                ),
                "zh-Hant-TW": (
                    "打開網頁信箱的設定。",
                    "找出安全寄件者、允許名單或白名單。",
                    "加入 {address} 並儲存。",
                ),
            },
            certainty=Certainty.GENERAL,
            source=_USUAL,
        ),
    ),
    caveats=(
        {
            "en": "At a company or school, mail may wait in a quarantine outside the mailbox: ask the IT department.",
            "zh-Hant-TW": "公司或學校的信可能先放在信箱以外的隔離區，請詢問資訊人員。",
        },
    ),
    steps_date=date(2026, 11, 22),
)
