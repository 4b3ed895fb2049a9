"""The From line names one author, or several of one domain with a Sender.

RFC 5322 §3.6.2; RFC 9989 §5.3.1 leaves messages whose authors are of different domains to the receiver, and many refuse
them.
"""

import re
from functools import cache

from deliverability.errors import ParseError, printable
from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.names import Domain
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import structure

MAX_NAME_READ = 1000
"""Characters of the line in which a display name is looked at."""


@cache
def _address() -> re.Pattern[str]:
    # RFC 5322 §3.2.3 dot-atom or §3.2.4 quoted-string, RFC 6532 §3.2; and a domain that ends in no dot.
    atom = r"""[^\x00-\x20()<>@,;:\\".\[\]\x7f]{1,998}"""
    return re.compile(rf"""(?:{atom}(?:\.{atom}){{0,100}}|"[^\x00-\x1f\x7f]{{0,998}}")@.{{1,998}}(?<!\.)\Z""")


def _evaluate(evidence: Evidence) -> Ruling:
    mail = structure.message_of(evidence)
    if isinstance(mail, Ruling):
        return mail
    found = mail.all("from")
    if len(found) != 1:
        return Ruling(Outcome.FAIL, Finding.of("several-from" if found else "no-from", count=len(found)))
    return _ruling(found[0].unfolded, has_sender=bool(mail.all("sender")))


def _ruling(body: bytes, *, has_sender: bool) -> Ruling:
    from deliverability.protocols.mail import address_list

    try:
        authors = address_list(body)
        strange = next((author for author in authors if not _address().match(author)), None)
        if strange:
            return Ruling(Outcome.FAIL, Finding.of("not-an-address", address=printable(strange, 200)))
        domains = sorted({Domain.parse(author.rpartition("@")[2]).unicode for author in authors})
    except ParseError as problem:
        return Ruling(Outcome.FAIL, Finding.of("malformed", problem=printable(str(problem), 200)))
    if len(domains) != 1:
        code = "several-domains" if domains else "no-address"
        return Ruling(Outcome.FAIL, Finding.of(code, domains=printable(", ".join(domains), 200)))
    if len(authors) > 1 and not has_sender:
        return Ruling(Outcome.FAIL, Finding.of("sender-missing", count=len(authors)))
    name = _unquoted(body[:MAX_NAME_READ].decode("utf-8", "replace")) if len(authors) == 1 else ""
    details = (Finding.of("name-to-quote", name=printable(name, 100)),) if name else ()
    return Ruling(Outcome.PASS, Finding.of("one-domain", domain=domains[0]), details=details)


def _unquoted(body: str) -> str:
    """A display name that holds signs which need quotation marks (RFC 5322 §3.2.3); empty where none does."""
    before, bracket, _ = re.sub(r'"[^"]{0,998}"|\([^()]{0,998}\)', " ", body).partition("<")
    return before.strip() if bracket and re.search(r"[@:;\[\]\\]", before) else ""


CHECK = Check(
    id="one-author",
    subjects=frozenset({Subject.MESSAGE}),
    citation="RFC 5322 §3.6.2, RFC 9989 §5.3.1",
    title={"en": "From names one author", "zh-Hant-TW": "寄件者（From）只有一個"},
    evaluate=_evaluate,
    messages={
        "one-domain": {
            "en": "The From line names one author domain, {domain}.",
            "zh-Hant-TW": "寄件者（From）標頭只有一個網域：{domain}。",
        },
        "not-an-address": {
            "en": "What stands in the From line is no address by RFC 5322 §3.4.1: {address}. Receivers refuse such mail, or show another sender.",
            "zh-Hant-TW": "寄件者（From）標頭中的內容不是 RFC 5322 §3.4.1 的地址：{address}。收件方會拒收，或顯示成別的寄件者。",
        },
        "name-to-quote": {
            "en": "The name in the From line holds signs that need quotation marks around it (RFC 5322 §3.2.3); some receivers refuse it: {name}",
            "zh-Hant-TW": "寄件者（From）標頭中的名稱含有必須加引號的符號（RFC 5322 §3.2.3），有些收件方會拒收：{name}",
        },
        "no-from": {"en": "The message has no From line.", "zh-Hant-TW": "郵件沒有寄件者（From）標頭。"},
        "several-from": {
            "en": "The message has {count} From lines; receivers refuse it, because each reader would show another.",
            "zh-Hant-TW": "郵件有 {count} 個寄件者（From）標頭；不同軟體會顯示不同的寄件者，因此收件方會拒收。",
        },
        "no-address": {
            "en": "The From line holds no address.",
            "zh-Hant-TW": "寄件者（From）標頭沒有電子郵件地址。",
        },
        "several-domains": {
            "en": "The From line names authors of several domains ({domains}); no DMARC policy covers that.",
            "zh-Hant-TW": "寄件者（From）標頭包含多個網域（{domains}），DMARC 無法適用。",
        },
        "sender-missing": {
            "en": "The From line names {count} authors, so a Sender line has to say who sent it.",
            "zh-Hant-TW": "寄件者（From）標頭有 {count} 個地址，因此必須有 Sender 標頭說明由誰寄出。",
        },
        "malformed": {
            "en": "The From line cannot be read: {problem}.",
            "zh-Hant-TW": "無法解讀寄件者（From）標頭：{problem}。",
        },
        "need-message": structure.NEED_MESSAGE,
        **structure.NOT_READ,
    },
)
