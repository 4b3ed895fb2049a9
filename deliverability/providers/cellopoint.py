"""Cellopoint Email UTM, a gateway before Taiwanese companies and agencies.

No page of its user interface was found and no MX
tells it: the steps are the usual way of quarantines.
"""

from datetime import date

from deliverability.evidence.plugin import Provider, ProviderKind, Surface
from deliverability.protocols.mailbox_steps import (
    ASK_IT,
    DIGEST_IS_PERSONAL,
    QUARANTINE,
    ask_it_to_allow,
    look_for_notice,
)

PROVIDER = Provider(
    id="cellopoint",
    name={"en": "Cellopoint", "zh-Hant-TW": "Cellopoint（基點資訊）"},
    kind=ProviderKind.GATEWAY,
    junk_folder={"en": "the quarantine, outside the mailbox", "zh-Hant-TW": "隔離區（在信箱以外）"},
    search={"en": "{address}", "zh-Hant-TW": "{address}"},
    find=(look_for_notice(), look_for_notice(Surface.COMPUTER)),
    keep=(ask_it_to_allow(),),
    caveats=(QUARANTINE, DIGEST_IS_PERSONAL, ASK_IT),
    steps_date=date(2026, 11, 22),
)
