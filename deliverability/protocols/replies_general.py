"""Replies that no provider owns: public block lists, and the words of Postfix, Exim, Sendmail, qmail and others.

Looked through after a provider's own rules and before the bare code, because servers use words with more care than
codes.  The texts are those of the programs' own sources and of real logs.
"""

from typing import Final

from deliverability.evidence.plugin import ReplyRule
from deliverability.protocols.replies_causes import rule

_POSTFIX: Final = "https://www.postfix.org/postconf.5.html"
_EXIM: Final = "https://www.exim.org/exim-html-current/doc/html/spec_html/"
_RFC: Final = "https://www.rfc-editor.org/rfc/rfc5321"
_SPAMHAUS: Final = "https://www.spamhaus.org/faqs/"
_LISTS: Final = "https://www.rfc-editor.org/rfc/rfc5782"
_SPAMHAUS_ERRORS: Final = (
    "https://www.spamhaus.org/resource-hub/dnsbl/using-our-public-mirrors-check-your-return-codes-now/"
)

GENERAL: Final[tuple[ReplyRule, ...]] = (
    rule(
        "spamhaus-open-resolver",
        r"spamhaus.{0,80}(open resolver|public resolver|127\.255\.255\.25[0-9])|127\.255\.255\.25[0-9]",
        "server-trouble",
        _SPAMHAUS_ERRORS,
        advice=(
            "The receiving server asks the list in a way that the list refuses, so it refuses everybody: its administrator has to repair that.",
            "對方伺服器查詢清單的方式被清單拒絕，因此誤擋所有人：需由對方管理者修正。",
        ),
    ),
    rule(
        "spamhaus",
        r"spamhaus\.(org|net)|\bSpamhaus\b",
        "listed",
        _SPAMHAUS,
        advice=(
            "Look the sending address and the domains in the message up at check.spamhaus.org; remove the reason, then ask for delisting there.",
            "請到 check.spamhaus.org 查詢寄送的 IP 位址與信中網域，排除原因後申請移除。",
        ),
    ),
    rule(
        "sorbs",
        r"\bsorbs\.net\b|\bSORBS\b",
        "listed",
        "https://www.rfc-editor.org/rfc/rfc6471",
        advice=(
            "SORBS was closed in June 2024: a server that still asks it needs repair by its administrator.",
            "SORBS 已於 2024 年 6 月停止服務：仍在查詢它的伺服器需由其管理者修正。",
        ),
    ),
    rule("spamcop", r"\bspamcop\.net\b|\bSpamCop\b", "listed", "https://www.spamcop.net/bl.shtml"),
    rule("uceprotect", r"\buceprotect\.net\b|\bUCEPROTECT\b", "listed", "https://www.uceprotect.net/"),
    rule("abusix", r"\b(mail\.abusix\.zone|lookup\.abusix\.com)\b", "listed", "https://lookup.abusix.com/"),
    rule("surbl", r"\b(surbl|uribl)\.(org|com)\b", "listed", _LISTS),
    rule(
        "named-list",
        r"blocked using [a-z0-9.-]{4,80}|(listed|found) (in|on|at|by) [a-z0-9.-]{0,60}(dnsbl|rbl|bl|blacklist|blocklist)\b"
        r"|\b(DNSBL|RBL)\b.{0,40}(listed|blocked|reject)|is listed on .{1,60}(block|black) ?list",
        "listed",
        _LISTS,
    ),
    rule(
        "greylisted",
        r"\bgr[ea]y-?list(ed|ing)?\b|postgrey|not yet authorized to deliver mail from",
        "greylisted",
        "https://www.rfc-editor.org/rfc/rfc6647",
    ),
    rule(
        "sender-verify",
        r"sender verif(y|ication) failed|Verification failed for <|Could not complete sender verify",
        "sender-rejected",
        _EXIM,
    ),
    rule(
        "sender-domain",
        r"Sender address rejected: (Domain not found|Malformed DNS|undeliverable|unverified)|Domain of sender address .{1,80} does not (exist|resolve)"
        r"|sender (domain )?(does not exist|must exist|must resolve)|Sender address rejected: User unknown",
        "sender-rejected",
        _POSTFIX,
    ),
    rule(
        "reverse-dns",
        r"cannot find your (reverse )?hostname|(missing|no|bad|invalid|generic) (reverse DNS|rDNS|PTR)|has no PTR record|reverse DNS.{0,40}(fail|required|mismatch|does not)"
        r"|Helo command rejected: (Host not found|need fully-qualified)",
        "reverse-dns",
        _POSTFIX,
    ),
    rule(
        "authentication",
        r"(SPF|DKIM|DMARC)( check| verification| validation| policy|:)?.{0,40}\b(fail(ed|ure|s)?|reject(ed|ion)?|not pass|violat)"
        r"|(reject|refus|block|fail)[a-z]{0,4} .{0,40}\b(due to|because of|by) .{0,40}(SPF|DKIM|DMARC)|not (allowed|permitted|authori[sz]ed) to send .{0,40}(on behalf|from|for)",
        "unauthenticated",
        "https://www.rfc-editor.org/rfc/rfc7372",
    ),
    rule(
        "full",
        r"(mailbox|inbox|user|account|quota|storage|mailfolder).{0,30}\b(is full|full|over ?quota|exceed(s|ed)|limit reached)\b|quota (is )?exceeded|Mailbox full"
        r"|exceeded storage allocation|not enough (storage )?space|over the allowed quota|insufficient (disk|storage) space.{0,30}(user|mailbox)",
        "mailbox-full",
        _RFC,
    ),
    rule(
        "disabled",
        r"(mailbox|account|user|recipient).{0,30}\b(is )?(disabled|inactive|suspended|deactivated|locked|expired|closed|discontinued)\b",
        "mailbox-disabled",
        _RFC,
    ),
    rule(
        "no-mailbox",
        r"\b(user|mailbox|recipient|address|account)( is)? ?(unknown|not found|does(n't| not) exist|invalid)\b|\b(unknown|no such|invalid) (local )?(user|mailbox|recipient|address|account|person)"
        r"|User unknown|no mailbox (here )?by that name|Unrouteable address|Recipient (address )?(rejected: )?(User unknown|undeliverable|not found)|not a valid mailbox"
        r"|does not have a .{1,40} account|(Recipient|Mailbox|No such) .{0,20}(unavailable or )?not (found|exist)",
        "no-mailbox",
        _RFC,
    ),
    rule(
        "not-served",
        r"relay(ing)? (access )?(is )?(denied|not (allowed|permitted))|(unable|not allowed|refuse) to relay|we (do not|don't) relay|not (one of )?(our|a local|local) domains?",
        "not-served",
        _RFC,
    ),
    rule(
        "size",
        r"message (size |is )?(too (big|large)|exceeds|larger)|exceeds .{0,40}(maximum|size|limit).{0,20}(size|message|mail)|message size exceeds|exceeds my databytes",
        "too-large",
        "https://www.rfc-editor.org/rfc/rfc1870",
    ),
    rule("malware", r"\b(virus|malware|trojan|infected)\b", "malware", _RFC),
    rule(
        "blocked-user",
        r"(blocked|rejected|refused|restricted) by (the )?(recipient|user|addressee)|recipient (has )?(blocked|does not accept)|(user|recipient)('s)? (blacklist|block ?list)",
        "blocked-by-recipient",
        _RFC,
    ),
    rule(
        "rate",
        r"too many (connections|messages|recipients|errors|mails|concurrent)|(rate|sending|message|connection) limit|rate[- ]limit(ed|ing)|throttl(ed|ing)|too (frequent|fast|quickly)|exceeded .{0,30}(rate|messages per)",
        "rate-limited",
        _RFC,
    ),
    rule(
        "reputation",
        r"(poor|bad|low|ip|sender|domain) reputation|(your|sending|client|this) (ip|host|server|address|ip address) .{0,40}(is |has been |was )?(blocked|black ?listed|banned|denied)|banned (sending|sender)",
        "reputation",
        _RFC,
    ),
    rule(
        "content",
        r"(looks|seems|appears|classified|considered|identified|detected|marked|suspected|suspicion|likely)( to be| like| as| of| is)? (un(solicited|wanted)|spam|junk|bulk)"
        r"|\b(spam|junk) (message|mail|content|detected|score|rejected)|message (contains|is) (spam|junk)|content (is )?(rejected|denied|filter|unacceptable)|high (probability|score).{0,20}spam"
        r"|\b(identified as|rejected as|refused as|as) spam\b|This message (was|is|has been) (classified|identified) .{0,20}spam",
        "content",
        _RFC,
    ),
    rule(
        "tls",
        r"(must issue a STARTTLS|STARTTLS (is )?required|TLS (is )?required|encryption required|requires? (TLS|encryption))",
        "tls",
        "https://www.rfc-editor.org/rfc/rfc3207",
    ),
    rule("loop", r"(mail|routing|forwarding) loop|too many hops|hop count exceeded|loops back to myself", "loop", _RFC),
    rule(
        "message-form",
        r"(missing|invalid|malformed|multiple|duplicate|bad) .{0,20}(header|From|Date|Message-ID)|(violates|not) RFC ?5?[38]22|header (is )?(missing|invalid|malformed)|bare (LF|CR|line feed|newline)",
        "message-form",
        _RFC,
    ),
    rule(
        "smtputf8",
        r"SMTPUTF8|internationali[sz]ed (address|e?mail)",
        "unsupported",
        "https://www.rfc-editor.org/rfc/rfc6531",
    ),
    rule(
        "no-mail",
        r"(null ?MX|does not accept (any )?(e-?)?mail|no (SMTP|mail) service here|accepts no mail|not accepting (messages|mail))",
        "no-mail",
        "https://www.rfc-editor.org/rfc/rfc7505",
    ),
    rule(
        "no-domain",
        r"(Host or domain name not found|(domain|host)( name)? (not found|does not exist|unknown)|NXDOMAIN|non-existent (host|domain)|couldn't find any host named|no such (domain|host))",
        "no-domain",
        _RFC,
    ),
    rule(
        "no-answer",
        r"(connection (timed out|refused|reset|lost|dropped)|timed out|network is unreachable|no route to host|lost connection|Connection to .{1,80} failed)",
        "no-answer",
        _RFC,
    ),
    rule(
        "expired",
        r"(retry (timeout|time) exceeded|delivery (time )?expired|message expired|in the queue too long|queue lifetime)",
        "expired",
        _RFC,
    ),
    rule(
        "address-form",
        r"(bad|invalid|malformed) (recipient |destination |address )?(address )?syntax|syntax error.{0,30}(address|recipient)",
        "address-form",
        _RFC,
    ),
    rule(
        "trouble",
        r"(temporar(y|ily) .{0,40}(failure|error|problem|unavailable|rejected)|try (again|back) later|service (is )?(currently |temporarily )?(not available|unavailable)|local error in processing"
        r"|(server|system|resources?) .{0,20}(busy|overload|temporarily)|come back later|out of memory|greet pause)",
        "temporary",
        _RFC,
    ),
)
