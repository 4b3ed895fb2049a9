"""What replies of mail gateways mean: Mimecast, Proofpoint, Barracuda, Cisco, Trend Micro.

A gateway does what its customer's administrator told it to, so that very often only that administrator can act.  Mimecast
publishes its list; the others' texts are those of samples and of https://help.mailgun.com/hc/en-us/articles/25099259504411.
"""

from typing import Final

from deliverability.evidence.plugin import Actor, ReplyRule
from deliverability.protocols.replies_causes import rule

_MIMECAST: Final = (
    "https://mimecastsupport.zendesk.com/hc/en-us/articles/34000709564691-Policies-Mimecast-SMTP-Error-Codes"
)
_BOUNCES: Final = "https://help.mailgun.com/hc/en-us/articles/25099259504411-Classified-Bounces-List"
_PROOFPOINT: Final = "https://ipcheck.proofpoint.com/"
_BARRACUDA: Final = "https://www.barracudacentral.org/lookups"
_CISCO: Final = "https://www.talosintelligence.com/reputation_center"
_TRENDMICRO: Final = "https://docs.trendmicro.com/en-us/documentation/article/deep-discovery-email-inspector-51-online-help-smtp-error-codes"
_ADMIN = (
    "A policy of the recipient’s organization refuses this sender: only its mail administrator can change that. Send the exact reply there.",
    "收件單位的規則拒收這個寄件者：只有其郵件管理者能更改，請附上回覆原文請對方處理。",
)
_PROOFPOINT_IP = (
    "Look the sending address up at ipcheck.proofpoint.com and ask for its release there.",
    "請到 ipcheck.proofpoint.com 查詢寄送的 IP 位址，並在那裡申請解除。",
)
_BARRACUDA_IP = (
    "Look the sending address up at barracudacentral.org and ask for its removal there.",
    "請到 barracudacentral.org 查詢寄送的 IP 位址，並在那裡申請移除。",
)

REPLIES_MIMECAST: Final[tuple[ReplyRule, ...]] = (
    rule("greylisted", r"Internal resources? (is |are )?temporarily unavailable", "greylisted", _MIMECAST),
    rule("sender-blocked", r"\b[45][0-9]{2} Sender address blocked", "blocked-by-recipient", _MIMECAST, advice=_ADMIN),
    rule(
        "administrative",
        r"(Administrative prohibition|envelope blocked).{0,80}mimecast|Administrative prohibition - envelope blocked",
        "blocked-by-recipient",
        _MIMECAST,
        advice=_ADMIN,
    ),
    rule(
        "user-block",
        r"Rejected by header based manually blocked senders|manually blocked senders",
        "blocked-by-recipient",
        _MIMECAST,
        advice=(
            "The recipient blocked this sender: the recipient takes it off under Managed Senders, or the administrator does.",
            "收件者封鎖了這個寄件者：請收件者在 Managed Senders 移除，或由管理者移除。",
        ),
    ),
    rule(
        "anti-spoofing",
        r"Rejected by header based Anti-?Spoofing policy|Anti-?Spoofing policy",
        "blocked-by-recipient",
        _MIMECAST,
        advice=(
            "The recipient’s Mimecast takes this for a forgery of its own domain: its administrator can allow the sending address.",
            "收件單位的 Mimecast 認為這是冒用其網域的信：其管理者可允許寄送的 IP 位址。",
        ),
    ),
    rule(
        "authentication",
        r"(DMARC|DKIM|SPF) (sender )?(invalid|failed).{0,60}envelope rejected|SPF Sender Invalid",
        "unauthenticated",
        _MIMECAST,
    ),
    rule(
        "invalid-recipient",
        r"Invalid Recipient.{0,80}mimecast|mimecast.{0,60}Invalid Recipient",
        "no-mailbox",
        _MIMECAST,
    ),
    rule("temporary-recipient", r"Recipient temporarily unavailable", "temporary", _MIMECAST),
    rule("local-ct-ip-reputation", r"Local CT IP Reputation|csi\.mimecast\.org", "reputation", _MIMECAST),
    rule("signature", r"(Email|message) rejected due to security policies", "content", _MIMECAST),
    rule("open-relay", r"Open relay not allowed", "not-served", _MIMECAST),
    rule(
        "help-page",
        r"(community|docs|support)\.mimecast\.(com|example)",
        "policy",
        _MIMECAST,
        actor=Actor.RECIPIENT,
        advice=_ADMIN,
    ),
)
REPLIES_PROOFPOINT: Final[tuple[ReplyRule, ...]] = (
    rule(
        "ip-blocked",
        r"ipcheck\.proofpoint\.com|Blocked - see https://ipcheck|support\.proofpoint\.com/dnsbl",
        "reputation",
        _PROOFPOINT,
        advice=_PROOFPOINT_IP,
    ),
    rule("local-policy", r"Local Policy Violation", "blocked-by-recipient", _BOUNCES, advice=_ADMIN),
    rule("cloudmark", r"Cloudmark (CSI|Sender Intelligence)|csi\.cloudmark\.com", "reputation", _BOUNCES),
    rule(
        "essentials",
        r"(ppe-hosted|pphosted)\.(com|example).{0,80}(denied|blocked)",
        "policy",
        _BOUNCES,
        actor=Actor.RECIPIENT,
        advice=_ADMIN,
    ),
)
REPLIES_BARRACUDA: Final[tuple[ReplyRule, ...]] = (
    rule(
        "reputation",
        r"b\.barracudacentral\.org|blocked using Barracuda Reputation|barracudanetworks\.com/reputation|bbl\.barracudacentral",
        "listed",
        _BARRACUDA,
        advice=_BARRACUDA_IP,
    ),
    rule("content", r"rejecting banned content", "content", _BOUNCES),
    rule(
        "blocked",
        r"\b550 permanent failure for one or more recipients \(.{1,80}:blocked\)",
        "blocked-by-recipient",
        _BOUNCES,
        advice=_ADMIN,
    ),
    rule(
        "no-mailbox",
        r"\b550 permanent failure for one or more recipients \(.{1,80}:(unknown|550)",
        "no-mailbox",
        _BOUNCES,
    ),
)
REPLIES_CISCO: Final[tuple[ReplyRule, ...]] = (
    rule(
        "reputation",
        r"senderbase\.org|poor (email )?reputation score|(ironport|talosintelligence)\.(com|org).{0,80}(reputation|blocked)|reputation.{0,60}talosintelligence",
        "reputation",
        _CISCO,
        advice=(
            "Cisco Talos gives the sending address a poor reputation: look it up at talosintelligence.com and ask for a review there.",
            "Cisco Talos 給這個 IP 位址的信譽不佳：請到 talosintelligence.com 查詢並申請重新評估。",
        ),
    ),
)
REPLIES_TRENDMICRO: Final[tuple[ReplyRule, ...]] = (
    rule(
        "reputation",
        r"Trend Micro (Email Reputation|RBL)|mail-abuse\.com|ers\.trendmicro\.com|servicecentral\.trendmicro",
        "listed",
        _TRENDMICRO,
    ),
)
