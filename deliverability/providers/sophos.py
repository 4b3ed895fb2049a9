"""Sophos Email, a gateway.

The Traditional Chinese labels are those of its own help; held mail is deleted there after 30 days, which is no rule of the
mailbox behind it, and so stands as a remark.  The MX suffix is known from practice; no page that names it was found.
"""

from datetime import date

from deliverability.evidence.plugin import Certainty, Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import QUARANTINE, ask_it_to_allow, look_for_notice, told

_SELF = "https://docs.sophos.com/central/SelfService/help/zh-tw/Email/EmailQuarantineSelfService/"

PROVIDER = Provider(
    id="sophos",
    name={"en": "Sophos Email", "zh-Hant-TW": "Sophos Email"},
    kind=ProviderKind.GATEWAY,
    mx_suffixes=("hydra.sophos.com",),
    junk_folder={"en": "the quarantine, outside the mailbox", "zh-Hant-TW": "隔離區（在信箱以外）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_for_notice(),
        told(
            Surface.COMPUTER,
            _SELF,
            ("Open the Sophos self-service portal and then “Email”.", "打開 Sophos 自助入口網站，按一下「電子郵件」。"),
            ("Click “Quarantine”.", "按一下「隔離」。"),
            ("Select our message; its sender is {address}.", "選取我們的信，寄件者是 {address}。"),
            ("Choose “Release”.", "選擇「釋放」。"),
            certainty=Certainty.OFFICIAL,
        ),
    ),
    keep=(
        ask_it_to_allow(),
        told(
            Surface.COMPUTER,
            _SELF,
            ("In the quarantine select our message from {address}.", "在隔離清單選取 {address} 寄來的信。"),
            ("Choose “Release and allow”.", "選擇「釋放和允許」。"),
            ("Its sender is then on your list of allowed senders.", "寄件者就會加入您的允許清單。"),
            certainty=Certainty.OFFICIAL,
        ),
    ),
    caveats=(
        QUARANTINE,
        {"en": "Sophos deletes held mail after 30 days.", "zh-Hant-TW": "Sophos 會在 30 天後刪除隔離的信。"},
        {
            "en": "Your IT department decides whether you may release mail yourself.",
            "zh-Hant-TW": "您能否自行放行，由貴單位的資訊人員決定。",
        },
    ),
    steps_date=date(2026, 11, 22),
)
