"""What the message contains, counted: links, images, attachments.  Facts, and no verdict on them.

RFC 2046 §5.1.4 (text and HTML as alternatives), RFC 2183 (attachments).
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from deliverability.errors import printable
from deliverability.evidence.bundle import Evidence, Subject
from deliverability.evidence.plugin import Check
from deliverability.evidence.verdict import Finding, Outcome, Ruling
from deliverability.protocols import structure

if TYPE_CHECKING:
    from deliverability.protocols.mime import Part, Structure

MAX_TEXTS = 20
"""Text parts that are read, of one mebibyte each."""
MAX_HOSTS = 20
"""Hosts that are named."""


def _evaluate(evidence: Evidence) -> Ruling:
    mail = structure.message_of(evidence)
    if isinstance(mail, Ruling):
        return mail
    from deliverability.protocols.mime import MAX_TEXT, read_structure

    found = read_structure(mail)
    shown = [part for part in found.leaves if part.disposition != "attachment"]
    every = [part for part in shown if part.media_type in ("text/plain", "text/html")]
    texts = every[:MAX_TEXTS]
    whole = len(every) == len(texts) and all(part.end - part.start <= MAX_TEXT for part in texts)
    whole = whole and not any(defect.ours for defect, _ in found.defects)
    inside = sum(part.media_type.startswith("image/") for part in shown)
    attached = len(found.leaves) - len(shown)
    links, hosts, remote = _links(found, texts)
    facts = [
        Finding.of("texts", plain=_count(every, "text/plain"), html=_count(every, "text/html")),
        Finding.of("links", count=links, hosts=", ".join(hosts) or "-"),
        Finding.of("images", inside=inside, remote=remote),
        Finding.of("attachments", count=attached),
    ]
    code = "counted" if whole else "counted-in-part"
    return Ruling(Outcome.PASS, Finding.of(code, parts=len(found.leaves)), details=tuple(facts))


def _count(parts: "Sequence[Part]", media_type: str) -> int:
    return sum(part.media_type == media_type for part in parts)


def _links(found: "Structure", texts: "Sequence[Part]") -> tuple[int, list[str], int]:
    """How many links, to which hosts, and how many images that are fetched when the message is opened."""
    from deliverability.protocols.mime import text_of

    links = remote = 0
    hosts: dict[str, None] = {}
    for part in texts:
        text = text_of(found, part)
        for match in re.finditer(r"https?://([A-Za-z0-9.\-\[\]:]{1,255})", text, re.IGNORECASE):
            links += 1
            if len(hosts) < MAX_HOSTS:
                hosts.setdefault(printable(match.group(1).lower(), 100))
        if part.media_type == "text/html":
            remote += len(re.findall(r"<img\b[^<>]{0,2000}?\bsrc\s{0,5}=\s{0,5}[\"']?https?://", text, re.IGNORECASE))
    return links, list(hosts), remote


CHECK = Check(
    id="content-facts",
    subjects=frozenset({Subject.MESSAGE}),
    citation="RFC 2046 §5.1.4, RFC 2183",
    title={"en": "What the message contains", "zh-Hant-TW": "郵件內容概況"},
    advisory=True,
    evaluate=_evaluate,
    messages={
        "counted": {
            "en": "Parts with content: {parts}. These are counts, and no opinion on the content.",
            "zh-Hant-TW": "內容部分共 {parts} 個。以下只是計數，不是對內容的評價。",
        },
        "counted-in-part": {
            "en": "Parts with content: {parts}. The message holds more than is read here, so there may be more of each; no opinion on the content.",
            "zh-Hant-TW": "內容部分共 {parts} 個。郵件內容過多，只讀取了一部分，因此各項數量可能更多；這不是對內容的評價。",
        },
        "texts": {
            "en": "Texts: {plain} plain, {html} HTML.",
            "zh-Hant-TW": "文字：純文字 {plain} 個，HTML {html} 個。",
        },
        "links": {"en": "Links: {count}, to {hosts}.", "zh-Hant-TW": "連結：{count} 個，主機：{hosts}。"},
        "images": {
            "en": "Images: {inside} inside, {remote} fetched from elsewhere when it is opened.",
            "zh-Hant-TW": "圖片：內含 {inside} 個，開啟時從外部載入 {remote} 個。",
        },
        "attachments": {"en": "Attachments: {count}.", "zh-Hant-TW": "附件：{count} 個。"},
        "need-message": structure.NEED_MESSAGE,
        **structure.NOT_READ,
    },
)
