"""Trend Micro Email Security, a gateway.  No page of its user console was at hand: the steps are the usual way of quarantines.

The MX suffixes are known from practice; no page that names them was found.
"""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import ASK_IT, QUARANTINE, ask_it_to_allow, look_for_notice
from deliverability.protocols.replies_gateways import REPLIES_TRENDMICRO as REPLIES

PROVIDER = Provider(
    id="trendmicro",
    name={"en": "Trend Micro Email Security", "zh-Hant-TW": "Trend Micro Email Security（趨勢科技）"},
    kind=ProviderKind.GATEWAY,
    mx_suffixes=("tmes.trendmicro.com", "tmes.trendmicro.eu", "tmes-sg.trendmicro.com", "tmes-anz.trendmicro.com"),
    junk_folder={"en": "the quarantine, outside the mailbox", "zh-Hant-TW": "隔離區（在信箱以外）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(look_for_notice(), look_for_notice(Surface.COMPUTER)),
    keep=(ask_it_to_allow(),),
    caveats=(QUARANTINE, ASK_IT),
    steps_date=date(2026, 11, 22),
    replies=REPLIES,
)
