"""rspamd: one From address, and only where DMARC passed for it.

``valid_dkim`` alone would trust any From as long as the domain signed something: at a web host that is every customer.
Source: https://docs.rspamd.com/modules/multimap (``require_symbols``); RFC 9989 for what DMARC_POLICY_ALLOW means.
"""

import hashlib
import json

from deliverability.evidence.plugin import Form, FormKind
from deliverability.evidence.sender_facts import SenderFacts
from deliverability.protocols.allow_text import commented, plain_address, remarks


def _render(facts: SenderFacts) -> bytes:
    address = plain_address(facts, "rspamd")
    symbol = "ALLOW_" + hashlib.sha256(address.encode()).hexdigest()[:8].upper()
    rule = f"""
{json.dumps(symbol)} {{
  type = "header";
  header = "From";
  filter = "email:addr";
  map = [{json.dumps(address)}];
  require_symbols = "DMARC_POLICY_ALLOW & !MULTIPLE_UNIQUE_HEADERS";
  score = -10.0;
  description = "One sender, authenticated by DMARC";
}}
"""
    return (commented(remarks(FORM, facts)) + rule).encode()


FORM = Form(
    id="rspamd",
    title={"en": "rspamd (multimap.conf)", "zh-Hant-TW": "rspamd（multimap.conf）"},
    kind=FormKind.ADMINISTRATOR,
    authenticated=True,
    run_here=True,
    media_type="text/plain",
    extension="conf",
    render=_render,
    effect={
        "en": "Mail from this one address is scored 10 points lower, if DMARC passes for it.",
        "zh-Hant-TW": "只有這個地址、而且通過 DMARC 的郵件，分數會降低 10 分。",
    },
    limits={
        "en": "It helps no mail for which DMARC does not pass, and overrides neither virus checks nor a score that is more than 10 points too high. The module dmarc must be on; rspamd must see the connecting address.",
        "zh-Hant-TW": "未通過 DMARC 的郵件不適用；不影響病毒掃描，超過門檻 10 分以上的郵件也救不回來。必須啟用 dmarc 模組，而且 rspamd 要看得到真正連線的 IP。",
    },
    blast_radius={"en": "every mailbox whose mail this rspamd scans.", "zh-Hant-TW": "這套 rspamd 所掃描的所有信箱。"},
    undo={
        "en": "delete the block from local.d/multimap.conf and reload rspamd.",
        "zh-Hant-TW": "從 local.d/multimap.conf 刪除這個區塊，再重新載入 rspamd。",
    },
    instructions={
        "en": (
            "Add the block to /etc/rspamd/local.d/multimap.conf; make the file if it is not there.",
            "Run: rspamadm configtest",
            "Run: systemctl reload rspamd",
        ),
        "zh-Hant-TW": (
            "把這個區塊加到 /etc/rspamd/local.d/multimap.conf；沒有該檔案時請建立。",
            "執行：rspamadm configtest",
            "執行：systemctl reload rspamd",
        ),
    },
    source="https://docs.rspamd.com/modules/multimap",
)
