"""Mimecast, a Permitted Senders policy tied to the sender's own addresses on the network, as exact field values.

Source: mimecastsupport.zendesk.com on Permitted Senders.  Not run here.
"""

from deliverability.errors import ParseError
from deliverability.evidence.plugin import Form, FormKind, Need
from deliverability.evidence.sender_facts import SenderFacts
from deliverability.protocols.allow_text import leaflet, plain_address


def _render(facts: SenderFacts) -> bytes:
    if not facts.egress_ips:
        raise ParseError("a Mimecast policy needs the addresses from which the sender connects")
    ranges = ", ".join(f"{ip}/128" if ":" in ip else f"{ip}/32" for ip in facts.egress_ips)
    fields = (
        ("Policy Narrative", f"{facts.author_domain} notices"),
        ("Select Policy", "Permit Sender"),
        ("Addresses Based On", "The Message From Address"),
        ("Applies From", f"Individual Email Address: {plain_address(facts, 'Mimecast')}"),
        ("Applies To", "Internal Addresses"),
        ("Date Range, end", facts.expires_on.isoformat()),
        ("Source IP Ranges", ranges),
    )
    return leaflet(FORM, facts, fields)


FORM = Form(
    id="mimecast",
    title={
        "en": "Mimecast Permitted Senders policy (administrator)",
        "zh-Hant-TW": "Mimecast Permitted Senders 政策（管理員）",
    },
    kind=FormKind.ADMINISTRATOR,
    authenticated=False,
    run_here=False,
    media_type="text/plain",
    extension="txt",
    render=_render,
    effect={
        "en": "Mail from this one address, sent by the sender's own servers, passes Mimecast's reputation, greylisting and spam checks.",
        "zh-Hant-TW": "由寄件者自己的伺服器送出、寄件者是這個地址的信，會略過 Mimecast 的信譽、灰名單與垃圾郵件檢查。",
    },
    limits={
        "en": "NOT RUN HERE. It checks no signature; whoever else sends from those servers and writes this address passes too. A Blocked Senders policy wins over it. Anti-spoofing is another policy.",
        "zh-Hant-TW": "未在此測試。不檢查簽章；其他人若從相同伺服器寄信並冒用此地址，也會通過。Blocked Senders 政策優先。防冒名是另一項政策。",
    },
    blast_radius={
        "en": "every mailbox behind this Mimecast account.",
        "zh-Hant-TW": "這個 Mimecast 帳戶後方的所有信箱。",
    },
    undo={"en": "delete the policy.", "zh-Hant-TW": "刪除這項政策。"},
    instructions={
        "en": (
            "Administration, Gateway, Policies, Permitted Senders, New Policy.",
            "Enter the values below; leave the rest as it is.",
            "Save and exit.",
        ),
        "zh-Hant-TW": (
            "Administration → Gateway → Policies → Permitted Senders → New Policy。",
            "填入下列內容，其餘保持不變。",
            "儲存並離開。",
        ),
    },
    ends_by_itself=True,
    needs=frozenset({Need.EGRESS_IPS}),
    providers=frozenset({"mimecast"}),
    source="https://mimecastsupport.zendesk.com/hc/en-us/articles/34000390156947",
)
