"""PChome 信箱.  No help page was found, on 2026-11-22 again: every step is the usual way, worded so that it misleads nobody."""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import add_to_contacts, look_in_browser

PROVIDER = Provider(
    id="pchome",
    name={"en": "PChome Mail", "zh-Hant-TW": "PChome 信箱"},
    kind=ProviderKind.ISP,
    domains=frozenset({"pchome.com.tw"}),
    mx_suffixes=("pchome.com.tw",),
    junk_folder={"en": "the folder for junk or advertisements", "zh-Hant-TW": "垃圾信或廣告信的資料夾"},
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
