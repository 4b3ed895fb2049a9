"""Barracuda Email Gateway Defense, a gateway.

An exempt sender skips spam scoring and content filters; entries take neither
``*`` nor ``@`` before a domain.
"""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import ASK_IT, QUARANTINE, ask_it_to_allow, look_for_notice, told
from deliverability.protocols.replies_gateways import REPLIES_BARRACUDA as REPLIES

_POLICY = "https://campus.barracuda.com/doc/96023020/"

PROVIDER = Provider(
    id="barracuda",
    name={"en": "Barracuda", "zh-Hant-TW": "Barracuda"},
    kind=ProviderKind.GATEWAY,
    mx_suffixes=("barracudanetworks.com",),
    junk_folder={"en": "the quarantine, outside the mailbox", "zh-Hant-TW": "隔離區（在信箱以外）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(
        look_for_notice(),
        told(
            Surface.COMPUTER,
            _POLICY,
            ("Open the quarantine notice of Barracuda.", "打開 Barracuda 的隔離通知信。"),
            ("Look for our message; its sender is {address}.", "尋找我們的信，寄件者是 {address}。"),
            ("Choose “Deliver”.", "選擇 Deliver（送出）。"),
        ),
    ),
    keep=(
        ask_it_to_allow(),
        told(
            Surface.COMPUTER,
            _POLICY,
            (
                "Sign in from the quarantine notice and open the menu, then “Settings”.",
                "從通知信登入，打開選單，再打開 Settings。",
            ),
            ("Open “Sender Policy” and type {address}.", "打開 Sender Policy，輸入 {address}。"),
            ("Choose “Allow” (“Exempt”) and press “Add”.", "選擇 Allow（Exempt），按 Add。"),
        ),
    ),
    list_checks_authentication=False,
    caveats=(
        QUARANTINE,
        ASK_IT,
        {
            "en": "Type the whole address; entries with * or a leading @ are not understood.",
            "zh-Hant-TW": "請輸入完整的地址；不接受 * 或開頭的 @。",
        },
    ),
    steps_date=date(2026, 11, 22),
    replies=REPLIES,
)
