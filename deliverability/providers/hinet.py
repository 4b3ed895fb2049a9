"""HiNet 信箱 (中華電信), the mailboxes under hinet.net and below it.

Its own help says: the trusted list 正常郵件名單 matches a domain exactly, the address book counts as trusted,
and at protection level 高 only listed senders reach the inbox.

Held on 2026-11-22 against both pages named below.  Not confirmed: its MX names, how long 垃圾信件匣 is kept, and whether the
menus look the same on a phone; no page of a newer webmail was found.
"""

from datetime import date

from deliverability.evidence.plugin import Certainty, Provider, ProviderKind, Steps, Surface
from deliverability.protocols.replies_taiwan import REPLIES_HINET as REPLIES

_LISTS = "http://lib.webmail.hinet.net/statement/F-set-7.htm"
_FOLDERS = "https://lib.webmail.hinet.net/statement/F-set-e-5.htm"

PROVIDER = Provider(
    id="hinet",
    name={"en": "HiNet", "zh-Hant-TW": "HiNet 信箱"},
    kind=ProviderKind.ISP,
    domains=frozenset({"hinet.net", ".hinet.net"}),
    mx_suffixes=("hinet.net",),
    junk_folder={"en": "Junk (垃圾信件匣)", "zh-Hant-TW": "垃圾信件匣"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        Steps(
            surface=Surface.PHONE_BROWSER,
            steps={
                "en": (
                    "Open webmail.hinet.net in the browser and sign in.",
                    "Open the junk folder 垃圾信件匣.",
                    "Tick our message; its sender is {address}.",
                    "Move it to the inbox 收件匣.",
                ),
                "zh-Hant-TW": (
                    "用瀏覽器打開 webmail.hinet.net 並登入。",
                    "打開「垃圾信件匣」。",
                    "勾選我們的信，寄件者是 {address}。",
                    "把它移到「收件匣」。",
                ),
            },
            certainty=Certainty.SECONDARY,
            source=_FOLDERS,
        ),
        Steps(
            surface=Surface.COMPUTER,
            steps={
                "en": (
                    "Open webmail.hinet.net and sign in.",
                    "Open the junk folder 垃圾信件匣.",
                    "Tick our message; its sender is {address}.",
                    "Move it to the inbox 收件匣.",
                ),
                "zh-Hant-TW": (
                    "打開 webmail.hinet.net 並登入。",
                    "打開「垃圾信件匣」。",
                    "勾選我們的信，寄件者是 {address}。",
                    "把它移到「收件匣」。",
                ),
            },
            certainty=Certainty.SECONDARY,
            source=_FOLDERS,
        ),
    ),
    keep=(
        Steps(
            surface=Surface.PHONE_BROWSER,
            steps={
                "en": (
                    "Open webmail.hinet.net in the browser and sign in.",
                    "Open 個人設定 (options), then 垃圾信防護設定 (anti-spam).",
                    "Choose 正常郵件名單 (trusted list).",
                    "Type {address}.",
                    "Press 新增 (add).",
                ),
                "zh-Hant-TW": (
                    "用瀏覽器打開 webmail.hinet.net 並登入。",
                    "點選「個人設定」內的「垃圾信防護設定」。",
                    "選擇「正常郵件名單」。",
                    "輸入 {address}。",
                    "按「新增」。",
                ),
            },
            certainty=Certainty.OFFICIAL,
            source=_LISTS,
        ),
        Steps(
            surface=Surface.COMPUTER,
            steps={
                "en": (
                    "Open 個人設定 (options) in the webmail.",
                    "Open 垃圾信防護設定 (anti-spam), then 正常郵件名單 (trusted list).",
                    "Type {address}.",
                    "Press 新增 (add).",
                ),
                "zh-Hant-TW": (
                    "在網頁信箱點選「個人設定」。",
                    "打開「垃圾信防護設定」，選擇「正常郵件名單」。",
                    "輸入 {address}。",
                    "按「新增」。",
                ),
            },
            certainty=Certainty.OFFICIAL,
            source=_LISTS,
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        {
            "en": "Adding us to the address book has the same effect.",
            "zh-Hant-TW": "把我們加入通訊錄也有同樣效果，通訊錄內的地址會自動視為正常郵件名單。",
        },
        {
            "en": "If your protection level is 高 (high), only senders on the list reach the inbox.",
            "zh-Hant-TW": "如果防護層級設為「高」，只有名單上的寄件者會送到收件匣。",
        },
        {
            "en": "Type the whole address: an entry for a domain is matched exactly and does not cover names below it.",
            "zh-Hant-TW": "請輸入完整的地址：網域採完全比對，不包含下一層的網域名稱。",
        },
    ),
    steps_date=date(2026, 11, 22),
    webmail="https://webmail.hinet.net/",
    replies=REPLIES,
)
