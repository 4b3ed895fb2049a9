"""Seednet (FETnet).  No help page was found: every step is the usual way, worded so that it misleads nobody."""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import add_to_contacts, look_in_browser

PROVIDER = Provider(
    id="seednet",
    name={"en": "Seednet", "zh-Hant-TW": "Seednet 信箱"},
    kind=ProviderKind.ISP,
    domains=frozenset({".seed.net.tw", "seed.net.tw"}),
    mx_suffixes=("seed.net.tw",),
    junk_folder={"en": "the folder for junk", "zh-Hant-TW": "垃圾信的資料夾"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_in_browser(
            Surface.PHONE_BROWSER, ("whatever its name: 垃圾信, 廣告信 or Spam", "名稱可能是垃圾信、廣告信或 Spam")
        ),
        look_in_browser(
            Surface.COMPUTER, ("whatever its name: 垃圾信, 廣告信 or Spam", "名稱可能是垃圾信、廣告信或 Spam")
        ),
    ),
    keep=(add_to_contacts(Surface.PHONE_BROWSER), add_to_contacts(Surface.COMPUTER)),
    caveats=(
        {
            "en": "We found no help page of this provider; if your screen looks different, ask its customer service.",
            "zh-Hant-TW": "我們沒有找到這家業者的說明頁；如果畫面不同，請詢問它的客服。",
        },
    ),
    steps_date=date(2026, 11, 22),
)
